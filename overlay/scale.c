/*
 * Separable cubic enlargement in fixed point. The kernel is Mitchell and Netravali's (B = C = 1/3,
 * "Reconstruction filters in computer graphics", 1988): smooth between the sensor's few pixels, with hardly
 * any ringing at the hot edge of a face.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/scale.h"

#define TAPS 4
#define BITS 12 /* coefficients are of 1/4096; they add up to exactly that */
#define FACTOR_MAX 64

struct tf_scaler {
    const struct tf_paint *paint;
    uint32_t width, height, factor;
    int16_t coefficients[FACTOR_MAX][TAPS]; /* by phase: the output's place within a source pixel */
    int8_t first[FACTOR_MAX];               /* source offset of the first tap */
    int16_t *padded;                        /* a source row with two repeated pixels on both sides */
    int16_t *phase;                         /* and every factor-th value of its stretched one */
    int16_t *lines[TAPS];                   /* source rows, stretched; row r is in lines[r % TAPS] */
    int32_t held[TAPS];                     /* which row that is; -1 none */
};

static double kernel(double x)
{
    const double b = 1.0 / 3, c = 1.0 / 3;

    x = fabs(x);
    if (x < 1)
        return ((12 - 9 * b - 6 * c) * x * x * x + (-18 + 12 * b + 6 * c) * x * x + (6 - 2 * b)) / 6;
    if (x < 2)
        return ((-b - 6 * c) * x * x * x + (6 * b + 30 * c) * x * x + (-12 * b - 48 * c) * x +
                (8 * b + 24 * c)) /
               6;
    return 0;
}

static void fill_coefficients(struct tf_scaler *s)
{
    for (uint32_t phase = 0; phase < s->factor; phase++) {
        double at =
            (phase + 0.5) / s->factor - 0.5; /* in source pixels, from the centre of the pixel itself */
        int first = (int)floor(at) - 1, sum = 0, largest = 0;

        for (int tap = 0; tap < TAPS; tap++) {
            s->coefficients[phase][tap] = (int16_t)lrint(kernel(at - first - tap) * (1 << BITS));
            sum += s->coefficients[phase][tap];
            if (s->coefficients[phase][tap] > s->coefficients[phase][largest])
                largest = tap;
        }
        s->coefficients[phase][largest] += (int16_t)((1 << BITS) - sum);
        s->first[phase] = (int8_t)first;
    }
}

int tf_scaler_create(uint32_t width, uint32_t height, uint32_t factor, const struct tf_paint *paint,
                     struct tf_scaler **ret)
{
    struct tf_scaler *s;

    if (!width || !height || factor < 1 || factor > FACTOR_MAX)
        return -EINVAL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->paint = paint;
    s->width = width;
    s->height = height;
    s->factor = factor;
    s->padded = malloc((width + 4) * sizeof(*s->padded));
    s->phase = malloc(width * sizeof(*s->phase));
    if (!s->padded || !s->phase)
        goto fail;
    for (int i = 0; i < TAPS; i++) {
        s->lines[i] = malloc((size_t)width * factor * sizeof(**s->lines));
        if (!s->lines[i])
            goto fail;
    }
    fill_coefficients(s);
    tf_scaler_begin(s);
    *ret = s;
    return 0;

fail:
    tf_scaler_destroy(s);
    return -ENOMEM;
}

void tf_scaler_destroy(struct tf_scaler *s)
{
    if (!s)
        return;
    for (int i = 0; i < TAPS; i++)
        free(s->lines[i]);
    free(s->padded);
    free(s->phase);
    free(s);
}

void tf_scaler_begin(struct tf_scaler *s)
{
    for (int i = 0; i < TAPS; i++)
        s->held[i] = -1;
}

static inline int16_t narrow(int32_t v)
{
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}

static void stretch(struct tf_scaler *s, const int16_t *values, int16_t *line)
{
    uint32_t w = s->width;

    memcpy(s->padded + 2, values, w * sizeof(*values));
    s->padded[0] = s->padded[1] = values[0];
    s->padded[w + 2] = s->padded[w + 3] = values[w - 1];
    for (uint32_t phase = 0; phase < s->factor; phase++) {
        const int16_t *restrict from = s->phase;
        int16_t *restrict to = line + phase;
        s->paint->taps(s->padded + 2 + s->first[phase], s->coefficients[phase], w, s->phase);
        for (uint32_t x = 0; x < w; x++, to += s->factor)
            *to = from[x];
    }
}

/* The stretched rows that row y is made of. */
static void rows_of(struct tf_scaler *s, const int16_t *values, uint32_t y, const int16_t *rows[TAPS])
{
    int32_t first = (int32_t)(y / s->factor) + s->first[y % s->factor];

    for (int tap = 0; tap < TAPS; tap++) {
        int32_t row = first + tap < 0                     ? 0
                      : first + tap >= (int32_t)s->height ? (int32_t)s->height - 1
                                                          : first + tap;
        if (s->held[row % TAPS] != row) {
            stretch(s, values + (size_t)row * s->width, s->lines[row % TAPS]);
            s->held[row % TAPS] = row;
        }
        rows[tap] = s->lines[row % TAPS];
    }
}

void tf_scaler_row(struct tf_scaler *s, const int16_t *values, uint32_t y, int16_t *restrict ret)
{
    uint32_t phase = y % s->factor, n = s->width * s->factor;
    const int16_t *rows[TAPS];

    rows_of(s, values, y, rows);
    const int16_t *restrict r0 = rows[0], *restrict r1 = rows[1], *restrict r2 = rows[2],
                            *restrict r3 = rows[3];
    const int32_t c0 = s->coefficients[phase][0], c1 = s->coefficients[phase][1],
                  c2 = s->coefficients[phase][2], c3 = s->coefficients[phase][3];
    for (uint32_t x = 0; x < n; x++)
        ret[x] = narrow((c0 * r0[x] + c1 * r1[x] + c2 * r2[x] + c3 * r3[x] + (1 << (BITS - 1))) >> BITS);
}

void tf_scaler_bytes(struct tf_scaler *s, const int16_t *values, uint32_t y, int16_t bias, uint8_t *ret)
{
    const int16_t *rows[TAPS];

    rows_of(s, values, y, rows);
    s->paint->blend(rows, s->coefficients[y % s->factor], (size_t)s->width * s->factor, bias, ret);
}
