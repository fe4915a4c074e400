/*
 * Depthwise convolution on 256-bit vectors. Four taps are interleaved byte by byte and summed for 8 channels
 * at once; 32 channels go through all pixels before the next 32, with their weights interleaved once. The
 * including file defines TF_DW_NAME, struct weights (of 8 channels and four taps), weights_of(bytes) and
 * dot(acc, bytes, weights).
 */
#include <string.h>

#include "inference/engine/kernels/kernels.h"
#include "inference/engine/kernels/x86/x86.h"

#define TAPS_MAX 64

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Bytes of four vectors: out[k] holds channels 16L + 4k … 16L + 4k + 3 in 128-bit lane L, four taps each. */
TF_ALWAYS_INLINE void interleave(__m256i t0, __m256i t1, __m256i t2, __m256i t3, __m256i out[4])
{
    const __m256i a = _mm256_unpacklo_epi8(t0, t1), b = _mm256_unpackhi_epi8(t0, t1),
                  c = _mm256_unpacklo_epi8(t2, t3), d = _mm256_unpackhi_epi8(t2, t3);

    out[0] = _mm256_unpacklo_epi16(a, c);
    out[1] = _mm256_unpackhi_epi16(a, c);
    out[2] = _mm256_unpacklo_epi16(b, d);
    out[3] = _mm256_unpackhi_epi16(b, d);
}

/* 32 values of 32 bits in the order of interleave's vectors; of two pixels, each has its own copy of 16. */
static inline __m256i lanes_of(const void *values, int k, int pixels)
{
    const char *p = (const char *)values + 16 * k;

    return _mm256_loadu2_m128i((const __m128i *)(const void *)(pixels == 1 ? p + 64 : p),
                               (const __m128i *)(const void *)p);
}

/* 32 weights, or 16 once for each pixel. */
static inline __m256i repeated(const int8_t *w, int pixels)
{
    return pixels == 1 ? load(w)
                       : _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)w));
}

static inline void store32(uint8_t *out, __m256i v, int left)
{
    uint8_t bytes[32];

    if (left >= 32) {
        _mm256_storeu_si256((__m256i *)(void *)out, v);
    } else {
        _mm256_storeu_si256((__m256i *)(void *)bytes, v);
        memcpy(out, bytes, (size_t)left);
    }
}

#define SCALED(s, k) _mm256_cvtps_epi32(_mm256_min_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(s), scale[k]), hi))

/*
 * `pixels` neighbours at once: 1, or 2 of 16 channels that lie side by side in both pictures (stride 1),
 * which fill the vector that one pixel would leave half empty.
 */
TF_ALWAYS_INLINE void channels32(const struct tf_dw_args *args, int y0, int y1, int c0,
                                 const ptrdiff_t *tap_off, const int taps, const int pixels)
{
    const int groups = (taps + 3) / 4, width = args->width * (32 / pixels); /* width: in bytes of vectors */
    const __m256i zero = _mm256_setzero_si256(), zp16 = _mm256_set1_epi16((short)args->q.zp),
                  lo8 = _mm256_set1_epi8((char)((int32_t)args->q.lo + args->q.zp));
    const __m256 hi = _mm256_set1_ps(args->q.hi);
    struct weights w[TAPS_MAX / 4][4];
    __m256i bias[4];
    __m256 scale[4];

    for (int g = 0; g < groups; g++) {
        __m256i t[4], v[4];
        for (int i = 0; i < 4; i++) {
            const int tap = 4 * g + i;
            t[i] = tap < taps ? repeated(args->w + (size_t)tap * (size_t)args->w_pitch + c0, pixels) : zero;
        }
        interleave(t[0], t[1], t[2], t[3], v);
        for (int k = 0; k < 4; k++)
            w[g][k] = weights_of(v[k]);
    }
    for (int k = 0; k < 4; k++) {
        bias[k] = lanes_of(args->bias + c0, k, pixels);
        scale[k] = _mm256_castsi256_ps(lanes_of(args->scale + c0, k, pixels));
    }
    for (int y = y0; y < y1; y++) {
        const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row + c0;
        uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + c0;
        const ptrdiff_t step = pixels == 1 ? (ptrdiff_t)args->stride_w * args->in_pixel : 32,
                        out_step = pixels == 1 ? args->out_pixel : 32;

        for (int x = 0; x < width; x += 32, in += step, out += out_step) {
            const int left = pixels == 1 ? args->channels - c0 : width - x;
            __m256i s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3], a, b;

            for (int g = 0; g < groups; g++) {
                const ptrdiff_t *t = tap_off + 4 * g;
                __m256i v[4];

                interleave(load(in + t[0]), load(in + t[1]), load(in + t[2]), load(in + t[3]), v);
                s0 = dot(s0, v[0], &w[g][0]);
                s1 = dot(s1, v[1], &w[g][1]);
                s2 = dot(s2, v[2], &w[g][2]);
                s3 = dot(s3, v[3], &w[g][3]);
            }
            a = _mm256_adds_epi16(_mm256_packs_epi32(SCALED(s0, 0), SCALED(s1, 1)), zp16);
            b = _mm256_adds_epi16(_mm256_packs_epi32(SCALED(s2, 2), SCALED(s3, 3)), zp16);
            a = _mm256_max_epu8(_mm256_packus_epi16(a, b), lo8);
            store32(out, a, left);
        }
    }
}

