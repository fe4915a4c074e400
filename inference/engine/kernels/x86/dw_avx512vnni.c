/*
 * Depthwise convolution, AVX512-VNNI. Four taps are interleaved byte by byte, so that vpdpbusd sums them for
 * 16 channels at once; 64 channels go through all pixels before the next 64, with their weights interleaved
 * once.
 */
#include <immintrin.h>
#include <string.h>

#include "inference/engine/kernels/kernels.h"
#include "inference/engine/kernels/x86/round_zmm.h"

#define TAPS_MAX 64

/* Bytes of four vectors: out[k] holds channels 16L + 4k … 16L + 4k + 3 in 128-bit lane L, four taps each. */
TF_ALWAYS_INLINE void interleave(__m512i t0, __m512i t1, __m512i t2, __m512i t3, __m512i out[4])
{
    const __m512i a = _mm512_unpacklo_epi8(t0, t1), b = _mm512_unpackhi_epi8(t0, t1),
                  c = _mm512_unpacklo_epi8(t2, t3), d = _mm512_unpackhi_epi8(t2, t3);

    out[0] = _mm512_unpacklo_epi16(a, c);
    out[1] = _mm512_unpackhi_epi16(a, c);
    out[2] = _mm512_unpacklo_epi16(b, d);
    out[3] = _mm512_unpackhi_epi16(b, d);
}

/* 64 values of 32 bits in the order of interleave's vectors; of 64 / pixels, each pixel has its own copy. */
static inline __m512i lanes_of(const void *values, int k, int pixels)
{
    const char *p = (const char *)values + 16 * k;
    const int lanes = 4 / pixels; /* 16 channels each */
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)p));

    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 64 * (1 % lanes))), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 64 * (2 % lanes))), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 64 * (3 % lanes))), 3);
}

/* 64 / pixels weights, once for each pixel. */
static inline __m512i repeated(const int8_t *w, int pixels)
{
    if (pixels == 4)
        return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)w));
    if (pixels == 2)
        return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)w));
    return _mm512_loadu_si512(w);
}

/*
 * `pixels` neighbours at once: 1, or 2 or 4 of 32 or 16 channels that lie side by side in both pictures
 * (stride 1), which fill the vector that one pixel would leave mostly empty.
 */
TF_ALWAYS_INLINE void channels64(const struct tf_dw_args *args, int y0, int y1, int c0,
                                 const ptrdiff_t *tap_off, const int taps, const int pixels,
                                 const enum clamp clamp)
{
    const int groups = (taps + 3) / 4;
    /* width: in bytes of the vectors that a row takes. */
    const int left = args->channels - c0, width = args->width * (64 / pixels);
    const __mmask64 mask = left >= 64 ? ~0ull : ~0ull >> (64 - left);
    const __m512i zero = _mm512_setzero_si512();
    const struct limits limits = limits_of(&args->q);
    __m512i w[TAPS_MAX / 4][4], bias[4];
    __m512 scale[4];

    for (int g = 0; g < groups; g++) {
        __m512i t[4];
        for (int i = 0; i < 4; i++) {
            const int tap = 4 * g + i;
            t[i] = tap < taps ? repeated(args->w + (size_t)tap * (size_t)args->w_pitch + c0, pixels) : zero;
        }
        interleave(t[0], t[1], t[2], t[3], w[g]);
    }
    for (int k = 0; k < 4; k++) {
        bias[k] = lanes_of(args->bias + c0, k, pixels);
        scale[k] = _mm512_castsi512_ps(lanes_of(args->scale + c0, k, pixels));
    }
    for (int y = y0; y < y1; y++) {
        const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row + c0;
        uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + c0;
        const ptrdiff_t step = pixels == 1 ? (ptrdiff_t)args->stride_w * args->in_pixel : 64,
                        out_step = pixels == 1 ? args->out_pixel : 64;

        for (int x = 0; x < width; x += 64, in += step, out += out_step) {
            __m512i s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3], a;

            for (int g = 0; g < groups; g++) {
                const ptrdiff_t *t = tap_off + 4 * g;
                __m512i v[4];

                interleave(_mm512_loadu_si512(in + t[0]), _mm512_loadu_si512(in + t[1]),
                           _mm512_loadu_si512(in + t[2]), _mm512_loadu_si512(in + t[3]), v);
                s0 = _mm512_dpbusd_epi32(s0, v[0], w[g][0]);
                s1 = _mm512_dpbusd_epi32(s1, v[1], w[g][1]);
                s2 = _mm512_dpbusd_epi32(s2, v[2], w[g][2]);
                s3 = _mm512_dpbusd_epi32(s3, v[3], w[g][3]);
            }
            a = narrowed(scaled(s0, scale[0], &limits, clamp), scaled(s1, scale[1], &limits, clamp),
                         scaled(s2, scale[2], &limits, clamp), scaled(s3, scale[3], &limits, clamp), &limits,
                         clamp);
            if (pixels == 1)
                _mm512_mask_storeu_epi8(out, mask, a);
            else
                _mm512_mask_storeu_epi8(out, x + 64 <= width ? ~0ull : ~0ull >> (64 - (width - x)), a);
        }
    }
}

