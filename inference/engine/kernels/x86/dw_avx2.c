/* Depthwise convolution, AVX2: even and odd taps go through 16 bits separately, where vpmaddwd is exact. */
#include <immintrin.h>

#define TF_DW_NAME tf_dw_avx2

struct weights {
    __m256i even, odd;
};

static inline struct weights weights_of(__m256i bytes)
{
    return (struct weights){_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
}

static inline __m256i dot(__m256i acc, __m256i bytes, const struct weights *w)
{
    const __m256i even = _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF)), odd = _mm256_srli_epi16(bytes, 8);

    return _mm256_add_epi32(
        acc, _mm256_add_epi32(_mm256_madd_epi16(even, w->even), _mm256_madd_epi16(odd, w->odd)));
}

#include "inference/engine/kernels/x86/dw_ymm.h"
