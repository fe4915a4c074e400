/*
 * Measuring kernels one by one, and the machine's peak. For `thermoface bench`; the cases come from the one
 * kernel list.
 */
#ifndef TF_INFERENCE_ENGINE_KERNELS_BENCH_H
#define TF_INFERENCE_ENGINE_KERNELS_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct tf_kernel_bench {
    const char *kernel, *level; /* static */
    const char *shape;          /* static: what was computed */
    double ns;                  /* of the fastest call */
    double gmacs_per_s;         /* 0 where a kernel does no multiply-accumulates */
    double gbytes_per_s;        /* read and written; 0 for the former */
};

/* Pairs of a kernel and a shape that the networks have. */
size_t tf_kernel_bench_count(void);
/*
 * Runs case i again and again for about `ns` nanoseconds. kernel, level and shape are filled in any case.
 * -ENOTSUP: this machine has not got the level; -ENOMEM; -EINVAL: no such case.
 */
int tf_kernel_bench_run(size_t i, uint64_t ns, struct tf_kernel_bench *ret);

/*
 * The most u8 x s8 -> s32 multiply-accumulates a second (10^9) that one thread can do at a level (a name of
 * base/cpu.h), measured for about `ns` nanoseconds with a loop of independent register-only instructions:
 * vpdpbusd at the VNNI levels, vpmaddubsw + vpmaddwd + vpaddd at avx2, sdot at dotprod, smull + sadalp at
 * neon. 0: unknown or absent.
 */
double tf_kernel_peak_gmacs(const char *level, uint64_t ns);

#endif
