/* Element by element, AVX2: eight 32-bit values at a time, the arithmetic of generic.c operation for
 * operation. */
#include <immintrin.h>
#include <string.h>

#include "inference/engine/kernels/x86/x86.h"

#define STEP 8

struct round {
    __m256 lo, hi;
    __m256i zp;
};

static inline struct round round_of(const struct tf_requant *q)
{
    return (struct round){_mm256_set1_ps(q->lo), _mm256_set1_ps(q->hi), _mm256_set1_epi32(q->zp)};
}

/* rint(clamp(v)) + zp as eight bytes: as the conversion follows the clamp, it cannot overflow, and rounds
 * ties to even. */
static inline __m128i rounded(__m256 v, const struct round *q)
{
    __m256i i = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, q->lo), q->hi));

    i = _mm256_add_epi32(i, q->zp);
    i = _mm256_packus_epi16(_mm256_packs_epi32(i, i), i);
    return _mm_unpacklo_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
}

static inline void store8(uint8_t *out, __m128i v)
{
    _mm_storel_epi64((__m128i *)(void *)out, v);
}

static inline __m256i load8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline __m256 centred(const uint8_t *p, __m256i zp)
{
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(load8(p), zp));
}

void tf_add_avx2(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out, size_t n)
{
    const struct round q = round_of(&args->q);
    const __m256i za = _mm256_set1_epi32(args->a_zp), zb = _mm256_set1_epi32(args->b_zp);
    const __m256 ra = _mm256_set1_ps(args->a_ratio), rb = _mm256_set1_ps(args->b_ratio);
    size_t i = 0;

    for (; i + STEP <= n; i += STEP) {
        __m256 x = _mm256_mul_ps(centred(a + i, za), ra), y = _mm256_mul_ps(centred(b + i, zb), rb);
        store8(out + i, rounded(_mm256_add_ps(x, y), &q));
    }
    tf_add_generic(args, a + i, b + i, out + i, n - i);
}

void tf_mul_avx2(const struct tf_mul_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out, size_t n)
{
    const struct round q = round_of(&args->q);
    const __m256i za = _mm256_set1_epi32(args->a_zp), zb = _mm256_set1_epi32(args->b_zp);
    const __m256 ratio = _mm256_set1_ps(args->ratio);
    size_t i = 0;

    for (; i + STEP <= n; i += STEP) {
        __m256i p =
            _mm256_mullo_epi32(_mm256_sub_epi32(load8(a + i), za), _mm256_sub_epi32(load8(b + i), zb));
        store8(out + i, rounded(_mm256_mul_ps(_mm256_cvtepi32_ps(p), ratio), &q));
    }
    tf_mul_generic(args, a + i, b + i, out + i, n - i);
}

void tf_max_avx2(const uint8_t *const *taps, int count, uint8_t *out, size_t n)
{
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i m = _mm256_loadu_si256((const __m256i *)(const void *)(taps[0] + i));
        for (int t = 1; t < count; t++)
            m = _mm256_max_epu8(m, _mm256_loadu_si256((const __m256i *)(const void *)(taps[t] + i)));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), m);
    }
    for (; i + 8 <= n; i += 8) {
        __m128i m = _mm_loadl_epi64((const __m128i *)(const void *)(taps[0] + i));
        for (int t = 1; t < count; t++)
            m = _mm_max_epu8(m, _mm_loadl_epi64((const __m128i *)(const void *)(taps[t] + i)));
        store8(out + i, m);
    }
    for (; i < n; i++) {
        uint8_t m = taps[0][i];
        for (int t = 1; t < count; t++)
            m = taps[t][i] > m ? taps[t][i] : m;
        out[i] = m;
    }
}

void tf_avg_avx2(const struct tf_avg_args *args, const uint8_t *const *taps, int count, uint8_t *out,
                 size_t n)
{
    const struct round q = round_of(&args->q);
    const __m256i zp = _mm256_set1_epi32(args->in_zp);
    const __m256 scale = _mm256_set1_ps(args->in_scale), divisor = _mm256_set1_ps(args->divisor),
                 out_scale = _mm256_set1_ps(args->out_scale);

    for (size_t i = 0; i < n; i += STEP) {
        uint8_t bytes[STEP];
        __m256 sum = _mm256_setzero_ps();

        /* The last step reads on (TF_OVERREAD) and keeps what it needs. */
        for (int t = 0; t < count; t++)
            sum = _mm256_add_ps(sum, _mm256_mul_ps(centred(taps[t] + i, zp), scale));
        store8(bytes, rounded(_mm256_div_ps(_mm256_div_ps(sum, divisor), out_scale), &q));
        memcpy(out + i, bytes, n - i < STEP ? n - i : STEP);
    }
}

