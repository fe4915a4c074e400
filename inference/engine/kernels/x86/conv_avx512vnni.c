/*
 * Convolution, AVX512-VNNI: tiles of pixels by vectors of 16 output channels, accumulators in registers.
 *
 * An entry costs a load per vector and a broadcast per pixel for (pixels x vectors) vpdpbusd. The tile
 * heights below keep both load ports less busy than the two multiply ports, and leave more than the ten
 * independent chains that hide vpdpbusd's latency.
 */
#include <immintrin.h>
#include <string.h>

static inline __m512i broadcast4(const void *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return _mm512_set1_epi32(v);
}

#define VEC __m512i
#define LANES 16
#define VEC_LOAD(p) _mm512_loadu_si512(p)
#define VEC_BROADCAST(p) broadcast4(p)
#define VEC_DOT(acc, a, w) _mm512_dpbusd_epi32(acc, a, w)
#include "inference/engine/kernels/x86/tile.h"
#include "inference/engine/kernels/x86/x86.h"

#define ROWS_MAX 14

/* float(acc) * scale, not above hi; the packs that follow saturate below. */
static inline __m512i scaled(__m512i acc, __m512 scale, __m512 hi)
{
    return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale), hi));
}

struct limits {
    __m512i zp16, lo8;
    __m512 hi;
};

/* Four vectors to 64 bytes in their order. Saturation to u8 and the maximum with lo stand for the clamp. */
static inline __m512i to_bytes(__m512i v0, __m512i v1, __m512i v2, __m512i v3, const struct limits *k)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i a = _mm512_adds_epi16(_mm512_packs_epi32(v0, v1), k->zp16);
    __m512i b = _mm512_adds_epi16(_mm512_packs_epi32(v2, v3), k->zp16);

    return _mm512_permutexvar_epi32(order, _mm512_max_epu8(_mm512_packus_epi16(a, b), k->lo8));
}

/* One pixel after the other where a pixel has three or four vectors, two or four pixels at once where it has
 * fewer. */
TF_ALWAYS_INLINE void store(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                            int rows, const __m512i *acc, const int nv)
{
    const struct limits k = {
        .zp16 = _mm512_set1_epi16((short)args->q.zp),
        .lo8 = _mm512_set1_epi8((char)((int32_t)args->q.lo + args->q.zp)),
        .hi = _mm512_set1_ps(args->q.hi),
    };
    const __mmask64 mask = ~0ull >> (64 - panel->n);
    const int32_t *off = args->out_off + m;
    uint8_t *out = args->out + panel->oc;
    const __m512 s0 = _mm512_loadu_ps(panel->scale);
    const __m512 s1 = nv > 1 ? _mm512_loadu_ps(panel->scale + 16) : s0;
    const __m512 s2 = nv > 2 ? _mm512_loadu_ps(panel->scale + 32) : s0;
    const __m512 s3 = nv > 3 ? _mm512_loadu_ps(panel->scale + 48) : s0;

    if (nv >= 3) {
        for (int i = 0; i < rows; i++, acc += nv) {
            __m512i v2 = scaled(acc[2], s2, k.hi), v3 = nv > 3 ? scaled(acc[nv - 1], s3, k.hi) : v2;
            _mm512_mask_storeu_epi8(out + off[i], mask,
                                    to_bytes(scaled(acc[0], s0, k.hi), scaled(acc[1], s1, k.hi), v2, v3, &k));
        }
    } else if (nv == 2) {
        for (int i = 0; i < rows; i += 2, acc += 4) {
            /* An odd last pixel is computed with itself. */
            const __m512i *second = i + 1 < rows ? acc + 2 : acc;
            __m512i b = to_bytes(scaled(acc[0], s0, k.hi), scaled(acc[1], s1, k.hi),
                                 scaled(second[0], s0, k.hi), scaled(second[1], s1, k.hi), &k);
            _mm256_mask_storeu_epi8(out + off[i], (__mmask32)mask, _mm512_castsi512_si256(b));
            if (i + 1 < rows)
                _mm256_mask_storeu_epi8(out + off[i + 1], (__mmask32)mask, _mm512_extracti64x4_epi64(b, 1));
        }
    } else {
        for (int i = 0; i < rows; i += 4, acc += 4) {
            const int left = rows - i;
            __m512i b = to_bytes(scaled(acc[0], s0, k.hi), scaled(acc[left > 1 ? 1 : 0], s0, k.hi),
                                 scaled(acc[left > 2 ? 2 : 0], s0, k.hi),
                                 scaled(acc[left > 3 ? 3 : 0], s0, k.hi), &k);
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

/* One copy for each number of vectors, which all tile heights share. */
TF_STORE(1)
TF_STORE(2)
TF_STORE(3)
TF_STORE(4)

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

/* clang-format off */
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1)
TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1) TILE(13, 1) TILE(14, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(5, 3) TILE(6, 3) TILE(7, 3) TILE(8, 3)
TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)
    /* clang-format on */

    /* By vectors of the panel, then by pixels. */
    static const tile_fn tiles[4][ROWS_MAX] = {
        {run_1x1, run_2x1, run_3x1, run_4x1, run_5x1, run_6x1, run_7x1, run_8x1, run_9x1, run_10x1, run_11x1,
         run_12x1, run_13x1, run_14x1},
        {run_1x2, run_2x2, run_3x2, run_4x2, run_5x2, run_6x2, run_7x2, run_8x2, run_9x2, run_10x2, run_11x2,
         run_12x2},
        {run_1x3, run_2x3, run_3x3, run_4x3, run_5x3, run_6x3, run_7x3, run_8x3},
        {run_1x4, run_2x4, run_3x4, run_4x4, run_5x4, run_6x4},
};
static const int rows_most[4] = {14, 12, 8, 6};

void tf_conv_avx512vnni(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    for (int p = panel0; p < panel1; p++) {
        const struct tf_conv_panel *panel = &args->panels[p];
        const int nv = (panel->n + LANES - 1) / LANES, most = rows_most[nv - 1];

        /* Tiles of nearly equal height: 49 pixels as 5s and 6s, not as eight 6s and a slow 1. */
        for (int m = m0, left = (m1 - m0 + most - 1) / most; left > 0; left--) {
            const int rows = (m1 - m + left - 1) / left;
            tiles[nv - 1][rows - 1](args, panel, m);
            m += rows;
        }
    }
}
