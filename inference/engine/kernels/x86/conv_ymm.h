/*
 * Convolution on 256-bit vectors of 8 output channels. The including file defines TF_CONV_NAME, VEC_DOT and
 * ROWS_MOST_2: how many pixels a tile of two vectors holds before registers run out.
 */
#include <immintrin.h>
#include <string.h>

static inline __m256i broadcast4(const void *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return _mm256_set1_epi32(v);
}

#define VEC __m256i
#define LANES 8
#define VEC_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define VEC_BROADCAST(p) broadcast4(p)
#define VEC_ADD(a, b) _mm256_add_epi32(a, b)
#define VEC_ZERO _mm256_setzero_si256()
#include "inference/engine/kernels/x86/tile.h"
#include "inference/engine/kernels/x86/clamp.h"

struct limits {
    __m256i zp16, lo8, hi8;
    __m256 hi;
};

/* float(acc) * scale; with CLAMP_ANY not above hi: the packs that follow saturate below. */
TF_ALWAYS_INLINE __m256i scaled(__m256i acc, __m256 scale, const struct limits *k, const enum clamp clamp)
{
    __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), scale);

    return _mm256_cvtps_epi32(clamp == CLAMP_ANY ? _mm256_min_ps(v, k->hi) : v);
}

/* Four vectors to 32 bytes in their order. Saturation to u8 stands for the clamp. */
TF_ALWAYS_INLINE __m256i to_bytes(__m256i v0, __m256i v1, __m256i v2, __m256i v3, const struct limits *k,
                                  const enum clamp clamp)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i a = _mm256_packs_epi32(v0, v1), b = _mm256_packs_epi32(v2, v3);

    if (clamp != CLAMP_PLAIN) {
        a = _mm256_adds_epi16(a, k->zp16);
        b = _mm256_adds_epi16(b, k->zp16);
    }
    a = _mm256_packus_epi16(a, b);
    if (clamp != CLAMP_PLAIN)
        a = _mm256_max_epu8(a, k->lo8);
    if (clamp == CLAMP_BOUNDED)
        a = _mm256_min_epu8(a, k->hi8);
    return _mm256_permutevar8x32_epi32(a, order);
}

/* n of 8 or 16 bytes; the last vector of a panel may be partly used. */
static inline void store16(uint8_t *out, __m128i v, int n)
{
    if (n == 16) {
        _mm_storeu_si128((__m128i *)(void *)out, v);
    } else if (n == 8) {
        _mm_storel_epi64((__m128i *)(void *)out, v);
    } else {
        uint8_t bytes[16];

        _mm_storeu_si128((__m128i *)(void *)bytes, v);
        memcpy(out, bytes, (size_t)n);
    }
}

/* Two pixels of two vectors, or four pixels of one, at once; what a last group lacks is computed with its
 * first. Those that fill a vector and lie in one piece are written at once. */
TF_ALWAYS_INLINE void store(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                            int rows, const __m256i *acc, const int nv, const enum clamp clamp)
{
    const struct limits k = {
        .zp16 = _mm256_set1_epi16((short)args->q.zp),
        .lo8 = _mm256_set1_epi8((char)((int32_t)args->q.lo + args->q.zp)),
        .hi8 = _mm256_set1_epi8((char)((int32_t)args->q.hi + args->q.zp)),
        .hi = _mm256_set1_ps(args->q.hi),
    };
    const int32_t *off = args->out_off + m;
    uint8_t *out = args->out + panel->oc;
    const int n = panel->n;
    const __m256 s0 = _mm256_loadu_ps(panel->scale);
    const __m256 s1 = nv > 1 ? _mm256_loadu_ps(panel->scale + 8) : s0;

    if (nv == 2) {
        for (int i = 0; i < rows; i += 2, acc += 4) {
            const __m256i *second = i + 1 < rows ? acc + 2 : acc;
            __m256i b =
                to_bytes(scaled(acc[0], s0, &k, clamp), scaled(acc[1], s1, &k, clamp),
                         scaled(second[0], s0, &k, clamp), scaled(second[1], s1, &k, clamp), &k, clamp);
            if (i + 1 < rows && n == 16 && off[i + 1] - off[i] == 16) {
                _mm256_storeu_si256((__m256i *)(void *)(out + off[i]), b);
                continue;
            }
            store16(out + off[i], _mm256_castsi256_si128(b), n);
            if (i + 1 < rows)
                store16(out + off[i + 1], _mm256_extracti128_si256(b, 1), n);
        }
    } else {
        for (int i = 0; i < rows; i += 4, acc += 4) {
            const int left = rows - i;
            __m256i b = to_bytes(scaled(acc[0], s0, &k, clamp), scaled(acc[left > 1 ? 1 : 0], s0, &k, clamp),
                                 scaled(acc[left > 2 ? 2 : 0], s0, &k, clamp),
                                 scaled(acc[left > 3 ? 3 : 0], s0, &k, clamp), &k, clamp);
            __m128i low = _mm256_castsi256_si128(b), high = _mm256_extracti128_si256(b, 1);

            if (left > 3 && n == 8 && off[i + 1] - off[i] == 8 && off[i + 2] - off[i] == 16 &&
                off[i + 3] - off[i] == 24) {
                _mm256_storeu_si256((__m256i *)(void *)(out + off[i]), b);
                continue;
            }
            store16(out + off[i], low, n);
            if (left > 1)
                store16(out + off[i + 1], _mm_unpackhi_epi64(low, low), n);
            if (left > 2)
                store16(out + off[i + 2], high, n);
            if (left > 3)
                store16(out + off[i + 3], _mm_unpackhi_epi64(high, high), n);
        }
    }
}

