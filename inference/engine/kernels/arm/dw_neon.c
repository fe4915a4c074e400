/* Depthwise convolution, Advanced SIMD: eight channels at a time, products summed in 32 bits. */
#include <arm_neon.h>
#include <string.h>

#include "inference/engine/kernels/arm/arm.h"

void tf_dw_neon(const struct tf_dw_args *args, int y0, int y1)
{
    const float32x4_t lo = vdupq_n_f32(args->q.lo), hi = vdupq_n_f32(args->q.hi);
    const int32x4_t zp = vdupq_n_s32(args->q.zp);

    for (int y = y0; y < y1; y++) {
        for (int x = 0; x < args->width; x++) {
            const uint8_t *in = args->in + (ptrdiff_t)y * args->stride_h * args->in_row +
                                (ptrdiff_t)x * args->stride_w * args->in_pixel;
            uint8_t *out = args->out + (ptrdiff_t)y * args->out_row + (ptrdiff_t)x * args->out_pixel;

            for (int c = 0; c < args->channels; c += 8) {
                int32x4_t a = vld1q_s32(args->bias + c), b = vld1q_s32(args->bias + c + 4);
                const int8_t *w = args->w + c;
                uint8x8_t bytes;

                for (int ky = 0; ky < args->kh; ky++) {
                    const uint8_t *tap = in + (ptrdiff_t)ky * args->dilation_h * args->in_row + c;
                    for (int kx = 0; kx < args->kw; kx++) {
                        int16x8_t v = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(tap))), k = vmovl_s8(vld1_s8(w));
                        a = vmlal_s16(a, vget_low_s16(v), vget_low_s16(k));
                        b = vmlal_high_s16(b, v, k);
                        tap += args->dilation_w * args->in_pixel;
                        w += args->w_pitch;
                    }
                }
                a = vcvtnq_s32_f32(
                    vminq_f32(vmaxq_f32(vmulq_f32(vcvtq_f32_s32(a), vld1q_f32(args->scale + c)), lo), hi));
                b = vcvtnq_s32_f32(vminq_f32(
                    vmaxq_f32(vmulq_f32(vcvtq_f32_s32(b), vld1q_f32(args->scale + c + 4)), lo), hi));
                bytes = vqmovun_s16(vcombine_s16(vmovn_s32(vaddq_s32(a, zp)), vmovn_s32(vaddq_s32(b, zp))));
                if (args->channels - c >= 8) {
                    vst1_u8(out + c, bytes);
                } else {
                    uint8_t last[8];
                    vst1_u8(last, bytes);
                    memcpy(out + c, last, (size_t)(args->channels - c));
                }
            }
        }
    }
}
