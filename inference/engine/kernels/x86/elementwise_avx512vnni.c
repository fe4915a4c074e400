/* Element by element, AVX-512: sixty-four bytes at a time, the arithmetic of generic.c operation for
 * operation. */
#include <immintrin.h>
#include <math.h>

#include "inference/engine/kernels/x86/round_zmm.h"

struct side {
    __m512 zp, ratio;
};

static inline struct side side_of(int32_t zp, float ratio)
{
    return (struct side){_mm512_set1_ps(0x1p23f + (float)zp), _mm512_set1_ps(ratio)};
}

/*
 * (float)(p[i] - zp) * ratio of 16 bytes: a byte under the bits of 2^23 is the float 2^23 + byte, from which
 * 2^23 + zp is taken exactly. The sixteen are in every quarter of the vector; each picks its four.
 */
TF_ALWAYS_INLINE __m512 centred(const uint8_t *p, const struct side *s)
{
    const __m512i all = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)p)),
                  pick = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                  power = _mm512_set1_epi32(0x4B000000);
    const __m512i v = _mm512_mask_shuffle_epi8(power, 0x1111111111111111ull, all, pick);

    return _mm512_mul_ps(_mm512_sub_ps(_mm512_castsi512_ps(v), s->zp), s->ratio);
}

TF_ALWAYS_INLINE void add(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                          size_t n, const enum clamp clamp)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const struct limits limits = limits_of(&args->q);
    const struct side sa = side_of(args->a_zp, args->a_ratio), sb = side_of(args->b_zp, args->b_ratio);

    for (size_t i = 0; i < n; i += 64) {
        __m512i v[4];

        for (int k = 0; k < 4; k++) {
            const __m512 sum = _mm512_add_ps(centred(a + i + 16 * k, &sa), centred(b + i + 16 * k, &sb));
            v[k] = _mm512_cvtps_epi32(clamp == CLAMP_ANY ? _mm512_min_ps(sum, limits.hi) : sum);
        }
        _mm512_storeu_si512(
            out + i, _mm512_permutexvar_epi32(order, narrowed(v[0], v[1], v[2], v[3], &limits, clamp)));
    }
}

void tf_add_avx512vnni(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                       size_t n)
{
    const size_t whole = n / 64 * 64;
    /* 255 times both stays within 32 bits. */
    const bool bounded = fabsf(args->a_ratio) < 4194304.0f && fabsf(args->b_ratio) < 4194304.0f;
    const enum clamp clamp = clamp_of(&args->q, bounded);

    if (clamp == CLAMP_PLAIN)
        add(args, a, b, out, whole, CLAMP_PLAIN);
    else if (clamp == CLAMP_BOUNDED)
        add(args, a, b, out, whole, CLAMP_BOUNDED);
    else
        add(args, a, b, out, whole, CLAMP_ANY);
    tf_add_avx2(args, a + whole, b + whole, out + whole, n - whole);
}

/*
 * A table of 256 bytes is sixteen of 16. For each, the index is turned so that only values of this sixteenth
 * stay below 16; the saturating addition sets the top bit of all others, and pshufb gives 0 for those.
 */
void tf_lut_avx512vnni(const uint8_t table[256], const uint8_t *in, uint8_t *out, size_t n)
{
    __m512i part[16];
    size_t i = 0;

    for (int k = 0; k < 16; k++)
        part[k] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(table + 16 * k)));
    for (; i + 64 <= n; i += 64) {
        const __m512i x = _mm512_loadu_si512(in + i), top = _mm512_set1_epi8(0x70);
        __m512i sum = _mm512_shuffle_epi8(part[0], _mm512_adds_epu8(x, top));

        for (int k = 1; k < 16; k++) {
            const __m512i turned = _mm512_xor_si512(x, _mm512_set1_epi8((char)(k << 4)));
            sum = _mm512_or_si512(sum, _mm512_shuffle_epi8(part[k], _mm512_adds_epu8(turned, top)));
        }
        _mm512_storeu_si512(out + i, sum);
    }
    tf_lut_generic(table, in + i, out + i, n - i);
}
