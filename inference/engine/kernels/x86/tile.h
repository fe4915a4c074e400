/*
 * The inner loop of a convolution, for any vector type: a tile of pixels by vectors of output channels.
 *
 * The including file defines VEC (the vector type), VEC_LOAD(p), VEC_BROADCAST(p) (four bytes at p to all
 * lanes), VEC_DOT(acc, a, w), VEC_ADD(a, b), VEC_ZERO and LANES (32-bit lanes), then makes tiles with
 * TF_TILE(name, rows, vectors). A tile leaves its accumulators in acc[row][vector].
 */
#include "inference/engine/kernels/kernels.h"
#include "inference/engine/kernels/x86/repeat.h"

#define TF_IN(i) const uint8_t *const in_##i = args->in + args->in_off[m + i];

#define TF_BIAS_1 const VEC b_0 = VEC_LOAD(panel->bias);
#define TF_BIAS_2 TF_BIAS_1 const VEC b_1 = VEC_LOAD(panel->bias + LANES);
#define TF_BIAS_3 TF_BIAS_2 const VEC b_2 = VEC_LOAD(panel->bias + 2 * LANES);
#define TF_BIAS_4 TF_BIAS_3 const VEC b_3 = VEC_LOAD(panel->bias + 3 * LANES);

#define TF_INIT_1(i) VEC a_##i##_0 = b_0;
#define TF_INIT_2(i) TF_INIT_1(i) VEC a_##i##_1 = b_1;
#define TF_INIT_3(i) TF_INIT_2(i) VEC a_##i##_2 = b_2;
#define TF_INIT_4(i) TF_INIT_3(i) VEC a_##i##_3 = b_3;

#define TF_WEIGHTS_1 const VEC w_0 = VEC_LOAD(w);
#define TF_WEIGHTS_2 TF_WEIGHTS_1 const VEC w_1 = VEC_LOAD(w + 4 * LANES);
#define TF_WEIGHTS_3 TF_WEIGHTS_2 const VEC w_2 = VEC_LOAD(w + 8 * LANES);
#define TF_WEIGHTS_4 TF_WEIGHTS_3 const VEC w_3 = VEC_LOAD(w + 12 * LANES);

