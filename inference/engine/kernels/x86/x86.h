/* What the x86 kernels share: the kernels' prototypes, and attributes that make a template of an inline
 * function with constant arguments. */
#ifndef TF_INFERENCE_KERNELS_X86_H
#define TF_INFERENCE_KERNELS_X86_H

#include "inference/engine/kernels/kernels.h"

#define TF_KERNEL(kind, KIND, level, LEVEL, unit, panel, packed)                                             \
    __typeof__(*(tf_##kind##_fn)0) tf_##kind##_##level;
#include "inference/engine/kernels/list.h"
#undef TF_KERNEL

#define TF_ALWAYS_INLINE static inline __attribute__((always_inline))

#endif
