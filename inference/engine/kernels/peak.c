/* The machine's peak at each level: what a share of it is a share of. Register-only loops of independent
 * chains. */
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/cpu.h"
#include "inference/engine/kernels/bench.h"

#define ROUNDS 2000 /* of a loop body, between looks at the clock */

/* Returns the multiply-accumulates of ROUNDS bodies. The asm keeps the compiler from knowing the values. */
typedef uint64_t (*peak_fn)(void);

static uint64_t peak_generic(void)
{
    uint8_t a[64];
    int8_t w[64];
    int32_t acc[64];

    memset(a, 3, sizeof(a));
    memset(w, 5, sizeof(w));
    memset(acc, 0, sizeof(acc));
    __asm__ volatile("" : : "r"(a), "r"(w), "r"(acc) : "memory");
    for (int n = 0; n < ROUNDS; n++) {
        for (int i = 0; i < 64; i++)
            acc[i] += a[i] * w[i];
        __asm__ volatile("" : : "r"(acc) : "memory");
    }
    return 64ull * ROUNDS;
}

#if defined(__x86_64__)
#define REPEAT12(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#define ZMM(i) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #i "\n\t"
static uint64_t peak_avx512vnni(void)
{
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(REPEAT12(ZMM)
                         :
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                           "xmm10", "xmm11");
    return 12ull * 64 * ROUNDS;
}

#define YMM(i) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #i "\n\t"
static uint64_t peak_avxvnni(void)
{
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(REPEAT12(YMM)
                         :
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                           "xmm10", "xmm11");
    return 12ull * 32 * ROUNDS;
}

/* Four products of tiles, which no sum of another waits for; the tiles' contents do not matter. */
#define TMM(i) "tdpbusd %%tmm5, %%tmm4, %%tmm" #i "\n\t"
static uint64_t peak_amx(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm4\n\ttilezero %%tmm5" : : "m"(config));
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(TMM(0) TMM(1) TMM(2) TMM(3) : :);
    __asm__ volatile("tilerelease");
    return 4ull * 16 * 16 * 64 * ROUNDS;
}

#define MADD(i)                                                                                              \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n\tvpmaddwd %%ymm13, %%ymm12, %%ymm12\n\tvpaddd %%ymm12, %%ymm" #i \
    ", %%ymm" #i "\n\t"
static uint64_t peak_avx2(void)
{
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(REPEAT12(MADD)
                         :
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                           "xmm10", "xmm11", "xmm12");
    return 12ull * 32 * ROUNDS;
}
#elif defined(__aarch64__)
#define REPEAT16(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define CLOBBER                                                                                              \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",  \
        "v24"

#define SMLAL(i) "smull v24.8h, v30.8b, v31.8b\n\tsadalp v" #i ".4s, v24.8h\n\t"
static uint64_t peak_neon(void)
{
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(REPEAT16(SMLAL) : : : CLOBBER);
    return 16ull * 8 * ROUNDS;
}

#define SDOT(i) "sdot v" #i ".4s, v30.16b, v31.16b\n\t"
/* For the assembler: the function is called only where the processor has the instruction. */
#ifdef __clang__
#define DOTPROD __attribute__((target("dotprod")))
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
DOTPROD static uint64_t peak_dotprod(void)
{
    for (int n = 0; n < ROUNDS; n++)
        __asm__ volatile(REPEAT16(SDOT) : : : CLOBBER);
    return 16ull * 16 * ROUNDS;
}
#endif

static const struct {
    enum tf_cpu_level level;
    peak_fn run;
} peaks[] = {
    {TF_CPU_GENERIC, peak_generic},
#if defined(__x86_64__)
    {TF_CPU_AVX2, peak_avx2},       {TF_CPU_AVXVNNI, peak_avxvnni}, {TF_CPU_AVX512VNNI, peak_avx512vnni},
    {TF_CPU_AMX, peak_amx},
#elif defined(__aarch64__)
    {TF_CPU_NEON, peak_neon},
    {TF_CPU_DOTPROD, peak_dotprod},
    {TF_CPU_I8MM, peak_dotprod},
#endif
};

double tf_kernel_peak_gmacs(const char *level, uint64_t ns)
{
    for (size_t i = 0; i < TF_COUNT(peaks); i++) {
        uint64_t start = tf_now_ns(), before, after;
        double best = 0;

        if (strcmp(tf_cpu_name(peaks[i].level), level) != 0 || !tf_cpu_has(peaks[i].level))
            continue;
        /* The best of many short stretches: other work on the machine can only make one slower. */
        do {
            uint64_t macs = 0;
            before = tf_now_ns();
            for (int k = 0; k < 8; k++)
                macs += peaks[i].run();
            after = tf_now_ns();
            if (after > before && (double)macs / (double)(after - before) > best)
                best = (double)macs / (double)(after - before);
        } while (after - start < ns);
        return best;
    }
    return 0;
}