/* sums + the products of an interleaved column and the weights it meets. */
TF_ALWAYS_INLINE void dot4(__m512i sums[4], const __m512i from[4], const __m512i v[4], const __m512i w[4])
{
    for (int k = 0; k < 4; k++)
        sums[k] = _mm512_dpbusd_epi32(from[k], v[k], w[k]);
}

/*
 * 3x3 with neighbouring columns: three pixels of a column are interleaved once, and meet the weights of every
 * output that they belong to: three of them at stride 1, one or two at stride 2.
 */
TF_ALWAYS_INLINE void columns64(const struct tf_dw_args *args, int y0, int y1, int c0, const int stride,
                                const enum clamp clamp)
{
    const int left = args->channels - c0;
    const __mmask64 mask = left >= 64 ? ~0ull : ~0ull >> (64 - left);
    const ptrdiff_t row = (ptrdiff_t)args->dilation_h * args->in_row, pixel = args->in_pixel;
    const __m512i zero = _mm512_setzero_si512();
    const struct limits limits = limits_of(&args->q);
    __m512i w[3][4], bias[4];
    __m512 scale[4];

    for (int x = 0; x < 3; x++) {
        const int8_t *at = args->w + (ptrdiff_t)x * args->w_pitch + c0;
        interleave(_mm512_loadu_si512(at), _mm512_loadu_si512(at + 3 * (ptrdiff_t)args->w_pitch),
                   _mm512_loadu_si512(at + 6 * (ptrdiff_t)args->w_pitch), zero, w[x]);
    }
    for (int k = 0; k < 4; k++) {
        bias[k] = lanes_of(args->bias + c0, k, 1);
        scale[k] = _mm512_castsi512_ps(lanes_of(args->scale + c0, k, 1));
    }
#define COLUMN()                                                                                             \
    interleave(_mm512_loadu_si512(in), _mm512_loadu_si512(in + row), _mm512_loadu_si512(in + 2 * row), zero, \
               v);                                                                                           \
    in += pixel
    for (int y = y0; y < y1; y++) {
        const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row + c0;
        uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + c0;
        __m512i v[4], sums[4], next[4]; /* of the output at hand and of the one after */

        COLUMN();
        dot4(sums, bias, v, w[0]);
        if (stride == 1) {
            COLUMN();
            dot4(sums, sums, v, w[1]);
            dot4(next, bias, v, w[0]);
        }
        for (int x = 0; x < args->width; x++, out += args->out_pixel) {
            if (stride == 2) {
                COLUMN();
                dot4(sums, sums, v, w[1]);
            }
            COLUMN();
            dot4(sums, sums, v, w[2]);
            _mm512_mask_storeu_epi8(out, mask,
                                    narrowed(scaled(sums[0], scale[0], &limits, clamp),
                                             scaled(sums[1], scale[1], &limits, clamp),
                                             scaled(sums[2], scale[2], &limits, clamp),
                                             scaled(sums[3], scale[3], &limits, clamp), &limits, clamp));
            if (stride == 1) {
                dot4(sums, next, v, w[1]);
                dot4(next, bias, v, w[0]);
            } else {
                dot4(sums, bias, v, w[0]);
            }
        }
    }
#undef COLUMN
}

