/*
 * What becomes of a tile of accumulators in AVX-512 registers: requantised to u8, with or without a residual
 * Add, and written. VEC and LANES are as in tile.h.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "inference/engine/kernels/x86/clamp.h"
#include "inference/engine/kernels/x86/round_zmm.h"

/* The same in the order of the four vectors. */
TF_ALWAYS_INLINE __m512i to_bytes(__m512i v0, __m512i v1, __m512i v2, __m512i v3, const struct limits *k,
                                  const enum clamp clamp)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    return _mm512_permutexvar_epi32(order, narrowed(v0, v1, v2, v3, k, clamp));
}

/* One pixel after the other where a pixel has three or four vectors, two or four pixels at once where it has
 * fewer; those lie in one piece where their channels fill the vectors. */
TF_ALWAYS_INLINE void store(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                            int rows, const __m512i *acc, const int nv, const enum clamp clamp)
{
    const struct limits k = limits_of(&args->q);
    const int n = panel->n;
    const __mmask64 mask = ~0ull >> (64 - n);
    const int32_t *off = args->out_off + m;
    uint8_t *out = args->out + panel->oc;
    const __m512 s0 = _mm512_loadu_ps(panel->scale);
    const __m512 s1 = nv > 1 ? _mm512_loadu_ps(panel->scale + 16) : s0;
    const __m512 s2 = nv > 2 ? _mm512_loadu_ps(panel->scale + 32) : s0;
    const __m512 s3 = nv > 3 ? _mm512_loadu_ps(panel->scale + 48) : s0;

    if (nv >= 3) {
        for (int i = 0; i < rows; i++, acc += nv) {
            __m512i v2 = scaled(acc[2], s2, &k, clamp), v3 = nv > 3 ? scaled(acc[nv - 1], s3, &k, clamp) : v2;
            _mm512_mask_storeu_epi8(
                out + off[i], mask,
                to_bytes(scaled(acc[0], s0, &k, clamp), scaled(acc[1], s1, &k, clamp), v2, v3, &k, clamp));
        }
    } else if (nv == 2) {
        for (int i = 0; i < rows; i += 2, acc += 4) {
            /* An odd last pixel is computed with itself. */
            const __m512i *second = i + 1 < rows ? acc + 2 : acc;
            __m512i b =
                to_bytes(scaled(acc[0], s0, &k, clamp), scaled(acc[1], s1, &k, clamp),
                         scaled(second[0], s0, &k, clamp), scaled(second[1], s1, &k, clamp), &k, clamp);
            if (i + 1 < rows && n == 32 && off[i + 1] - off[i] == 32) {
                _mm512_storeu_si512(out + off[i], b);
                continue;
            }
            _mm256_mask_storeu_epi8(out + off[i], (__mmask32)mask, _mm512_castsi512_si256(b));
            if (i + 1 < rows)
                _mm256_mask_storeu_epi8(out + off[i + 1], (__mmask32)mask, _mm512_extracti64x4_epi64(b, 1));
        }
    } else {
        for (int i = 0; i < rows; i += 4, acc += 4) {
            const int left = rows - i;
            __m512i b = to_bytes(scaled(acc[0], s0, &k, clamp), scaled(acc[left > 1 ? 1 : 0], s0, &k, clamp),
                                 scaled(acc[left > 2 ? 2 : 0], s0, &k, clamp),
                                 scaled(acc[left > 3 ? 3 : 0], s0, &k, clamp), &k, clamp);
            if (left > 3 && n == 16 && off[i + 1] - off[i] == 16 && off[i + 2] - off[i] == 32 &&
                off[i + 3] - off[i] == 48) {
                _mm512_storeu_si512(out + off[i], b);
                continue;
            }
            _mm_mask_storeu_epi8(out + off[i], (__mmask16)mask, _mm512_castsi512_si128(b));
            if (left > 1)
                _mm_mask_storeu_epi8(out + off[i + 1], (__mmask16)mask, _mm512_extracti32x4_epi32(b, 1));
            if (left > 2)
                _mm_mask_storeu_epi8(out + off[i + 2], (__mmask16)mask, _mm512_extracti32x4_epi32(b, 2));
            if (left > 3)
                _mm_mask_storeu_epi8(out + off[i + 3], (__mmask16)mask, _mm512_extracti32x4_epi32(b, 3));
        }
    }
}

static __attribute__((noinline)) void store_residual(const struct tf_conv_args *args,
                                                     const struct tf_conv_panel *panel, int m, int rows,
                                                     const __m512i *acc, int nv)
{
    const struct tf_conv_residual *r = args->residual;
    const __m512 lo = _mm512_set1_ps(args->q.lo), hi = _mm512_set1_ps(args->q.hi),
                 r_lo = _mm512_set1_ps(r->q.lo), r_hi = _mm512_set1_ps(r->q.hi),
                 ca = _mm512_set1_ps(r->conv_ratio), cb = _mm512_set1_ps(r->in_ratio);
    const __m512i za = _mm512_set1_epi32(args->q.zp - r->conv_zp), zb = _mm512_set1_epi32(r->in_zp),
                  zo = _mm512_set1_epi32(r->q.zp);

    for (int j = 0; j < nv; j++) {
        const __m512 scale = _mm512_loadu_ps(panel->scale + LANES * j);
        const __mmask16 mask = (__mmask16)(~0ull >> (64 - panel->n) >> (LANES * j));

        for (int i = 0; i < rows; i++) {
            const int at = panel->oc + LANES * j;
            __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[i * nv + j]), scale);
            __m512i a = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, lo), hi));
            __m128i in8 = _mm_maskz_loadu_epi8(mask, r->in + r->off[m + i] + at);
            __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(a, za)), ca);
            __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(in8), zb)), cb);
            __m512 s = _mm512_min_ps(_mm512_max_ps(_mm512_add_ps(x, y), r_lo), r_hi);

            _mm_mask_storeu_epi8(args->out + args->out_off[m + i] + at, mask,
                                 _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(s), zo)));
        }
    }
}

TF_STORE(1)
TF_STORE(2)
