/*
 * The kernels in C: the reference, and the ends of rows of the others. Each level's file includes it and is
 * compiled for that level; what has no intrinsics there is this, as the compiler makes it.
 */
#ifndef TF_OVERLAY_KERNELS_BODY_H
#define TF_OVERLAY_KERNELS_BODY_H

#include "overlay/kernels/kernels.h"

#define TF_TOP 8191.0f /* the last step of the last entry */

static inline void body_entries(const uint16_t *restrict values, size_t n, float low, float scale,
                                uint8_t *restrict ret)
{
    for (size_t i = 0; i < n; i++) {
        float v = ((float)values[i] - low) * scale;
        v = v > 0 ? v : 0;
        v = v < TF_TOP ? v : TF_TOP;
        ret[i] = (uint8_t)((int)v >> 5);
    }
}

static inline void body_lookup(const uint8_t *restrict from, size_t n, const uint8_t table[256],
                               uint8_t *restrict ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = table[from[i]];
}

static inline void body_chroma(const uint8_t *restrict row0, const uint8_t *restrict row1, size_t n,
                               const uint8_t u[256], const uint8_t v[256], uint8_t *restrict ret_u,
                               uint8_t *restrict ret_v)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        unsigned mean = (row0[i] + row0[i + 1] + row1[i] + row1[i + 1] + 2u) >> 2;
        ret_u[i / 2] = u[mean];
        ret_v[i / 2] = v[mean];
    }
}

static inline void body_turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    for (ptrdiff_t y = 0; y < TF_PAINT_SQUARE; y++)
        for (ptrdiff_t x = 0; x < TF_PAINT_SQUARE; x++)
            ret[x * ret_stride + y] = from[y * from_stride + x];
}

static inline int32_t body_narrow(int32_t v)
{
    return v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v;
}

/* From element `i` on. */
static inline void body_blend(const int16_t *const rows[4], const int16_t c[4], size_t i, size_t n,
                              int16_t bias, uint8_t *restrict ret)
{
    const int16_t *restrict r0 = rows[0], *restrict r1 = rows[1], *restrict r2 = rows[2],
                            *restrict r3 = rows[3];

    for (; i < n; i++) {
        int32_t v = body_narrow((c[0] * r0[i] + c[1] * r1[i] + c[2] * r2[i] + c[3] * r3[i] + 2048) >> 12);
        v = body_narrow(v + bias) >> 5;
        ret[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

static inline void body_taps(const int16_t *restrict from, const int16_t c[4], size_t i, size_t n,
                             int16_t *restrict ret)
{
    for (; i < n; i++)
        ret[i] = (int16_t)body_narrow(
            (c[0] * from[i] + c[1] * from[i + 1] + c[2] * from[i + 2] + c[3] * from[i + 3] + 2048) >> 12);
}

static inline uint8_t body_byte(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/*
 * Y', U', V' of BT.709 from those of BT.601: the one's inverse times the other (ITU-R BT.601-7, 2.5.1 and
 * BT.709-6, 3.2), with 219 steps of Y and 224 of U and V; of 16384.
 */
static inline void body_matrix(const uint8_t *const from[4], size_t n, uint8_t *const ret[4])
{
    const uint8_t *restrict u = from[2], *restrict v = from[3];
    uint8_t *restrict to_u = ret[2], *restrict to_v = ret[3];

    for (int row = 0; row < 2; row++) {
        const uint8_t *restrict y = from[row];
        uint8_t *restrict to = ret[row];
        for (size_t i = 0; i < n / 2; i++) {
            int32_t add = (-1893 * (u[i] - 128) - 3407 * (v[i] - 128) + 8192) >> 14;
            to[2 * i] = body_byte(y[2 * i] + add);
            to[2 * i + 1] = body_byte(y[2 * i + 1] + add);
        }
        if (n & 1) {
            int32_t add = (-1893 * (u[n / 2] - 128) - 3407 * (v[n / 2] - 128) + 8192) >> 14;
            to[n - 1] = body_byte(y[n - 1] + add);
        }
    }
    for (size_t i = 0; i < (n + 1) / 2; i++) {
        int32_t cb = u[i] - 128, cr = v[i] - 128;
        to_u[i] = body_byte(128 + ((16689 * cb + 1878 * cr + 8192) >> 14));
        to_v[i] = body_byte(128 + ((1230 * cb + 16799 * cr + 8192) >> 14));
    }
}

static inline void body_every_other(const uint8_t *restrict from, size_t n, uint8_t *restrict ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = from[2 * i];
}

/* A level's table, of functions named tf_paint's members with the level's ending. */
#define TF_PAINT(level)                                                                                      \
    const struct tf_paint tf_paint_##level = {                                                               \
        .name = #level,                                                                                      \
        .entries = entries,                                                                                  \
        .lookup = lookup,                                                                                    \
        .chroma = chroma,                                                                                    \
        .turn = turn,                                                                                        \
        .blend = blend,                                                                                      \
        .taps = taps,                                                                                        \
        .matrix = matrix,                                                                                    \
        .every_other = every_other,                                                                          \
    }

static void matrix(const uint8_t *const from[4], size_t n, uint8_t *const ret[4])
{
    body_matrix(from, n, ret);
}

static void every_other(const uint8_t *from, size_t n, uint8_t *ret)
{
    body_every_other(from, n, ret);
}

#endif
