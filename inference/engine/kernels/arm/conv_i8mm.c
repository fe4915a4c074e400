/* Convolution, 8-bit matrix instructions: usdot takes u8 activations by s8 weights as they are. */
#include <arm_neon.h>
#include <string.h>

typedef int32x4_t sums_t;
typedef uint8x16_t activation_t;
typedef int8x16_t weights_t;

static inline sums_t sums_start(int32x4_t bias)
{
    return bias;
}

static inline activation_t activation(const void *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof(word));
    return vreinterpretq_u8_u32(vdupq_n_u32(word));
}

static inline weights_t weights(const int8_t *p)
{
    return vld1q_s8(p);
}

static inline sums_t sums_add(sums_t s, activation_t a, weights_t w)
{
    return vusdotq_s32(s, a, w);
}

static inline int32x4_t sums_total(sums_t s)
{
    return s;
}

#define TF_CONV_NAME tf_conv_i8mm
#define ROWS_MOST 4
#include "inference/engine/kernels/arm/conv_arm.h"
