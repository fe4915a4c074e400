/* What the levels of x86 share: 256-bit kernels. */
#ifndef TF_OVERLAY_KERNELS_YMM_H
#define TF_OVERLAY_KERNELS_YMM_H

#include <immintrin.h>

#include "overlay/kernels/body.h"

/* Four rounds of a perfect shuffle turn a square of 16. */
static inline void ymm_turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    __m128i a[16], b[16];

    for (int i = 0; i < 16; i++)
        a[i] = _mm_loadu_si128((const __m128i *)(const void *)(from + i * from_stride));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = _mm_unpacklo_epi8(b[i], b[i + 8]);
            a[2 * i + 1] = _mm_unpackhi_epi8(b[i], b[i + 8]);
        }
    }
    for (int i = 0; i < 16; i++)
        _mm_storeu_si128((__m128i *)(void *)(ret + i * ret_stride), a[i]);
}

static inline __m256i ymm_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Four taps of 16 values at r[0..3], narrowed; halves in order. */
static inline __m256i ymm_sum(const __m256i r[4], __m256i c01, __m256i c23)
{
    const __m256i half = _mm256_set1_epi32(2048);
    __m256i low = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpacklo_epi16(r[0], r[1]), c01),
                                   _mm256_madd_epi16(_mm256_unpacklo_epi16(r[2], r[3]), c23));
    __m256i high = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpackhi_epi16(r[0], r[1]), c01),
                                    _mm256_madd_epi16(_mm256_unpackhi_epi16(r[2], r[3]), c23));

    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 12),
                              _mm256_srai_epi32(_mm256_add_epi32(high, half), 12));
}

static inline __m256i ymm_pair(int16_t a, int16_t b)
{
    return _mm256_set1_epi32((int)((uint32_t)(uint16_t)a | (uint32_t)(uint16_t)b << 16));
}

static inline void ymm_blend(const int16_t *const rows[4], const int16_t c[4], size_t n, int16_t bias,
                             uint8_t *ret)
{
    __m256i c01 = ymm_pair(c[0], c[1]), c23 = ymm_pair(c[2], c[3]), add = _mm256_set1_epi16(bias);
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i v[2];
        for (int k = 0; k < 2; k++) {
            const __m256i r[4] = {ymm_load(rows[0] + i + 16 * k), ymm_load(rows[1] + i + 16 * k),
                                  ymm_load(rows[2] + i + 16 * k), ymm_load(rows[3] + i + 16 * k)};
            v[k] = _mm256_srai_epi16(_mm256_adds_epi16(ymm_sum(r, c01, c23), add), 5);
        }
        _mm256_storeu_si256((__m256i *)(void *)(ret + i),
                            _mm256_permute4x64_epi64(_mm256_packus_epi16(v[0], v[1]), 0xd8));
    }
    body_blend(rows, c, i, n, bias, ret);
}

static inline void ymm_taps(const int16_t *from, const int16_t c[4], size_t n, int16_t *ret)
{
    __m256i c01 = ymm_pair(c[0], c[1]), c23 = ymm_pair(c[2], c[3]);
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        const __m256i r[4] = {ymm_load(from + i), ymm_load(from + i + 1), ymm_load(from + i + 2),
                              ymm_load(from + i + 3)};
        _mm256_storeu_si256((__m256i *)(void *)(ret + i), ymm_sum(r, c01, c23));
    }
    body_taps(from, c, i, n, ret);
}

#endif