TF_STORE(1)
TF_STORE(2)

static __attribute__((noinline)) void store_residual(const struct tf_conv_args *args,
                                                     const struct tf_conv_panel *panel, int m, int rows,
                                                     const __m256i *acc, int nv)
{
    const struct tf_conv_residual *r = args->residual;
    const __m256 lo = _mm256_set1_ps(args->q.lo), hi = _mm256_set1_ps(args->q.hi),
                 r_lo = _mm256_set1_ps(r->q.lo), r_hi = _mm256_set1_ps(r->q.hi),
                 ca = _mm256_set1_ps(r->conv_ratio), cb = _mm256_set1_ps(r->in_ratio);
    const __m256i za = _mm256_set1_epi32(args->q.zp - r->conv_zp), zb = _mm256_set1_epi32(r->in_zp),
                  zo = _mm256_set1_epi32(r->q.zp);

    for (int j = 0; j < nv; j++) {
        const __m256 scale = _mm256_loadu_ps(panel->scale + LANES * j);
        const int n = panel->n - LANES * j < LANES ? panel->n - LANES * j : LANES;

        for (int i = 0; i < rows; i++) {
            const int at = panel->oc + LANES * j;
            const uint8_t *in = r->in + r->off[m + i] + at;
            __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[i * nv + j]), scale);
            __m256i a = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, lo), hi));
            __m128i in8 = _mm_setzero_si128();
            __m256 x, y, s;
            __m256i t;

            if (n == LANES)
                in8 = _mm_loadl_epi64((const __m128i *)(const void *)in);
            else
                memcpy(&in8, in, (size_t)n);
            x = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(a, za)), ca);
            y = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepu8_epi32(in8), zb)), cb);
            s = _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(x, y), r_lo), r_hi);
            t = _mm256_add_epi32(_mm256_cvtps_epi32(s), zo);
            t = _mm256_packus_epi16(_mm256_packs_epi32(t, t), t);
            store16(args->out + args->out_off[m + i] + at,
                    _mm_unpacklo_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1)), n);
        }
    }
}

/* clang-format off */
LINE(1, 4) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1)
LINE(2, 4) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2)
#if ROWS_MOST_2 > 5
TILE(6, 2)
#endif
static const tile_fn tiles[2][8] = {
    {run_1x1, run_2x1, run_3x1, run_4x1, run_5x1, run_6x1, run_7x1, run_8x1},
    {run_1x2, run_2x2, run_3x2, run_4x2, run_5x2,
#if ROWS_MOST_2 > 5
     run_6x2,
#endif
    },
};
/* clang-format on */

void TF_CONV_NAME(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    for (int p = panel0; p < panel1; p++) {
        const struct tf_conv_panel *panel = &args->panels[p];
        const int nv = (panel->n + LANES - 1) / LANES, most = nv == 1 ? 8 : ROWS_MOST_2;

        /* Tiles of nearly equal height: a tile of one pixel waits for its own sums. */
        for (int m = m0, left = (m1 - m0 + most - 1) / most; left > 0; left--) {
            const int rows = (m1 - m + left - 1) / left;
            tiles[nv - 1][rows - 1](args, panel, m);
            m += rows;
        }
    }
}
