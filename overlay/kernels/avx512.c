/* AVX-512 with VBMI: a table of 256 bytes is two permutations. */
#include "overlay/kernels/ymm.h"

static void entries(const uint16_t *values, size_t n, float low, float scale, uint8_t *ret)
{
    const __m512 l = _mm512_set1_ps(low), s = _mm512_set1_ps(scale), top = _mm512_set1_ps(TF_TOP);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        __m512 v = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, values + i)));
        v = _mm512_mul_ps(_mm512_sub_ps(v, l), s);
        v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), top);
        _mm_mask_storeu_epi8(ret + i, mask,
                             _mm512_cvtepi32_epi8(_mm512_srli_epi32(_mm512_cvttps_epi32(v), 5)));
    }
}

struct table {
    __m512i parts[4];
};

static inline struct table prepare(const uint8_t table[256])
{
    struct table t;

    for (int i = 0; i < 4; i++)
        t.parts[i] = _mm512_loadu_si512(table + 64 * i);
    return t;
}

static inline __m512i find(const struct table *t, __m512i index)
{
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index),
                                  _mm512_permutex2var_epi8(t->parts[0], index, t->parts[1]),
                                  _mm512_permutex2var_epi8(t->parts[2], index, t->parts[3]));
}

static inline __mmask64 first(size_t n)
{
    return n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

static void lookup(const uint8_t *from, size_t n, const uint8_t table[256], uint8_t *ret)
{
    struct table t = prepare(table);

    for (size_t i = 0; i < n; i += 64)
        _mm512_mask_storeu_epi8(ret + i, first(n - i),
                                find(&t, _mm512_maskz_loadu_epi8(first(n - i), from + i)));
}

static void chroma(const uint8_t *row0, const uint8_t *row1, size_t n, const uint8_t u[256],
                   const uint8_t v[256], uint8_t *ret_u, uint8_t *ret_v)
{
    struct table tu = prepare(u), tv = prepare(v);
    const __m512i ones = _mm512_set1_epi8(1);

    for (size_t i = 0; i + 1 < n; i += 64) {
        __mmask64 mask = first(n - i);
        __m512i sum = _mm512_add_epi16(_mm512_maddubs_epi16(_mm512_maskz_loadu_epi8(mask, row0 + i), ones),
                                       _mm512_maddubs_epi16(_mm512_maskz_loadu_epi8(mask, row1 + i), ones));
        __m512i mean = _mm512_castsi256_si512(
            _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2)));
        __mmask32 half = (__mmask32)first((n - i) / 2);
        _mm256_mask_storeu_epi8(ret_u + i / 2, half, _mm512_castsi512_si256(find(&tu, mean)));
        _mm256_mask_storeu_epi8(ret_v + i / 2, half, _mm512_castsi512_si256(find(&tv, mean)));
    }
}

static void turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    ymm_turn(from, from_stride, ret, ret_stride);
}

static void blend(const int16_t *const rows[4], const int16_t coefficients[4], size_t n, int16_t bias,
                  uint8_t *ret)
{
    ymm_blend(rows, coefficients, n, bias, ret);
}

static void taps(const int16_t *from, const int16_t coefficients[4], size_t n, int16_t *ret)
{
    ymm_taps(from, coefficients, n, ret);
}

TF_PAINT(avx512);
