/* Element-wise kernels, Advanced SIMD. What is not here the compiler makes from the portable ones. */
#include <arm_neon.h>

#include "inference/engine/kernels/arm/arm.h"

static inline float32x4_t centred(uint16x4_t v, int32_t zp, float ratio)
{
    return vmulq_n_f32(vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(vmovl_u16(v)), vdupq_n_s32(zp))), ratio);
}

static inline int16x4_t rounded(float32x4_t v, const struct tf_requant *q)
{
    v = vminq_f32(vmaxq_f32(v, vdupq_n_f32(q->lo)), vdupq_n_f32(q->hi));
    return vmovn_s32(vaddq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(q->zp)));
}

void tf_add_neon(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out, size_t n)
{
    const struct tf_add_args k = *args;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint16x8_t x = vmovl_u8(vld1_u8(a + i)), y = vmovl_u8(vld1_u8(b + i));
        float32x4_t low = vaddq_f32(centred(vget_low_u16(x), k.a_zp, k.a_ratio),
                                    centred(vget_low_u16(y), k.b_zp, k.b_ratio));
        float32x4_t high = vaddq_f32(centred(vget_high_u16(x), k.a_zp, k.a_ratio),
                                     centred(vget_high_u16(y), k.b_zp, k.b_ratio));
        vst1_u8(out + i, vqmovun_s16(vcombine_s16(rounded(low, &k.q), rounded(high, &k.q))));
    }
    for (; i < n; i++)
        out[i] = tf_round_u8((float)(a[i] - k.a_zp) * k.a_ratio + (float)(b[i] - k.b_zp) * k.b_ratio, &k.q);
}

void tf_lut_neon(const uint8_t table[256], const uint8_t *in, uint8_t *out, size_t n)
{
    uint8x16x4_t part[4];
    size_t i = 0;

    for (int p = 0; p < 4; p++)
        part[p] = vld1q_u8_x4(table + 64 * p);
    for (; i + 16 <= n; i += 16) {
        uint8x16_t v = vld1q_u8(in + i), r = vqtbl4q_u8(part[0], v);
        /* Out of range leaves the result as it was. */
        for (int p = 1; p < 4; p++)
            r = vqtbx4q_u8(r, part[p], vsubq_u8(v, vdupq_n_u8((uint8_t)(64 * p))));
        vst1q_u8(out + i, r);
    }
    for (; i < n; i++)
        out[i] = table[in[i]];
}
