/* Counting values exactly, and the tone that follows from their ranks. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "inference/face/sample.h"
#include "inference/face/tone.h"
#include "inference/face/tone_count.h"

#define BINS TF_TONE_BINS
#define SORT_MAX 24

static void insertion_sort(float *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        float x = v[i];
        size_t j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/*
 * The value of rank `rank` among v[n], by counting into bins between minimum and maximum and going on within
 * the bin that holds the rank. Changes the order of v and drops values.
 */
static float select_rank(float *v, size_t n, size_t rank)
{
    uint32_t bins[BINS];

    while (n > SORT_MAX) {
        float min = v[0], max = v[0];

        for (size_t i = 1; i < n; i++) {
            min = v[i] < min ? v[i] : min;
            max = v[i] > max ? v[i] : max;
        }
        float factor = (float)BINS / (max - min);

        if (!(max > min) || !isfinite(factor))
            return min;
        memset(bins, 0, sizeof(bins));
        for (size_t i = 0; i < n; i++)
            bins[tf_tone_bin(v[i], min, factor)]++;
        int bin = 0;
        while (rank >= bins[bin])
            rank -= bins[bin++];
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
            if (tf_tone_bin(v[i], min, factor) == bin)
                v[kept++] = v[i];
        }
        n = kept;
    }
    insertion_sort(v, n);
    return v[rank];
}

/* The bin of a rank; `below` becomes the number of values before that bin. */
static int bin_of_rank(const struct tf_tone_survey *s, size_t rank, size_t *below)
{
    int bin = 0;

    *below = 0;
    while (bin < BINS - 1 && rank >= *below + s->bins[bin])
        *below += s->bins[bin++];
    return bin;
}

/* Whether one of TF_TONE_BLOCK values falls into either bin; those outside the picture may seem to. */
static bool holds(const float *values, float min, float factor, int bin_a, int bin_b)
{
    int32_t any = 0;

    for (int k = 0; k < TF_TONE_BLOCK; k++) {
        int32_t bin = tf_tone_bin(values[k], min, factor);

        any |= (bin == bin_a) | (bin == bin_b);
    }
    return any;
}

/* Values of the first bin from the front of `scratch` on, of the second from its end. Written in any case,
 * kept when it belongs there: a branch would be guessed wrong half of the time. There is always room, and
 * where both ends meet, both write the same. */
static void gather(const float *values, size_t n, float min, float factor, int bin_a, int bin_b,
                   float *scratch, size_t *first, size_t *last)
{
    for (size_t i = 0; i < n && *first < *last; i++) {
        float v = values[i];
        int bin = v < 0 ? -1 : tf_tone_bin(v, min, factor);

        scratch[*first] = v;
        scratch[*last - 1] = v;
        *first += bin == bin_a;
        *last -= bin == bin_b && bin_a != bin_b;
    }
}

/* Both ranks are read from the one count; only the values of their bins are looked at again: those of the
 * first gather at the beginning of `scratch`, those of the second from its end. */
static void ranks(const struct tf_tone_survey *s, const float *values, size_t count, size_t rank_a,
                  size_t rank_b, float *scratch, float *a, float *b)
{
    size_t below_a, below_b, first = 0, last = count;
    int bin_a = bin_of_rank(s, rank_a, &below_a), bin_b = bin_of_rank(s, rank_b, &below_b);
    float min = s->min, factor = s->factor;

    if (s->flat) {
        *a = *b = s->min;
        return;
    }
    for (size_t i = 0; i < count; i += TF_TONE_BLOCK) {
        size_t n = count - i < TF_TONE_BLOCK ? count - i : TF_TONE_BLOCK;

        if (n < TF_TONE_BLOCK || holds(values + i, min, factor, bin_a, bin_b))
            gather(values + i, n, min, factor, bin_a, bin_b, scratch, &first, &last);
    }
    /* Selecting drops values: of one bin the higher rank is looked for in a second gathering. */
    if (bin_a == bin_b) {
        *a = select_rank(scratch, first, rank_a - below_a);
        first = 0;
        for (size_t i = 0; i < count; i++) {
            if (values[i] >= 0 && tf_tone_bin(values[i], min, factor) == bin_b)
                scratch[first++] = values[i];
        }
        *b = select_rank(scratch, first, rank_b - below_b);
        return;
    }
    *a = select_rank(scratch, first, rank_a - below_a);
    *b = select_rank(scratch + last, count - last, rank_b - below_b);
}

