/* AVX2: tables of 256 bytes as sixteen shuffles. */
#include "overlay/kernels/ymm.h"

static inline __m256i steps(const uint16_t *values, __m256 low, __m256 scale)
{
    __m256 v =
        _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)values)));

    v = _mm256_mul_ps(_mm256_sub_ps(v, low), scale);
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(TF_TOP));
    return _mm256_srli_epi32(_mm256_cvttps_epi32(v), 5);
}

static void entries(const uint16_t *values, size_t n, float low, float scale, uint8_t *ret)
{
    const __m256 l = _mm256_set1_ps(low), s = _mm256_set1_ps(scale);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_packus_epi32(steps(values + i, l, s), steps(values + i + 8, l, s));
        __m256i b = _mm256_packus_epi32(steps(values + i + 16, l, s), steps(values + i + 24, l, s));
        _mm256_storeu_si256((__m256i *)(void *)(ret + i),
                            _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order));
    }
    body_entries(values + i, n - i, low, scale, ret + i);
}

/*
 * A shuffle takes the low four bits of an index and gives 0 where bit 7 is set. With 16 taken off the index
 * for each further sixteenth, all sixteenths up to the index's own answer: each holds the difference (xor) to
 * the one before, so that they add up to the entry. Bit 7 divides the table into two such halves.
 */
struct table {
    __m128i parts[16];
};

static inline void prepare(const uint8_t table[256], struct table *ret)
{
    for (int i = 0; i < 16; i++) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(table + 16 * i));
        ret->parts[i] =
            i % 8 ? _mm_xor_si128(part, _mm_loadu_si128((const __m128i *)(const void *)(table + 16 * i - 16)))
                  : part;
    }
}

static inline __m256i find(const struct table *t, __m256i index)
{
    const __m256i sixteen = _mm256_set1_epi8(16);
    __m256i low = index, high = _mm256_xor_si256(index, _mm256_set1_epi8((char)0x80)),
            ret = _mm256_setzero_si256();

    for (int i = 0; i < 8; i++) {
        __m256i a = _mm256_broadcastsi128_si256(t->parts[i]),
                b = _mm256_broadcastsi128_si256(t->parts[i + 8]);
        ret = _mm256_xor_si256(ret,
                               _mm256_xor_si256(_mm256_shuffle_epi8(a, low), _mm256_shuffle_epi8(b, high)));
        low = _mm256_subs_epi8(low, sixteen);
        high = _mm256_subs_epi8(high, sixteen);
    }
    return ret;
}

static void lookup(const uint8_t *from, size_t n, const uint8_t table[256], uint8_t *ret)
{
    struct table t;
    size_t i = 0;

    prepare(table, &t);
    for (; i + 32 <= n; i += 32)
        _mm256_storeu_si256((__m256i *)(void *)(ret + i), find(&t, ymm_load(from + i)));
    body_lookup(from + i, n - i, table, ret + i);
}

static inline __m256i pairs(const uint8_t *row0, const uint8_t *row1)
{
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(ymm_load(row0), ones),
                                   _mm256_maddubs_epi16(ymm_load(row1), ones));

    return _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

static void chroma(const uint8_t *row0, const uint8_t *row1, size_t n, const uint8_t u[256],
                   const uint8_t v[256], uint8_t *ret_u, uint8_t *ret_v)
{
    struct table tu, tv;
    size_t i = 0;

    prepare(u, &tu);
    prepare(v, &tv);
    for (; i + 64 <= n; i += 64) {
        __m256i mean = _mm256_permute4x64_epi64(
            _mm256_packus_epi16(pairs(row0 + i, row1 + i), pairs(row0 + i + 32, row1 + i + 32)), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(ret_u + i / 2), find(&tu, mean));
        _mm256_storeu_si256((__m256i *)(void *)(ret_v + i / 2), find(&tv, mean));
    }
    body_chroma(row0 + i, row1 + i, n - i, u, v, ret_u + i / 2, ret_v + i / 2);
}

static void turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    ymm_turn(from, from_stride, ret, ret_stride);
}

static void blend(const int16_t *const rows[4], const int16_t coefficients[4], size_t n, int16_t bias,
                  uint8_t *ret)
{
    ymm_blend(rows, coefficients, n, bias, ret);
}

static void taps(const int16_t *from, const int16_t coefficients[4], size_t n, int16_t *ret)
{
    ymm_taps(from, coefficients, n, ret);
}

TF_PAINT(avx2);
