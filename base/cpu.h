/*
 * CPU features as an ordered ladder per architecture. A cap (an option, TF_CPU) lowers the level, never
 * raises it.
 */
#ifndef TF_BASE_CPU_H
#define TF_BASE_CPU_H

#include "base/error.h"

enum tf_cpu_level {
    TF_CPU_GENERIC = 0,
    TF_CPU_AVX2,
    TF_CPU_AVXVNNI,
    TF_CPU_AVX512VNNI,
    TF_CPU_AMX,
    TF_CPU_NEON,
    TF_CPU_DOTPROD,
    TF_CPU_I8MM,
};

/* The best level that processor and operating system offer, read once (XCR0 is honoured on x86; for AMX the
 * kernel is asked for the process's permission, and a refusal means that the level is not there). */
enum tf_cpu_level tf_cpu_detect(void);
/* "generic", "avx2", "avxvnni", "avx512vnni", "amx", "neon", "dotprod", "i8mm". */
const char *tf_cpu_name(enum tf_cpu_level level);
/* Whether this machine can run kernels of that level (a ladder with side rungs: avx512vnni does not imply
 * avxvnni). */
int tf_cpu_has(enum tf_cpu_level level);
/*
 * The level to use under a cap: `name` if not NULL, else TF_CPU if set, else none. -EINVAL: an unknown name,
 * or one of another architecture (the message lists the names); -ENOTSUP: this machine has not got it.
 */
int tf_cpu_select(const char *name, enum tf_cpu_level *ret, struct tf_error *err);

#endif