#define TF_DOT_1(i) a_##i##_0 = VEC_DOT(a_##i##_0, x, w_0);
#define TF_DOT_2(i) TF_DOT_1(i) a_##i##_1 = VEC_DOT(a_##i##_1, x, w_1);
#define TF_DOT_3(i) TF_DOT_2(i) a_##i##_2 = VEC_DOT(a_##i##_2, x, w_2);
#define TF_DOT_4(i) TF_DOT_3(i) a_##i##_3 = VEC_DOT(a_##i##_3, x, w_3);
#define TF_STEP_1(i)                                                                                         \
    {                                                                                                        \
        const VEC x = VEC_BROADCAST(in_##i + off);                                                           \
        TF_DOT_1(i)                                                                                          \
    }
#define TF_STEP_2(i)                                                                                         \
    {                                                                                                        \
        const VEC x = VEC_BROADCAST(in_##i + off);                                                           \
        TF_DOT_2(i)                                                                                          \
    }
#define TF_STEP_3(i)                                                                                         \
    {                                                                                                        \
        const VEC x = VEC_BROADCAST(in_##i + off);                                                           \
        TF_DOT_3(i)                                                                                          \
    }
#define TF_STEP_4(i)                                                                                         \
    {                                                                                                        \
        const VEC x = VEC_BROADCAST(in_##i + off);                                                           \
        TF_DOT_4(i)                                                                                          \
    }

#define TF_LEAVE_1(i) acc[i][0] = a_##i##_0;
#define TF_LEAVE_2(i) TF_LEAVE_1(i) acc[i][1] = a_##i##_1;
#define TF_LEAVE_3(i) TF_LEAVE_2(i) acc[i][2] = a_##i##_2;
#define TF_LEAVE_4(i) TF_LEAVE_3(i) acc[i][3] = a_##i##_3;

#define TF_TILE(name, rows, vectors)                                                                         \
    static void name##_##rows##x##vectors(const struct tf_conv_args *args,                                   \
                                          const struct tf_conv_panel *panel, int m, VEC acc[][vectors])      \
    {                                                                                                        \
        const int8_t *w = panel->w;                                                                          \
        const int32_t *koff = panel->koff, *const end = koff + panel->entries;                               \
        TF_ROWS_##rows(TF_IN) TF_BIAS_##vectors TF_ROWS_##rows(TF_INIT_##vectors) while (koff < end)         \
        {                                                                                                    \
            const ptrdiff_t off = *koff++;                                                                   \
            TF_WEIGHTS_##vectors TF_ROWS_##rows(TF_STEP_##vectors) w += 4 * LANES * vectors;                 \
        }                                                                                                    \
        TF_ROWS_##rows(TF_LEAVE_##vectors)                                                                   \
    }

/*
 * The tile of one pixel, which a matrix times a vector consists of: several sums for each vector, since one
 * would wait for itself, and weights asked for ahead, since each is read once.
 */
#define TF_LINE(name, vectors, sums)                                                                         \
    static void name##_1x##vectors(const struct tf_conv_args *args, const struct tf_conv_panel *panel,       \
                                   int m, VEC acc[][vectors])                                                \
    {                                                                                                        \
        const uint8_t *const in = args->in + args->in_off[m];                                                \
        const int8_t *w = panel->w;                                                                          \
        VEC s[sums][vectors];                                                                                \
        int e = 0;                                                                                           \
                                                                                                             \
        for (int i = 0; i < sums; i++)                                                                       \
            for (int j = 0; j < vectors; j++)                                                                \
                s[i][j] = i ? VEC_ZERO : VEC_LOAD(panel->bias + LANES * j);                                  \
        for (; e + sums <= panel->entries; e += sums)                                                        \
            for (int i = 0; i < sums; i++) {                                                                 \
                const VEC x = VEC_BROADCAST(in + panel->koff[e + i]);                                        \
                for (int j = 0; j < vectors; j++, w += 4 * LANES) {                                          \
                    __builtin_prefetch(w + 2048);                                                            \
                    s[i][j] = VEC_DOT(s[i][j], x, VEC_LOAD(w));                                              \
                }                                                                                            \
            }                                                                                                \
        for (; e < panel->entries; e++) {                                                                    \
            const VEC x = VEC_BROADCAST(in + panel->koff[e]);                                                \
            for (int j = 0; j < vectors; j++, w += 4 * LANES)                                                \
                s[0][j] = VEC_DOT(s[0][j], x, VEC_LOAD(w));                                                  \
        }                                                                                                    \
        for (int i = 1; i < sums; i++)                                                                       \
            for (int j = 0; j < vectors; j++)                                                                \
                s[0][j] = VEC_ADD(s[0][j], s[i][j]);                                                         \
        for (int j = 0; j < vectors; j++)                                                                    \
            acc[0][j] = s[0][j];                                                                             \
    }

/* A tile and what becomes of it: run_<rows>x<vectors>. The including file has TF_STORE of that many vectors
 * and store_residual(). */
typedef void (*tile_fn)(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m);

/* What the including file adds to a tile's sums. */
#ifndef TF_MORE
#define TF_MORE(args, panel, m, rows, acc, vectors)
#endif

#define TILE(rows, vectors) TF_TILE(tile, rows, vectors) TF_RUN(rows, vectors)
#define LINE(vectors, sums) TF_LINE(tile, vectors, sums) TF_RUN(1, vectors)
#define TF_RUN(rows, vectors)                                                                                \
    static void run_##rows##x##vectors(const struct tf_conv_args *args, const struct tf_conv_panel *panel,   \
                                       int m)                                                                \
    {                                                                                                        \
        VEC acc[rows][vectors];                                                                              \
        tile_##rows##x##vectors(args, panel, m, acc);                                                        \
        TF_MORE(args, panel, m, rows, &acc[0][0], vectors);                                                  \
        if (args->residual)                                                                                  \
            store_residual(args, panel, m, rows, &acc[0][0], vectors);                                       \
        else                                                                                                 \
            store_##vectors(args, panel, m, rows, &acc[0][0]);                                               \
    }
