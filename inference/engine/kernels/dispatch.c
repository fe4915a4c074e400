/* The kernels of this processor, chosen from the one list. */
#include "base/count.h"
#include "inference/engine/kernels/kernels.h"

#define TF_KERNEL(kind, KIND, level, LEVEL, unit, panel, packed)                                             \
    __typeof__(*(tf_##kind##_fn)0) tf_##kind##_##level;
#include "inference/engine/kernels/list.h"
#undef TF_KERNEL

static const struct tf_kernel list[] = {
#define TF_KERNEL(KIND_, KIND, LEVEL_, LEVEL, UNIT, PANEL, PACKED)                                           \
    {.name = #KIND_ "_" #LEVEL_,                                                                             \
     .kind = TF_KERNEL_##KIND,                                                                               \
     .level = TF_CPU_##LEVEL,                                                                                \
     .KIND_ = tf_##KIND_##_##LEVEL_,                                                                         \
     .unit = UNIT,                                                                                           \
     .panel = PANEL,                                                                                         \
     .pairs = TF_PACKED_##PACKED == TF_PACKED_PAIRS,                                                         \
     .shifted = TF_PACKED_##PACKED == TF_PACKED_SHIFTED,                                                     \
     .tiles = TF_PACKED_##PACKED == TF_PACKED_TILES},
#include "inference/engine/kernels/list.h"
#undef TF_KERNEL
};

size_t tf_kernels(const struct tf_kernel **ret)
{
    *ret = list;
    return TF_COUNT(list);
}

/* Which rungs a level may use: avxvnni is a side rung, avx512vnni does not imply it. */
static bool covers(enum tf_cpu_level level, enum tf_cpu_level kernel)
{
    if (kernel == TF_CPU_GENERIC || kernel == level)
        return true;
    switch (level) {
    case TF_CPU_AVXVNNI:
    case TF_CPU_AVX512VNNI:
        return kernel == TF_CPU_AVX2;
    case TF_CPU_AMX:
        return kernel == TF_CPU_AVX2 || kernel == TF_CPU_AVX512VNNI;
    case TF_CPU_DOTPROD:
        return kernel == TF_CPU_NEON;
    case TF_CPU_I8MM:
        return kernel == TF_CPU_NEON || kernel == TF_CPU_DOTPROD;
    default:
        return false;
    }
}

const struct tf_kernel *tf_kernel_select(enum tf_kernel_kind kind, enum tf_cpu_level level)
{
    const struct tf_kernel *best = NULL;

    for (size_t i = 0; i < TF_COUNT(list); i++)
        if (list[i].kind == kind && covers(level, list[i].level) && (!best || list[i].level > best->level))
            best = &list[i];
    return best;
}

const char *tf_kernel_kind_name(enum tf_kernel_kind kind)
{
    static const char *const names[TF_KERNEL_KINDS] = {
        [TF_KERNEL_CONV] = "conv",   [TF_KERNEL_DW] = "dw",   [TF_KERNEL_ADD] = "add",
        [TF_KERNEL_MUL] = "mul",     [TF_KERNEL_LUT] = "lut", [TF_KERNEL_MAX] = "max",
        [TF_KERNEL_AVG] = "avg",     [TF_KERNEL_GAP] = "gap", [TF_KERNEL_QUANTIZE] = "quantize",
        [TF_KERNEL_BLEND] = "blend",
    };
    return names[kind];
}
