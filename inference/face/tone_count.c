/* A window's values counted into bins between the smallest and the largest of them. */
#include <math.h>
#include <string.h>

#include "inference/face/tone_count.h"

/* The smallest value that is not outside the picture, and the largest. */
static void extremes(const float *values, size_t count, float *min, float *max)
{
    float low[8], high[8];
    size_t i = 0;

    for (int k = 0; k < 8; k++) {
        low[k] = INFINITY;
        high[k] = -INFINITY;
    }
    for (; i + 8 <= count; i += 8)
        for (size_t k = 0; k < 8; k++) {
            float v = values[i + k], inside = v < 0 ? INFINITY : v;

            low[k] = inside < low[k] ? inside : low[k];
            high[k] = v > high[k] ? v : high[k];
        }
    for (; i < count; i++) {
        float v = values[i], inside = v < 0 ? INFINITY : v;

        low[0] = inside < low[0] ? inside : low[0];
        high[0] = v > high[0] ? v : high[0];
    }
    *min = low[0];
    *max = high[0];
    for (int k = 1; k < 8; k++) {
        *min = low[k] < *min ? low[k] : *min;
        *max = high[k] > *max ? high[k] : *max;
    }
}

/* The bins of TF_TONE_BLOCK values; of those outside the picture -1. */
static inline void bins_of(const float *values, float min, float factor, int32_t bins[TF_TONE_BLOCK])
{
    for (int k = 0; k < TF_TONE_BLOCK; k++) {
        int32_t bin = tf_tone_bin(values[k], min, factor);

        bins[k] = values[k] < 0 ? -1 : bin;
    }
}

void tf_tone_count(const float *values, size_t count, size_t inside, struct tf_tone_survey *s)
{
    float min = INFINITY, max = -INFINITY;

    memset(s->bins, 0, sizeof(s->bins));
    s->min = s->factor = 0;
    s->flat = true;
    if (inside == 0)
        return;
    extremes(values, count, &min, &max);
    s->min = min;
    s->factor = (float)TF_TONE_BINS / (max - min);
    if (!(max > min) || !isfinite(s->factor))
        return;
    s->flat = false;
    tf_tone_fill(values, count, s);
}

void tf_tone_fill(const float *values, size_t count, struct tf_tone_survey *s)
{
    float min = s->min, factor = s->factor;
    int32_t bins[TF_TONE_BLOCK];
    size_t i = 0;

    memset(s->bins, 0, sizeof(s->bins));
    for (; i + TF_TONE_BLOCK <= count; i += TF_TONE_BLOCK) {
        bins_of(values + i, min, factor, bins);
        for (int k = 0; k < TF_TONE_BLOCK; k++)
            if (bins[k] >= 0)
                s->bins[bins[k]]++;
    }
    for (; i < count; i++)
        if (values[i] >= 0)
            s->bins[tf_tone_bin(values[i], min, factor)]++;
}
