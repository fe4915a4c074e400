/* Which instruction sets this processor and system have, and the ladder that --cpu caps. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
/* clang 14 does not name them. */
#ifndef bit_AMX_TILE
#define bit_AMX_TILE (1u << 24)
#define bit_AMX_INT8 (1u << 25)
#endif
#elif defined(__aarch64__)
#include <sys/auxv.h>
#include <asm/hwcap.h>
#endif

static const char *const names[] = {
    [TF_CPU_GENERIC] = "generic",       [TF_CPU_AVX2] = "avx2", [TF_CPU_AVXVNNI] = "avxvnni",
    [TF_CPU_AVX512VNNI] = "avx512vnni", [TF_CPU_AMX] = "amx",   [TF_CPU_NEON] = "neon",
    [TF_CPU_DOTPROD] = "dotprod",       [TF_CPU_I8MM] = "i8mm",
};
#define LEVELS TF_COUNT(names)

/* Rungs of this architecture, worst first. */
#if defined(__x86_64__)
static const enum tf_cpu_level ladder[] = {TF_CPU_GENERIC, TF_CPU_AVX2, TF_CPU_AVXVNNI, TF_CPU_AVX512VNNI,
                                           TF_CPU_AMX};
#define ARCH_LEVELS "generic, avx2, avxvnni, avx512vnni, amx"
#elif defined(__aarch64__)
static const enum tf_cpu_level ladder[] = {TF_CPU_GENERIC, TF_CPU_NEON, TF_CPU_DOTPROD, TF_CPU_I8MM};
#define ARCH_LEVELS "generic, neon, dotprod, i8mm"
#else
static const enum tf_cpu_level ladder[] = {TF_CPU_GENERIC};
#define ARCH_LEVELS "generic"
#endif
#define RUNGS TF_COUNT(ladder)

static bool available[LEVELS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
static uint64_t read_xcr0(void)
{
    unsigned lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/*
 * Tile registers are the process's only after it asked (Linux, Documentation/arch/x86/xstate.rst): their
 * state is 8 KiB, which a signal's frame must hold too. Refused: by an older kernel (before 5.16), by a
 * filter of system calls, or for an alternate signal stack that is too small.
 */
static bool tiles_permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    const int request = 0x1023 /* ARCH_REQ_XCOMP_PERM */, tile_data = 18;

    return syscall(SYS_arch_prctl, request, tile_data) == 0;
#else
    return false;
#endif
}

/* Intel SDM vol. 1, 13.3 and 14.3: a feature counts only if the operating system saves its registers (XCR0).
 */
static void detect_arch(void)
{
    unsigned a, b, c, d, b7, c7, d7, a71 = 0, highest;
    uint64_t xcr0;
    bool ymm, zmm, tiles;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return;
    if (!(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA))
        return;
    xcr0 = read_xcr0();
    ymm = (xcr0 & 0x06) == 0x06;
    zmm = (xcr0 & 0xE6) == 0xE6;
    tiles = (xcr0 & 0x60000) == 0x60000;
    if (!ymm || !__get_cpuid_count(7, 0, &highest, &b7, &c7, &d7))
        return;
    if (highest >= 1)
        __get_cpuid_count(7, 1, &a71, &b, &c, &d);
    available[TF_CPU_AVX2] = b7 & bit_AVX2;
    available[TF_CPU_AVXVNNI] = available[TF_CPU_AVX2] && (a71 & 1u << 4);
    available[TF_CPU_AVX512VNNI] = available[TF_CPU_AVX2] && zmm && (b7 & bit_AVX512F) &&
                                   (b7 & bit_AVX512BW) && (b7 & bit_AVX512DQ) && (b7 & bit_AVX512VL) &&
                                   (c7 & bit_AVX512VNNI);
    available[TF_CPU_AMX] = available[TF_CPU_AVX512VNNI] && tiles && (d7 & bit_AMX_TILE) &&
                            (d7 & bit_AMX_INT8) && tiles_permitted();
}
#elif defined(__aarch64__)
static void detect_arch(void)
{
    unsigned long hw = getauxval(AT_HWCAP), hw2 = getauxval(AT_HWCAP2);

    available[TF_CPU_NEON] = hw & HWCAP_ASIMD;
    available[TF_CPU_DOTPROD] = available[TF_CPU_NEON] && (hw & HWCAP_ASIMDDP);
    available[TF_CPU_I8MM] = available[TF_CPU_DOTPROD] && (hw2 & HWCAP2_I8MM);
}
#else
static void detect_arch(void)
{
}
#endif

static void detect(void)
{
    available[TF_CPU_GENERIC] = true;
    detect_arch();
}

int tf_cpu_has(enum tf_cpu_level level)
{
    pthread_once(&once, detect);
    return (size_t)level < LEVELS && available[level];
}

enum tf_cpu_level tf_cpu_detect(void)
{
    for (size_t i = RUNGS; i-- > 0;)
        if (tf_cpu_has(ladder[i]))
            return ladder[i];
    return TF_CPU_GENERIC;
}

const char *tf_cpu_name(enum tf_cpu_level level)
{
    return (size_t)level < LEVELS ? names[level] : "unknown";
}

int tf_cpu_select(const char *name, enum tf_cpu_level *ret, struct tf_error *err)
{
    if (!name)
        name = getenv("TF_CPU");
    if (!name || !*name) {
        *ret = tf_cpu_detect();
        return 0;
    }
    for (size_t i = 0; i < RUNGS; i++) {
        if (strcmp(name, names[ladder[i]]) != 0)
            continue;
        if (!tf_cpu_has(ladder[i]))
            return tf_fail(err, -ENOTSUP, "CPU level \"%s\": this machine has not got it; its best is \"%s\"",
                           name, tf_cpu_name(tf_cpu_detect()));
        *ret = ladder[i];
        return 0;
    }
    return tf_fail(err, -EINVAL, "CPU level \"%s\" is not one of " ARCH_LEVELS, name);
}
