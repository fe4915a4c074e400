/* Depthwise convolution, AVX-VNNI: vpdpbusd sums four taps. */
#include <immintrin.h>

#define TF_DW_NAME tf_dw_avxvnni

struct weights {
    __m256i v;
};

static inline struct weights weights_of(__m256i bytes)
{
    return (struct weights){bytes};
}

static inline __m256i dot(__m256i acc, __m256i bytes, const struct weights *w)
{
    return _mm256_dpbusd_avx_epi32(acc, bytes, w->v);
}

#include "inference/engine/kernels/x86/dw_ymm.h"
