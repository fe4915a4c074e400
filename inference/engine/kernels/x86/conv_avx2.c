/*
 * Convolution, AVX2: vpmaddubsw adds two u8 x s8 products in 16 bits, saturating. tf_conv_pack gives it the
 * entries whose pairs of weights cannot saturate; the others have 16-bit weights, for vpmaddwd, which is
 * exact with any.
 */
#include <immintrin.h>

struct tf_conv_args;
struct tf_conv_panel;

static void more_1(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m, int rows,
                   __m256i *acc);
static void more_2(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m, int rows,
                   __m256i *acc);

#define TF_CONV_NAME tf_conv_avx2
#define TF_MORE(args, panel, m, rows, acc, vectors)                                                          \
    if (panel->wide)                                                                                         \
    more_##vectors(args, panel, m, rows, acc)
#define VEC_DOT(acc, a, w)                                                                                   \
    _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), _mm256_set1_epi16(1)))
#define ROWS_MOST_2 5
#include "inference/engine/kernels/x86/conv_ymm.h"

/*
 * sum + vpmaddwd with weights from memory. In one piece, because a compiler that may move the two apart, or
 * load the weights ahead, runs out of registers and keeps the sums in memory.
 */
static inline __m256i madd_to(__m256i sum, __m256i a, const int16_t *w)
{
    __m256i product;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sum), "=&x"(product)
            : "x"(a), "m"(*(const __m256i_u *)(const void *)w));
    return sum;
}

/*
 * A vector of weights holds four channels: two pairs of 16 bits each. Its sums are two halves per channel,
 * which meet at the end; tf_conv_pack orders the channels so that they then stand in their places. Up to
 * three pixels by 16 channels, or six by 8: twelve sums, each a variable of its own.
 */
/* Four bytes at any address, four times. As a float it is one instruction; as an integer gcc makes two of it.
 */
typedef float loose_float __attribute__((aligned(1), may_alias));

TF_ALWAYS_INLINE __m128i four(const uint8_t *in)
{
    return _mm_castps_si128(_mm_set1_ps(*(const loose_float *)(const void *)in));
}

/* sum + the halves, brought together */
TF_ALWAYS_INLINE __m256i whole(__m256i a, __m256i b, __m256i sum)
{
    return _mm256_add_epi32(_mm256_hadd_epi32(a, b), sum);
}

#define HALVES_1(i) __m256i h_##i##_0 = _mm256_setzero_si256(), h_##i##_1 = _mm256_setzero_si256();
#define HALVES_2(i)                                                                                          \
    HALVES_1(i) __m256i h_##i##_2 = _mm256_setzero_si256(), h_##i##_3 = _mm256_setzero_si256();
#define ADD(i, j) h_##i##_##j = madd_to(h_##i##_##j, x, w + 16 * j);
#define ACTIVATION(i) const __m256i x = _mm256_cvtepu8_epi16(four(in_##i + off));
#define STEP_1(i)                                                                                            \
    {                                                                                                        \
        ACTIVATION(i) ADD(i, 0) ADD(i, 1)                                                                    \
    }
#define STEP_2(i)                                                                                            \
    {                                                                                                        \
        ACTIVATION(i) ADD(i, 0) ADD(i, 1) ADD(i, 2) ADD(i, 3)                                                \
    }
#define WHOLE_1(i) acc[i] = whole(h_##i##_0, h_##i##_1, acc[i]);
#define WHOLE_2(i)                                                                                           \
    acc[2 * i] = whole(h_##i##_0, h_##i##_1, acc[2 * i]);                                                    \
    acc[2 * i + 1] = whole(h_##i##_2, h_##i##_3, acc[2 * i + 1]);

#define WIDE(rows, nv)                                                                                       \
    static void wide_##rows##x##nv(const struct tf_conv_args *args, const struct tf_conv_panel *panel,       \
                                   int m, __m256i *acc)                                                      \
    {                                                                                                        \
        const int16_t *w = panel->w16;                                                                       \
        const int32_t *koff = panel->koff + panel->entries, *const end = koff + panel->wide;                 \
        TF_ROWS_##rows(TF_IN) TF_ROWS_##rows(HALVES_##nv) while (koff < end)                                 \
        {                                                                                                    \
            const ptrdiff_t off = *koff++;                                                                   \
            TF_ROWS_##rows(STEP_##nv) w += 32 * nv;                                                          \
        }                                                                                                    \
        TF_ROWS_##rows(WHOLE_##nv)                                                                           \
    }
/* clang-format off */
WIDE(1, 1) WIDE(2, 1) WIDE(3, 1) WIDE(4, 1) WIDE(5, 1) WIDE(6, 1)
WIDE(1, 2) WIDE(2, 2) WIDE(3, 2)
    /* clang-format on */

    typedef void (*wide_fn)(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                            __m256i *acc);

/* A tile's pixels, as many at once as there are registers for. */
static void more_1(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m, int rows,
                   __m256i *acc)
{
    static const wide_fn list[6] = {wide_1x1, wide_2x1, wide_3x1, wide_4x1, wide_5x1, wide_6x1};

    for (int i = 0, left = (rows + 5) / 6, n; left > 0; left--, i += n) {
        n = (rows - i + left - 1) / left;
        list[n - 1](args, panel, m + i, acc + i);
    }
}

static void more_2(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m, int rows,
                   __m256i *acc)
{
    static const wide_fn list[3] = {wide_1x2, wide_2x2, wide_3x2};

    for (int i = 0, left = (rows + 2) / 3, n; left > 0; left--, i += n) {
        n = (rows - i + left - 1) / left;
        list[n - 1](args, panel, m + i, acc + 2 * i);
    }
}
