/* Requantisation in AVX-512 registers: sums of 32 bits to u8, as tf_round_u8 does it. */
#ifndef TF_INFERENCE_ENGINE_KERNELS_X86_ROUND_ZMM_H
#define TF_INFERENCE_ENGINE_KERNELS_X86_ROUND_ZMM_H

#include <immintrin.h>
#include <stdbool.h>

#include "inference/engine/kernels/x86/clamp.h"

struct limits {
    __m512i zp16, lo8, hi8;
    __m512 hi;
};

static inline struct limits limits_of(const struct tf_requant *q)
{
    return (struct limits){
        .zp16 = _mm512_set1_epi16((short)q->zp),
        .lo8 = _mm512_set1_epi8((char)((int32_t)q->lo + q->zp)),
        .hi8 = _mm512_set1_epi8((char)((int32_t)q->hi + q->zp)),
        .hi = _mm512_set1_ps(q->hi),
    };
}

/* float(acc) * scale; with CLAMP_ANY not above hi: the packs that follow saturate below. */
TF_ALWAYS_INLINE __m512i scaled(__m512i acc, __m512 scale, const struct limits *k, const enum clamp clamp)
{
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale);

    return _mm512_cvtps_epi32(clamp == CLAMP_ANY ? _mm512_min_ps(v, k->hi) : v);
}

/* Four vectors of 32-bit values to 64 bytes, by 128-bit lanes. Saturation to u8 stands for the clamp. */
TF_ALWAYS_INLINE __m512i narrowed(__m512i v0, __m512i v1, __m512i v2, __m512i v3, const struct limits *k,
                                  const enum clamp clamp)
{
    __m512i a = _mm512_packs_epi32(v0, v1), b = _mm512_packs_epi32(v2, v3);

    if (clamp == CLAMP_PLAIN)
        return _mm512_packus_epi16(a, b);
    a = _mm512_packus_epi16(_mm512_adds_epi16(a, k->zp16), _mm512_adds_epi16(b, k->zp16));
    a = _mm512_max_epu8(a, k->lo8);
    return clamp == CLAMP_BOUNDED ? _mm512_min_epu8(a, k->hi8) : a;
}

#endif
