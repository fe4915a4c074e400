/* Which kernels run: by the level that base/cpu.h found or was told. */
#include "overlay/kernels/kernels.h"

#if defined(__x86_64__)
/* Table look-ups of bytes (VBMI) are no part of the levels, which the networks' kernels define. */
static int has_vbmi(void)
{
    return tf_cpu_has(TF_CPU_AVX512VNNI) && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

const struct tf_paint *tf_paint_select(enum tf_cpu_level level)
{
    switch (level) {
#if defined(__x86_64__)
    case TF_CPU_AVX2:
    case TF_CPU_AVXVNNI:
        return &tf_paint_avx2;
    case TF_CPU_AVX512VNNI:
    case TF_CPU_AMX:
        return has_vbmi() ? &tf_paint_avx512 : &tf_paint_avx2;
#endif
#if defined(__aarch64__)
    case TF_CPU_NEON:
    case TF_CPU_DOTPROD:
    case TF_CPU_I8MM:
        return &tf_paint_neon;
#endif
    default:
        return &tf_paint_generic;
    }
}

const struct tf_paint *tf_paint_at(size_t index)
{
    const struct tf_paint *have[4] = {&tf_paint_generic};
    size_t n = 1;

#if defined(__x86_64__)
    if (tf_cpu_has(TF_CPU_AVX2))
        have[n++] = &tf_paint_avx2;
    if (has_vbmi())
        have[n++] = &tf_paint_avx512;
#endif
#if defined(__aarch64__)
    if (tf_cpu_has(TF_CPU_NEON))
        have[n++] = &tf_paint_neon;
#endif
    return index < n ? have[index] : NULL;
}
