/* What all Arm kernels share: their prototypes, from the one list. */
#ifndef TF_INFERENCE_KERNELS_ARM_H
#define TF_INFERENCE_KERNELS_ARM_H

#include "inference/engine/kernels/kernels.h"

#define TF_KERNEL(kind, KIND, level, LEVEL, unit, panel, packed)                                             \
    __typeof__(*(tf_##kind##_fn)0) tf_##kind##_##level;
#include "inference/engine/kernels/list.h"
#undef TF_KERNEL

#endif
