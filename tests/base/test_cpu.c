/* The ladder of instruction sets and its caps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#if defined(__x86_64__) && defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/count.h"
#include "base/cpu.h"

static void generic_is_everywhere(void **state)
{
    enum tf_cpu_level level = TF_CPU_I8MM;

    assert_true(tf_cpu_has(TF_CPU_GENERIC));
    assert_int_equal(tf_cpu_select("generic", &level, NULL), 0);
    assert_int_equal(level, TF_CPU_GENERIC);
    assert_true(tf_cpu_has(tf_cpu_detect()));
}

static void environment_is_a_cap_and_the_option_wins(void **state)
{
    enum tf_cpu_level level;

    setenv("TF_CPU", "generic", 1);
    assert_int_equal(tf_cpu_select(NULL, &level, NULL), 0);
    assert_int_equal(level, TF_CPU_GENERIC);
    setenv("TF_CPU", "no-such-level", 1);
    assert_int_equal(tf_cpu_select("generic", &level, NULL), 0);
    unsetenv("TF_CPU");
    assert_int_equal(tf_cpu_select(NULL, &level, NULL), 0);
    assert_int_equal(level, tf_cpu_detect());
}

static void unknown_name_lists_the_names(void **state)
{
    struct tf_error err = {0};
    enum tf_cpu_level level = TF_CPU_GENERIC;

    assert_int_equal(tf_cpu_select("sse9", &level, &err), -EINVAL);
    assert_non_null(strstr(err.text, "sse9"));
    assert_non_null(strstr(err.text, "generic"));
    assert_int_equal(level, TF_CPU_GENERIC);
#if defined(__x86_64__)
    assert_int_equal(tf_cpu_select("neon", &level, &err), -EINVAL);
#endif
}

static void missing_level_is_refused(void **state)
{
#if defined(__x86_64__)
    static const enum tf_cpu_level all[] = {TF_CPU_AVX2, TF_CPU_AVXVNNI, TF_CPU_AVX512VNNI, TF_CPU_AMX};
#elif defined(__aarch64__)
    static const enum tf_cpu_level all[] = {TF_CPU_NEON, TF_CPU_DOTPROD, TF_CPU_I8MM};
#else
    static const enum tf_cpu_level all[] = {TF_CPU_GENERIC};
#endif
    for (size_t i = 0; i < TF_COUNT(all); i++) {
        enum tf_cpu_level level;
        int r = tf_cpu_select(tf_cpu_name(all[i]), &level, NULL);

        assert_int_equal(r, tf_cpu_has(all[i]) ? 0 : -ENOTSUP);
    }
}

#if defined(__x86_64__) && defined(__linux__)
/* The level of a process to which the kernel gives no tile registers: its number, 100: no such filter here.
 */
static int level_without_tiles(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = TF_COUNT(rules), .filter = rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
        return 100;
    return tf_cpu_has(TF_CPU_AMX) ? TF_CPU_AMX : (int)tf_cpu_detect();
}

/* Comes first: what a process has found out it keeps. */
static void refused_tiles_leave_the_level_below(void **state)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(level_without_tiles());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (!tf_cpu_has(TF_CPU_AMX) || WEXITSTATUS(status) == 100)
        skip();
    assert_int_equal(WEXITSTATUS(status), TF_CPU_AVX512VNNI);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__) && defined(__linux__)
        cmocka_unit_test(refused_tiles_leave_the_level_below),
#endif
        cmocka_unit_test(generic_is_everywhere),
        cmocka_unit_test(environment_is_a_cap_and_the_option_wins),
        cmocka_unit_test(unknown_name_lists_the_names),
        cmocka_unit_test(missing_level_is_refused),
    };
    return cmocka_run_group_tests_name("base cpu", tests, NULL, NULL);
}