void tf_tone_ranks(const float *values, size_t count, size_t inside, size_t rank_a, size_t rank_b,
                   float *scratch, float *a, float *b)
{
    struct tf_tone_survey survey;

    tf_tone_count(values, count, inside, &survey);
    ranks(&survey, values, count, rank_a, rank_b, scratch, a, b);
}

struct tf_tone_span tf_tone_span(const struct tf_tone *tone, const struct tf_radiometry *radiometry,
                                 const struct tf_tone_survey *survey, const struct tf_tone_part *part,
                                 const float *values, size_t count, float *scratch)
{
    bool celsius = radiometry->valid && radiometry->scale > 0;

    if (tone->kind == TF_TONE_CELSIUS && celsius)
        return (struct tf_tone_span){(tone->lo - radiometry->offset) / radiometry->scale,
                                     (tone->hi - tone->lo) / radiometry->scale, -INFINITY, INFINITY};
    bool percentile = tone->kind == TF_TONE_PERCENTILE;
    double last = part->n > 0 ? (double)(part->n - 1) : 0;
    double lo_rank = (percentile ? (double)tone->lo : 1.0) / 100.0 * last;
    double hi_rank = (percentile ? (double)tone->hi : 99.0) / 100.0 * last;
    float lo, hi, least = 1;

    ranks(survey, values, count, part->below + (size_t)lo_rank, part->below + (size_t)hi_rank, scratch, &lo,
          &hi);
    if (percentile && tone->min_span_c > 0 && celsius)
        least = tone->min_span_c / radiometry->scale;
    struct tf_tone_span span = {lo, fmaxf(hi - lo, least), -INFINITY, INFINITY};
    if (part->first > 0)
        span.first = survey->min + (float)part->first / survey->factor;
    if (part->last < BINS - 1)
        span.last = survey->min + (float)(part->last + 1) / survey->factor;
    return span;
}

static inline __attribute__((always_inline)) void write_some(const struct tf_tone_span *span,
                                                             const float *values, size_t n, float steps,
                                                             int zero_point, uint8_t *out, bool limited)
{
    float zero = (float)zero_point, outside = zero < 0 ? 0 : zero > 255 ? 255 : zero;
    float lo = span->lo, length = span->span, first = span->first, last = span->last, x[TF_TONE_BLOCK];

    for (size_t i = 0; i < n; i++) {
        x[i] = (values[i] - lo) / length;
        x[i] = x[i] < 0 ? 0 : x[i];
        x[i] = x[i] > 1 ? 1 : x[i];
    }
    for (size_t i = 0; limited && i < n; i++)
        x[i] = ((values[i] < first) | (values[i] > last)) ? 0 : x[i];
    for (size_t i = 0; i < n; i++) {
        /* x * steps is 0 or more, and adding 2^23 leaves the float at whole numbers, ties to even: rint
         * without a call. Whole numbers of this size are exact. */
        x[i] = (x[i] * steps + 8388608.0f) - 8388608.0f + zero;
        x[i] = x[i] < 0 ? 0 : x[i];
        x[i] = x[i] > 255 ? 255 : x[i];
        x[i] = values[i] < 0 ? outside : x[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(int32_t)x[i];
}

static inline __attribute__((always_inline)) void write_tone(const struct tf_tone_span *span,
                                                             const float *values, size_t count, float steps,
                                                             int zero_point, uint8_t *out, bool limited)
{
    size_t i = 0;

    for (; i + TF_TONE_BLOCK <= count; i += TF_TONE_BLOCK)
        write_some(span, values + i, TF_TONE_BLOCK, steps, zero_point, out + i, limited);
    if (i < count)
        write_some(span, values + i, count - i, steps, zero_point, out + i, limited);
}

void tf_tone_write(const struct tf_tone_span *span, const float *values, size_t count, float scale,
                   int zero_point, uint8_t *out)
{
    /* The usual scale is 1/255, whose reciprocal in float must be 255 itself. */
    float steps = fabsf(scale * 255.0f - 1.0f) < 1e-4f ? 255.0f : 1.0f / scale;

    if (isfinite(span->first) || isfinite(span->last))
        write_tone(span, values, count, steps, zero_point, out, true);
    else
        write_tone(span, values, count, steps, zero_point, out, false);
}

void tf_tone_apply(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                   size_t count, size_t inside, float *scratch, float scale, int zero_point, uint8_t *out)
{
    struct tf_tone_survey survey;
    struct tf_tone_span span;

    tf_tone_survey(tone, radiometry, values, count, inside, &survey);
    span = tf_tone_span(tone, radiometry, &survey, &survey.part[0], values, count, scratch);
    tf_tone_write(&span, values, count, scale, zero_point, out);
}
