/* The palette's automatic range: what of a frame's values is worth colours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/levels.h"

/* About so many pixels are looked at: percentiles need no more. */
#define SAMPLES 12000
#define BINS 1024
/* How far the range may go beyond the skin, in spans of it: a lamp is white, a face keeps a fifth at least.
 */
#define ABOVE_SKIN 1.0f
#define BELOW_SKIN 3.0f
/* And without a face, beyond the middle four fifths, in spans of those. */
#define BEYOND_MIDDLE 4.0f
/* Samples of a face: along rays from its middle to jaw and brows. */
#define RAYS 27
#define ON_RAY 3

static inline uint32_t value_at(const struct tf_frame *f, uint32_t x, uint32_t y)
{
    const uint8_t *row = f->plane[0] + (size_t)y * f->stride[0];
    uint16_t v;

    if (f->pixel == TF_PIXEL_U8)
        return row[x];
    memcpy(&v, row + (size_t)x * 2, 2);
    return v;
}

static int by_value(const void *a, const void *b)
{
    uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;

    return (x > y) - (x < y);
}

bool tf_range_skin(const struct tf_frame *f, const struct tf_faces *faces, struct tf_range *ret)
{
    static const float in[ON_RAY] = {0.3f, 0.55f, 0.8f};
    float width = (float)tf_frame_upright_width(f), height = (float)tf_frame_upright_height(f);
    uint16_t values[RAYS * ON_RAY], min, max;
    bool any = false;

    tf_frame_limits(f, &min, &max);
    for (uint32_t i = 0; faces && i < faces->count && i < TF_FACES_MAX; i++) {
        const struct tf_point *p = faces->faces[i].points;
        float cx = (p[27].x + p[33].x) / 2, cy = (p[27].y + p[33].y) / 2;
        size_t n = 0;

        for (int k = 0; k < RAYS * ON_RAY; k++) {
            float share = in[k % ON_RAY], x = cx + (p[k / ON_RAY].x - cx) * share + 0.5f,
                  y = cy + (p[k / ON_RAY].y - cy) * share + 0.5f;
            uint32_t native_x, native_y, v;

            if (!(x >= 0 && y >= 0 && x < width && y < height))
                continue;
            tf_levels_native(f, (uint32_t)x, (uint32_t)y, &native_x, &native_y);
            v = value_at(f, native_x, native_y);
            if (v >= min && v <= max)
                values[n++] = (uint16_t)v;
        }
        if (n < RAYS)
            continue;
        qsort(values, n, sizeof(*values), by_value);
        /* Lenses are often colder than everything else, and less than a fifth of the face. */
        float low = values[n / 5], high = values[n * 19 / 20];
        ret->low = any && ret->low < low ? ret->low : low;
        ret->high = any && ret->high > high ? ret->high : high;
        any = true;
    }
    return any;
}

/* The value below which that share of the samples lies: its bin, counted from the bottom. */
static uint32_t rank(const uint32_t counts[BINS], uint32_t n, uint32_t permille)
{
    uint32_t below = 0, i = 0;

    for (; i < BINS - 1; i++) {
        below += counts[i];
        if (below * 1000ull > (uint64_t)n * permille)
            break;
    }
    return i;
}

bool tf_range_fit(const struct tf_frame *f, const struct tf_range *skin, float span_min, struct tf_range *ret)
{
    uint32_t pixels = (uint32_t)f->width * f->height, step = 1, least = UINT32_MAX, most = 0, n = 0,
             shift = 0;
    uint32_t counts[BINS] = {0};
    uint16_t min, max;

    if (!pixels)
        return false;
    tf_frame_limits(f, &min, &max);
    while (pixels / (step * step) > SAMPLES)
        step++;
    for (uint32_t y = step / 2; y < f->height; y += step)
        for (uint32_t x = step / 2; x < f->width; x += step) {
            uint32_t v = value_at(f, x, y);
            if (v < min || v > max)
                continue;
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
    if (least > most)
        return false;
    while (((most - least) >> shift) >= BINS)
        shift++;
    for (uint32_t y = step / 2; y < f->height; y += step)
        for (uint32_t x = step / 2; x < f->width; x += step) {
            uint32_t v = value_at(f, x, y);
            if (v < min || v > max)
                continue;
            counts[(v - least) >> shift]++;
            n++;
        }
    float low = (float)(least + (rank(counts, n, 10) << shift));
    float high = (float)(least + ((rank(counts, n, 995) + 1) << shift));
    struct tf_range middle = {(float)(least + (rank(counts, n, 100) << shift)),
                              (float)(least + ((rank(counts, n, 900) + 1) << shift))};
    float span = fmaxf(skin ? skin->high - skin->low : middle.high - middle.low, span_min);
    if (skin) {
        low = fmaxf(low, skin->low - BELOW_SKIN * span);
        high = fminf(high, skin->high + ABOVE_SKIN * span);
        /* A small face is less than the picture's last hundredth. */
        low = fminf(low, skin->low);
        high = fmaxf(high, skin->high);
    } else {
        low = fmaxf(low, middle.low - BEYOND_MIDDLE * span);
        high = fminf(high, middle.high + BEYOND_MIDDLE * span);
    }
    span = fmaxf((high - low) * 1.1f, span_min);
    *ret = (struct tf_range){(low + high) / 2 - span / 2, (low + high) / 2 + span / 2};
    return true;
}
