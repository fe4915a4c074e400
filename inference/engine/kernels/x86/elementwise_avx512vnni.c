/* Element by element, AVX-512: sixty-four bytes at a time, the arithmetic of generic.c operation for
 * operation. */
#include <immintrin.h>

#include "inference/engine/kernels/x86/x86.h"

struct side {
    __m512i zp;
    __m512 ratio;
};

TF_ALWAYS_INLINE __m512 centred(const uint8_t *p, const struct side *s)
{
    __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));

    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(v, s->zp)), s->ratio);
}

void tf_add_avx512vnni(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                       size_t n)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                  zp16 = _mm512_set1_epi16((short)args->q.zp),
                  lo8 = _mm512_set1_epi8((char)((int32_t)args->q.lo + args->q.zp));
    const __m512 hi = _mm512_set1_ps(args->q.hi);
    const struct side sa = {_mm512_set1_epi32(args->a_zp), _mm512_set1_ps(args->a_ratio)};
    const struct side sb = {_mm512_set1_epi32(args->b_zp), _mm512_set1_ps(args->b_ratio)};
    size_t i = 0;

    for (; i + 64 <= n; i += 64) {
        __m512i v[4], x, y;

        for (int k = 0; k < 4; k++) {
            const __m512 sum = _mm512_add_ps(centred(a + i + 16 * k, &sa), centred(b + i + 16 * k, &sb));
            v[k] = _mm512_cvtps_epi32(_mm512_min_ps(sum, hi));
        }
        /* Saturation to u8 and the maximum with lo stand for the clamp from below. */
        x = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), zp16);
        y = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), zp16);
        x = _mm512_permutexvar_epi32(order, _mm512_max_epu8(_mm512_packus_epi16(x, y), lo8));
        _mm512_storeu_si512(out + i, x);
    }
    tf_add_avx2(args, a + i, b + i, out + i, n - i);
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