void tf_gap_avx2(const struct tf_gap_args *args, const uint8_t *in, uint8_t *out, int c0, int c1)
{
    const struct round q = round_of(&args->q);
    const __m256i offset = _mm256_set1_epi32(args->height * args->width * args->in_zp);
    const __m256 scale = _mm256_set1_ps(args->scale);

    for (int c = c0; c < c1; c += STEP) {
        uint8_t bytes[STEP];
        __m256i sum = _mm256_setzero_si256();

        for (int y = 0; y < args->height; y++)
            for (int x = 0; x < args->width; x++)
                sum = _mm256_add_epi32(sum, load8(in + y * args->row + x * args->pixel + c));
        sum = _mm256_sub_epi32(sum, offset);
        store8(bytes, rounded(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale), &q));
        memcpy(out + c, bytes, (size_t)(c1 - c < STEP ? c1 - c : STEP));
    }
}

void tf_quantize_avx2(const struct tf_quantize_args *args, const float *in, uint8_t *out, size_t n)
{
    const struct round q = round_of(&args->q);
    const __m256 scale = _mm256_set1_ps(args->scale);
    size_t i = 0;

    /* maxps gives its second operand for a NaN in the first: lo, as the portable code does. */
    for (; i + STEP <= n; i += STEP)
        store8(out + i, rounded(_mm256_div_ps(_mm256_loadu_ps(in + i), scale), &q));
    tf_quantize_generic(args, in + i, out + i, n - i);
}

void tf_blend_avx2(const struct tf_blend_args *args, uint8_t *out, size_t n)
{
    const struct tf_blend_args k = *args;
    const __m256i w11 = _mm256_set1_epi32(k.wx * k.wy), w10 = _mm256_set1_epi32((2048 - k.wx) * k.wy),
                  w01 = _mm256_set1_epi32(k.wx * (2048 - k.wy)),
                  w00 = _mm256_set1_epi32((2048 - k.wx) * (2048 - k.wy)), half = _mm256_set1_epi32(1 << 21);
    size_t i = 0;

    for (; i + STEP <= n; i += STEP) {
        __m256i a = _mm256_add_epi32(_mm256_mullo_epi32(load8(k.p00 + i), w00),
                                     _mm256_mullo_epi32(load8(k.p01 + i), w01));
        __m256i b = _mm256_add_epi32(_mm256_mullo_epi32(load8(k.p10 + i), w10),
                                     _mm256_mullo_epi32(load8(k.p11 + i), w11));
        __m256i v = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(a, b), half), 22);

        v = _mm256_packus_epi16(_mm256_packus_epi32(v, v), v);
        store8(out + i, _mm_unpacklo_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
    }
    if (i < n) {
        const struct tf_blend_args rest = {k.p00 + i, k.p01 + i, k.p10 + i, k.p11 + i, k.wx, k.wy};
        tf_blend_generic(&rest, out + i, n - i);
    }
}

/*
 * A table of 256 bytes is sixteen of 16. For each, the index is turned so that only values of this sixteenth
 * stay below 16; the saturating addition sets the top bit of all others, and pshufb gives 0 for those.
 */
void tf_lut_avx2(const uint8_t table[256], const uint8_t *in, uint8_t *out, size_t n)
{
    const __m256i top = _mm256_set1_epi8(0x70);
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(in + i));
        __m256i sum = _mm256_setzero_si256();

        for (int k = 0; k < 16; k++) {
            const __m256i part =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(table + 16 * k)));
            const __m256i turned = _mm256_xor_si256(x, _mm256_set1_epi8((char)(k << 4)));
            sum = _mm256_or_si256(sum, _mm256_shuffle_epi8(part, _mm256_adds_epu8(turned, top)));
        }
        _mm256_storeu_si256((__m256i *)(void *)(out + i), sum);
    }
    tf_lut_generic(table, in + i, out + i, n - i);
}
