/* Portable C: the reference that every other kernel has to match bit for bit, and what runs where no other
 * does. */
#include "inference/engine/kernels/kernels.h"

#define TF_KERNEL(kind, KIND, level, LEVEL, unit, panel, packed)                                             \
    __typeof__(*(tf_##kind##_fn)0) tf_##kind##_##level;
#include "inference/engine/kernels/list.h"
#undef TF_KERNEL

static inline uint8_t residual(const struct tf_conv_residual *r, uint8_t conv, uint8_t in)
{
    float a = (float)(conv - r->conv_zp) * r->conv_ratio;
    float b = (float)(in - r->in_zp) * r->in_ratio;

    return tf_round_u8(a + b, &r->q);
}

void tf_conv_generic(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    for (int p = panel0; p < panel1; p++) {
        const struct tf_conv_panel *panel = &args->panels[p];
        int width = (panel->n + 3) / 4 * 4;

        for (int m = m0; m < m1; m++) {
            const uint8_t *in = args->in + args->in_off[m];
            int32_t acc[8];

            for (int j = 0; j < width; j++)
                acc[j] = panel->bias[j];
            for (int e = 0; e < panel->entries; e++) {
                const uint8_t *a = in + panel->koff[e];
                const int8_t *w = panel->w + (size_t)e * (size_t)width * 4;
                for (int j = 0; j < width; j++, w += 4)
                    /* Unsigned: the sum wraps as it does in vector registers. */
                    acc[j] = (int32_t)((uint32_t)acc[j] +
                                       (uint32_t)(a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + a[3] * w[3]));
            }
            if (args->out_f32) {
                for (int j = 0; j < panel->n; j++)
                    args->out_f32[args->out_off[m] + panel->oc + j] = (float)acc[j] * panel->scale[j];
                continue;
            }
            for (int j = 0; j < panel->n; j++) {
                uint8_t v = tf_round_u8((float)acc[j] * panel->scale[j], &args->q);
                if (args->residual)
                    v = residual(args->residual, v,
                                 args->residual->in[args->residual->off[m] + panel->oc + j]);
                args->out[args->out_off[m] + panel->oc + j] = v;
            }
        }
    }
}

void tf_dw_generic(const struct tf_dw_args *args, int y0, int y1)
{
    for (int y = y0; y < y1; y++) {
        for (int x = 0; x < args->width; x++) {
            const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row +
                                (ptrdiff_t)x * args->stride_w * args->in_pixel;
            uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + (ptrdiff_t)x * args->out_pixel;

            for (int c0 = 0; c0 < args->channels; c0 += 32) {
                int n = args->channels - c0 < 32 ? args->channels - c0 : 32;
                int32_t acc[32];

                for (int c = 0; c < n; c++)
                    acc[c] = args->bias[c0 + c];
                for (int ky = 0; ky < args->kh; ky++) {
                    for (int kx = 0; kx < args->kw; kx++) {
                        const uint8_t *a = in + (ptrdiff_t)ky * args->dilation_h * args->in_row +
                                           (ptrdiff_t)kx * args->dilation_w * args->in_pixel + c0;
                        const int8_t *w = args->w + (size_t)(ky * args->kw + kx) * (size_t)args->w_pitch + c0;
                        for (int c = 0; c < n; c++)
                            acc[c] = (int32_t)((uint32_t)acc[c] + (uint32_t)(a[c] * w[c]));
                    }
                }
                for (int c = 0; c < n; c++)
                    out[c0 + c] = tf_round_u8((float)acc[c] * args->scale[c0 + c], &args->q);
            }
        }
    }
}

void tf_add_generic(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                    size_t n)
{
    const struct tf_add_args k = *args;

    for (size_t i = 0; i < n; i++) {
        float x = (float)(a[i] - k.a_zp) * k.a_ratio;
        float y = (float)(b[i] - k.b_zp) * k.b_ratio;
        out[i] = tf_round_u8(x + y, &k.q);
    }
}

void tf_mul_generic(const struct tf_mul_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                    size_t n)
{
    const struct tf_mul_args k = *args;

    for (size_t i = 0; i < n; i++)
        out[i] = tf_round_u8((float)((a[i] - k.a_zp) * (b[i] - k.b_zp)) * k.ratio, &k.q);
}

void tf_lut_generic(const uint8_t table[256], const uint8_t *in, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = table[in[i]];
}

void tf_max_generic(const uint8_t *const *taps, int count, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = taps[0][i];
    for (int t = 1; t < count; t++)
        for (size_t i = 0; i < n; i++)
            out[i] = taps[t][i] > out[i] ? taps[t][i] : out[i];
}

void tf_avg_generic(const struct tf_avg_args *args, const uint8_t *const *taps, int count, uint8_t *out,
                    size_t n)
{
    const struct tf_avg_args k = *args;

    for (size_t i = 0; i < n; i++) {
        float sum = 0.0f;
        for (int t = 0; t < count; t++)
            sum += (float)(taps[t][i] - k.in_zp) * k.in_scale;
        out[i] = tf_round_u8(sum / k.divisor / k.out_scale, &k.q);
    }
}

void tf_gap_generic(const struct tf_gap_args *args, const uint8_t *in, uint8_t *out, int c0, int c1)
{
    const struct tf_gap_args k = *args;

    for (int c = c0; c < c1; c += 32) {
        int n = c1 - c < 32 ? c1 - c : 32;
        uint32_t sum[32] = {0};

        for (int y = 0; y < k.height; y++)
            for (int x = 0; x < k.width; x++)
                for (int i = 0; i < n; i++)
                    sum[i] += in[y * k.row + x * k.pixel + c + i];
        for (int i = 0; i < n; i++)
            out[c + i] = tf_round_u8(
                (float)(int32_t)(sum[i] - (uint32_t)(k.height * k.width * k.in_zp)) * k.scale, &k.q);
    }
}

void tf_quantize_generic(const struct tf_quantize_args *args, const float *in, uint8_t *out, size_t n)
{
    const struct tf_quantize_args k = *args;

    for (size_t i = 0; i < n; i++) {
        float v = in[i] / k.scale;
        /* A NaN becomes the lowest value at every level. */
        out[i] = tf_round_u8(v == v ? v : k.q.lo, &k.q);
    }
}

void tf_blend_generic(const struct tf_blend_args *args, uint8_t *out, size_t n)
{
    const struct tf_blend_args k = *args;
    const int32_t w11 = k.wx * k.wy, w10 = (2048 - k.wx) * k.wy, w01 = k.wx * (2048 - k.wy),
                  w00 = (2048 - k.wx) * (2048 - k.wy);

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(((uint32_t)(k.p00[i] * w00 + k.p01[i] * w01) +
                            (uint32_t)(k.p10[i] * w10 + k.p11[i] * w11) + (1u << 21)) >>
                           22);
}
