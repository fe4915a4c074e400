/*
 * What drawing planes costs most, once for each level of the processor, all bit-identical to the generic C.
 * Sizes are in elements; sources and results do not overlap. Private to overlay/.
 */
#ifndef TF_OVERLAY_KERNELS_H
#define TF_OVERLAY_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* Bytes are turned in squares of so many. */
#define TF_PAINT_SQUARE 16

struct tf_paint {
    const char *name;
    /* Places on the palette: (value - low) * scale / 32, cut to 0..255. */
    void (*entries)(const uint16_t *values, size_t n, float low, float scale, uint8_t *ret);
    void (*lookup)(const uint8_t *from, size_t n, const uint8_t table[256], uint8_t *ret);
    /* U and V by the mean of two by two entries; `n` is even, the results are half as many. */
    void (*chroma)(const uint8_t *row0, const uint8_t *row1, size_t n, const uint8_t u[256],
                   const uint8_t v[256], uint8_t *ret_u, uint8_t *ret_v);
    /* ret[x][y] = from[y][x] for a square. */
    void (*turn)(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride);
    /* The sum of four rows by coefficients of 4096, saturated to 16 bits, plus `bias`, / 32, cut to 0..255.
     * Sums stay within 32 bits: values within TF_LEVEL_MIN..MAX, coefficients within -1024..4096. */
    void (*blend)(const int16_t *const rows[4], const int16_t coefficients[4], size_t n, int16_t bias,
                  uint8_t *ret);
    /* Four values of a row by coefficients, as blend: ret[x] of from[x..x + 3], without bias and cut. */
    void (*taps)(const int16_t *from, const int16_t coefficients[4], size_t n, int16_t *ret);
    /* Two rows and their chroma from ITU-R BT.601 to BT.709, limited range both; `n` luma values a row. */
    void (*matrix)(const uint8_t *const from[4], size_t n, uint8_t *const ret[4]);
    /* Every other byte, from the first or the second on: n bytes of 2 n. */
    void (*every_other)(const uint8_t *from, size_t n, uint8_t *ret);
};

extern const struct tf_paint tf_paint_generic;
#if defined(__x86_64__)
extern const struct tf_paint tf_paint_avx2;
extern const struct tf_paint tf_paint_avx512;
#endif
#if defined(__aarch64__)
extern const struct tf_paint tf_paint_neon;
#endif

/* The best that a level may use and this machine has; any level that the machine has. */
const struct tf_paint *tf_paint_select(enum tf_cpu_level level);
/* All that this machine can run, NULL past the last: for tests and benchmarks. */
const struct tf_paint *tf_paint_at(size_t index);

#endif
