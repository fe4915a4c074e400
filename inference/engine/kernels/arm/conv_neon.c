/*
 * Convolution, Advanced SIMD: activations less 128 are s8 (the packed bias holds 128 times the weights' sum
 * against it), and two products of s8 by weights within 127 fit 16 bits: 2 * 128 * 127 = 32512.
 */
#include <arm_neon.h>
#include <string.h>

/* Two partial sums per channel: those of bytes 0, 1 and of bytes 2, 3. */
typedef struct {
    int32x4_t low, high;
} sums_t;
typedef int8x8_t activation_t;
typedef int8x16_t weights_t;

static inline sums_t sums_start(int32x4_t bias)
{
    const int32x4_t zero = vdupq_n_s32(0);
    return (sums_t){vzip1q_s32(bias, zero), vzip2q_s32(bias, zero)};
}

static inline activation_t activation(const void *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof(word));
    return vreinterpret_s8_u32(vdup_n_u32(word ^ 0x80808080u));
}

static inline weights_t weights(const int8_t *p)
{
    return vld1q_s8(p);
}

static inline sums_t sums_add(sums_t s, activation_t a, weights_t w)
{
    s.low = vpadalq_s16(s.low, vmull_s8(a, vget_low_s8(w)));
    s.high = vpadalq_s16(s.high, vmull_s8(a, vget_high_s8(w)));
    return s;
}

static inline int32x4_t sums_total(sums_t s)
{
    return vpaddq_s32(s.low, s.high);
}

#define TF_CONV_NAME tf_conv_neon
#define ROWS_MOST 4
#include "inference/engine/kernels/arm/conv_arm.h"
