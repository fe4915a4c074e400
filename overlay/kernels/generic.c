/* The reference: C for any machine. */
#include "overlay/kernels/body.h"

static void entries(const uint16_t *values, size_t n, float low, float scale, uint8_t *ret)
{
    body_entries(values, n, low, scale, ret);
}

static void lookup(const uint8_t *from, size_t n, const uint8_t table[256], uint8_t *ret)
{
    body_lookup(from, n, table, ret);
}

static void chroma(const uint8_t *row0, const uint8_t *row1, size_t n, const uint8_t u[256],
                   const uint8_t v[256], uint8_t *ret_u, uint8_t *ret_v)
{
    body_chroma(row0, row1, n, u, v, ret_u, ret_v);
}

static void turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    body_turn(from, from_stride, ret, ret_stride);
}

static void blend(const int16_t *const rows[4], const int16_t coefficients[4], size_t n, int16_t bias,
                  uint8_t *ret)
{
    body_blend(rows, coefficients, 0, n, bias, ret);
}

static void taps(const int16_t *from, const int16_t coefficients[4], size_t n, int16_t *ret)
{
    body_taps(from, coefficients, 0, n, ret);
}

TF_PAINT(generic);
