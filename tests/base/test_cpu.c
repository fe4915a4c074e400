/* The ladder of instruction sets and its caps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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
    static const enum tf_cpu_level all[] = {TF_CPU_AVX2, TF_CPU_AVXVNNI, TF_CPU_AVX512VNNI};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic_is_everywhere),
        cmocka_unit_test(environment_is_a_cap_and_the_option_wins),
        cmocka_unit_test(unknown_name_lists_the_names),
        cmocka_unit_test(missing_level_is_refused),
    };
    return cmocka_run_group_tests_name("base cpu", tests, NULL, NULL);
}