/*
 * 3x3 with neighbouring columns: three pixels of a column are interleaved once, and meet the weights of every
 * output that they belong to: three of them at stride 1, one or two at stride 2.
 */
TF_ALWAYS_INLINE void columns32(const struct tf_dw_args *args, int y0, int y1, int c0, const int stride)
{
    const int left = args->channels - c0;
    const ptrdiff_t row = (ptrdiff_t)args->dilation_h * args->in_row, pixel = args->in_pixel;
    const __m256i zero = _mm256_setzero_si256(), zp16 = _mm256_set1_epi16((short)args->q.zp),
                  lo8 = _mm256_set1_epi8((char)((int32_t)args->q.lo + args->q.zp));
    const __m256 hi = _mm256_set1_ps(args->q.hi);
    struct weights w[3][4];
    __m256i bias[4];
    __m256 scale[4];

    for (int x = 0; x < 3; x++) {
        const int8_t *at = args->w + (ptrdiff_t)x * args->w_pitch + c0;
        __m256i v[4];

        interleave(load(at), load(at + 3 * (ptrdiff_t)args->w_pitch), load(at + 6 * (ptrdiff_t)args->w_pitch),
                   zero, v);
        for (int k = 0; k < 4; k++)
            w[x][k] = weights_of(v[k]);
    }
    for (int k = 0; k < 4; k++) {
        bias[k] = lanes_of(args->bias + c0, k, 1);
        scale[k] = _mm256_castsi256_ps(lanes_of(args->scale + c0, k, 1));
    }
#define COLUMN()                                                                                             \
    interleave(load(in), load(in + row), load(in + 2 * row), zero, v);                                       \
    in += pixel
#define DOT4(to, from, x)                                                                                    \
    for (int k = 0; k < 4; k++)                                                                              \
    to[k] = dot(from[k], v[k], &w[x][k])
    for (int y = y0; y < y1; y++) {
        const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row + c0;
        uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + c0;
        __m256i v[4], sums[4], next[4]; /* of the output at hand and of the one after */

        COLUMN();
        DOT4(sums, bias, 0);
        if (stride == 1) {
            COLUMN();
            DOT4(sums, sums, 1);
            DOT4(next, bias, 0);
        }
        for (int x = 0; x < args->width; x++, out += args->out_pixel) {
            __m256i a, b;

            if (stride == 2) {
                COLUMN();
                DOT4(sums, sums, 1);
            }
            COLUMN();
            DOT4(sums, sums, 2);
            a = _mm256_adds_epi16(_mm256_packs_epi32(SCALED(sums[0], 0), SCALED(sums[1], 1)), zp16);
            b = _mm256_adds_epi16(_mm256_packs_epi32(SCALED(sums[2], 2), SCALED(sums[3], 3)), zp16);
            store32(out, _mm256_max_epu8(_mm256_packus_epi16(a, b), lo8), left);
            if (stride == 1) {
                DOT4(sums, next, 1);
                DOT4(next, bias, 0);
            } else {
                DOT4(sums, bias, 0);
            }
        }
    }
#undef COLUMN
#undef DOT4
}

static void columns32_1(const struct tf_dw_args *args, int y0, int y1, int c0)
{
    columns32(args, y0, y1, c0, 1);
}

static void columns32_2(const struct tf_dw_args *args, int y0, int y1, int c0)
{
    columns32(args, y0, y1, c0, 2);
}

static void channels32_3x3(const struct tf_dw_args *args, int y0, int y1, int c0, const ptrdiff_t *tap_off)
{
    channels32(args, y0, y1, c0, tap_off, 9, 1);
}

static void channels16_3x3(const struct tf_dw_args *args, int y0, int y1, int c0, const ptrdiff_t *tap_off)
{
    channels32(args, y0, y1, c0, tap_off, 9, 2);
}

static void channels32_5x5(const struct tf_dw_args *args, int y0, int y1, int c0, const ptrdiff_t *tap_off)
{
    channels32(args, y0, y1, c0, tap_off, 25, 1);
}

static __attribute__((noinline)) void channels32_any(const struct tf_dw_args *args, int y0, int y1, int c0,
                                                     const ptrdiff_t *tap_off)
{
    channels32(args, y0, y1, c0, tap_off, args->kh * args->kw, 1);
}

void TF_DW_NAME(const struct tf_dw_args *args, int y0, int y1)
{
    const int taps = args->kh * args->kw;
    const bool square = args->kh == 3 && args->kw == 3;
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
    if (square && args->channels == 16 && args->stride_w == 1 && args->in_pixel == 16 &&
        args->out_pixel == 16) {
        channels16_3x3(args, y0, y1, 0, tap_off);
        return;
    }
    for (int c0 = 0; c0 < args->channels; c0 += 32) {
        if (square && args->dilation_w == 1 && args->stride_w == 1)
            columns32_1(args, y0, y1, c0);
        else if (square && args->dilation_w == 1 && args->stride_w == 2)
            columns32_2(args, y0, y1, c0);
        else if (taps == 9)
            channels32_3x3(args, y0, y1, c0, tap_off);
        else if (taps == 25)
            channels32_5x5(args, y0, y1, c0, tap_off);
        else
            channels32_any(args, y0, y1, c0, tap_off);
    }
}
