/*
 * How much clamping a convolution's results need, and the copies of store() for each. The including file
 * defines VEC (the vector type) and store(args, panel, m, rows, acc, vectors, clamp).
 */
#ifndef TF_INFERENCE_ENGINE_KERNELS_X86_CLAMP_H
#define TF_INFERENCE_ENGINE_KERNELS_X86_CLAMP_H

#include "inference/engine/kernels/x86/x86.h"

/*
 * CLAMP_ANY: as it stands. CLAMP_BOUNDED: all scales are below 1, so that float(acc) * scale fits 32 bits,
 * the packs saturate, and the limits may follow as bytes (rounding is monotone). CLAMP_PLAIN: besides, the
 * limits are 0 and 255 and the zero point is 0, which is what the packs do.
 */
enum clamp { CLAMP_ANY, CLAMP_BOUNDED, CLAMP_PLAIN };

static inline enum clamp clamp_of(const struct tf_requant *q, bool bounded)
{
    if (!bounded)
        return CLAMP_ANY;
    return q->zp == 0 && (int32_t)q->lo == 0 && (int32_t)q->hi == 255 ? CLAMP_PLAIN : CLAMP_BOUNDED;
}

/* For tiles of so many vectors, which all tile heights share. */
#define TF_STORE(vectors)                                                                                    \
    static __attribute__((noinline)) void store_##vectors(                                                   \
        const struct tf_conv_args *args, const struct tf_conv_panel *panel, int m, int rows, const VEC *acc) \
    {                                                                                                        \
        const enum clamp clamp = clamp_of(&args->q, panel->bounded);                                         \
                                                                                                             \
        if (clamp == CLAMP_PLAIN)                                                                            \
            store(args, panel, m, rows, acc, vectors, CLAMP_PLAIN);                                          \
        else if (clamp == CLAMP_BOUNDED)                                                                     \
            store(args, panel, m, rows, acc, vectors, CLAMP_BOUNDED);                                        \
        else                                                                                                 \
            store(args, panel, m, rows, acc, vectors, CLAMP_ANY);                                            \
    }

#endif