/* One copy for each clamp. */
#define VARIANT(name, body, ...)                                                                             \
    static __attribute__((noinline)) void name(const struct tf_dw_args *args, int y0, int y1, int c0,        \
                                               const ptrdiff_t *tap_off, enum clamp clamp)                   \
    {                                                                                                        \
        if (clamp == CLAMP_PLAIN)                                                                            \
            body(args, y0, y1, c0, __VA_ARGS__, CLAMP_PLAIN);                                                \
        else if (clamp == CLAMP_BOUNDED)                                                                     \
            body(args, y0, y1, c0, __VA_ARGS__, CLAMP_BOUNDED);                                              \
        else                                                                                                 \
            body(args, y0, y1, c0, __VA_ARGS__, CLAMP_ANY);                                                  \
    }
VARIANT(columns, columns64, 1)
VARIANT(columns_2, columns64, 2)
VARIANT(three_by_three, channels64, tap_off, 9, 1)
VARIANT(three_by_three_32, channels64, tap_off, 9, 2)
VARIANT(three_by_three_16, channels64, tap_off, 9, 4)
VARIANT(five_by_five, channels64, tap_off, 25, 1)
VARIANT(any, channels64, tap_off, args->kh * args->kw, 1)

static bool bounded(const struct tf_dw_args *args)
{
    __mmask16 beyond = 0;

    for (int c = 0; c < args->w_pitch; c += 16)
        beyond |= _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_loadu_ps(args->scale + c)), _mm512_set1_ps(1.0f),
                                     _CMP_NLT_UQ);
    return !beyond;
}

void tf_dw_avx512vnni(const struct tf_dw_args *args, int y0, int y1)
{
    const int taps = args->kh * args->kw;
    const bool side_by_side = args->stride_w == 1 && args->in_pixel == args->channels &&
                              args->out_pixel == args->channels,
               square = args->kh == 3 && args->kw == 3;
    const enum clamp clamp = clamp_of(&args->q, bounded(args));
    ptrdiff_t tap_off[TAPS_MAX];

    if (taps > TAPS_MAX) {
        tf_dw_generic(args, y0, y1);
        return;
    }
    for (int t = 0; t < taps; t++)
        tap_off[t] = (ptrdiff_t)(t / args->kw) * args->dilation_h * args->in_row +
                     (ptrdiff_t)(t % args->kw) * args->dilation_w * args->in_pixel;
    /* The last group's missing taps read the last one again, times 0. */
    for (int t = taps; t % 4; t++)
        tap_off[t] = tap_off[taps - 1];
    if (square && side_by_side && args->channels == 16) {
        three_by_three_16(args, y0, y1, 0, tap_off, clamp);
        return;
    }
    if (square && side_by_side && args->channels == 32) {
        three_by_three_32(args, y0, y1, 0, tap_off, clamp);
        return;
    }
    for (int c0 = 0; c0 < args->channels; c0 += 64) {
        if (square && args->dilation_w == 1 && args->stride_w == 1)
            columns(args, y0, y1, c0, tap_off, clamp);
        else if (square && args->dilation_w == 1 && args->stride_w == 2)
            columns_2(args, y0, y1, c0, tap_off, clamp);
        else if (taps == 9)
            three_by_three(args, y0, y1, c0, tap_off, clamp);
        else if (taps == 25)
            five_by_five(args, y0, y1, c0, tap_off, clamp);
        else
            any(args, y0, y1, c0, tap_off, clamp);
    }
}
