/*
 * Convolution on 128-bit vectors. The including file defines TF_CONV_NAME and what differs between levels:
 *
 *   SUMS              registers that hold the sums of four output channels
 *   sums_t            struct of SUMS vectors
 *   sums_start(bias)  four biases into sums
 *   activation_t, activation(p)   four bytes at p, for all channels
 *   weights_t, weights(p)         four weights of four channels, 16 bytes
 *   sums_add(sums, activation, weights)
 *   sums_total(sums)  four s32
 *
 * Four vectors of four channels by up to ROWS_MOST pixels; everything is unrolled, so that sums stay in
 * registers.
 */
#include <arm_neon.h>
#include <string.h>

#include "inference/engine/kernels/arm/arm.h"

#define TF_ALWAYS_INLINE static inline __attribute__((always_inline))

struct epilogue {
    float32x4_t lo, hi;
    int32x4_t zp;
};

TF_ALWAYS_INLINE int32x4_t requantized(float32x4_t v, const struct epilogue *e)
{
    return vaddq_s32(vcvtnq_s32_f32(vminq_f32(vmaxq_f32(v, e->lo), e->hi)), e->zp);
}

TF_ALWAYS_INLINE struct epilogue epilogue_of(const struct tf_requant *q)
{
    return (struct epilogue){vdupq_n_f32(q->lo), vdupq_n_f32(q->hi), vdupq_n_s32(q->zp)};
}

/* Four values 0..255 to n bytes. */
TF_ALWAYS_INLINE void store4(uint8_t *out, int32x4_t v, int n)
{
    uint16x4_t half = vmovn_u32(vreinterpretq_u32_s32(v));
    uint32_t word = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(half, half))), 0);

    if (n >= 4)
        memcpy(out, &word, 4);
    else
        memcpy(out, &word, (size_t)n);
}

TF_ALWAYS_INLINE int32x4_t load4(const uint8_t *in, int n)
{
    uint32_t word = 0;

    memcpy(&word, in, n >= 4 ? 4 : (size_t)n);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word))))));
}

TF_ALWAYS_INLINE void store_tile(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                                 const int rows, const int nv, int32x4_t total[][4])
{
    const struct epilogue e = epilogue_of(&args->q);
    const struct tf_conv_residual *r = args->residual;

    for (int j = 0; j < nv; j++) {
        const float32x4_t scale = vld1q_f32(panel->scale + 4 * j);
        const int at = panel->oc + 4 * j, n = panel->n - 4 * j;

        for (int i = 0; i < rows; i++) {
            int32x4_t v = requantized(vmulq_f32(vcvtq_f32_s32(total[i][j]), scale), &e);

            if (r) {
                const struct epilogue re = epilogue_of(&r->q);
                int32x4_t in = load4(r->in + r->off[m + i] + at, n);
                float32x4_t x = vmulq_f32(vcvtq_f32_s32(vsubq_s32(v, vdupq_n_s32(r->conv_zp))),
                                          vdupq_n_f32(r->conv_ratio));
                float32x4_t y =
                    vmulq_f32(vcvtq_f32_s32(vsubq_s32(in, vdupq_n_s32(r->in_zp))), vdupq_n_f32(r->in_ratio));
                v = requantized(vaddq_f32(x, y), &re);
            }
            store4(args->out + args->out_off[m + i] + at, v, n);
        }
    }
}

TF_ALWAYS_INLINE void tile(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m,
                           const int rows, const int nv)
{
    const uint8_t *in[ROWS_MOST];
    sums_t sums[ROWS_MOST][4];
    int32x4_t total[ROWS_MOST][4];
    const int8_t *w = panel->w;

    for (int i = 0; i < rows; i++) {
        in[i] = args->in + args->in_off[m + i];
        for (int j = 0; j < nv; j++)
            sums[i][j] = sums_start(vld1q_s32(panel->bias + 4 * j));
    }
    for (int e = 0; e < panel->entries; e++, w += 16 * nv) {
        const ptrdiff_t off = panel->koff[e];
        weights_t k[4];

        for (int j = 0; j < nv; j++)
            k[j] = weights(w + 16 * j);
        for (int i = 0; i < rows; i++) {
            const activation_t a = activation(in[i] + off);
            for (int j = 0; j < nv; j++)
                sums[i][j] = sums_add(sums[i][j], a, k[j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < nv; j++)
            total[i][j] = sums_total(sums[i][j]);
    store_tile(args, panel, m, rows, nv, total);
}

typedef void (*tile_fn)(const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m);

#define TILE(rows, nv)                                                                                       \
    static void tile_##rows##x##nv(const struct tf_conv_args *args, const struct tf_conv_panel *panel,       \
                                   int m)                                                                    \
    {                                                                                                        \
        tile(args, panel, m, rows, nv);                                                                      \
    }
/* clang-format off */
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2)
TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4)
    /* clang-format on */

    static const tile_fn tiles[4][4] = {
        {tile_1x1, tile_2x1, tile_3x1, tile_4x1},
        {tile_1x2, tile_2x2, tile_3x2, tile_4x2},
        {tile_1x3, tile_2x3, tile_3x3, tile_4x3},
        {tile_1x4, tile_2x4, tile_3x4, tile_4x4},
};

void TF_CONV_NAME(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    for (int p = panel0; p < panel1; p++) {
        const struct tf_conv_panel *panel = &args->panels[p];
        const int nv = (panel->n + 3) / 4;

        for (int m = m0, left = (m1 - m0 + ROWS_MOST - 1) / ROWS_MOST; left > 0; left--) {
            const int rows = (m1 - m + left - 1) / left;
            tiles[nv - 1][rows - 1](args, panel, m);
            m += rows;
        }
    }
}
