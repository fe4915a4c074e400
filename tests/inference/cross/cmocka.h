/*
 * The few parts of cmocka that the kernel tests use, so that they can be built for another processor and run
 * under qemu without that processor's libraries. Output has cmocka's form.
 */
#ifndef TF_TESTS_CROSS_CMOCKA_H
#define TF_TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    void *setup_func, *teardown_func;
    void *initial_state;
};
#define cmocka_unit_test(f)                                                                                  \
    {                                                                                                        \
        .name = #f, .test_func = f                                                                           \
    }

static jmp_buf cross_out;

#define cross_fail(...)                                                                                      \
    (printf("[  ERROR   ] --- %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"),              \
     longjmp(cross_out, 1))
#define fail_msg(...) cross_fail(__VA_ARGS__)
#define skip() longjmp(cross_out, 2)
#define print_message(...) printf(__VA_ARGS__)
#define assert_true(c) ((c) ? (void)0 : cross_fail("%s", #c))
#define assert_false(c) assert_true(!(c))
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_int_not_equal(a, b) assert_true((long long)(a) != (long long)(b))
#define assert_string_not_equal(a, b) assert_true(strcmp(a, b) != 0)

static inline int cmocka_run_group_tests_name(const char *group, const struct CMUnitTest *tests, void *s,
                                              void *t, size_t n)
{
    volatile int failed = 0;

    printf("[==========] %s: Running %zu test(s).\n", group, n);
    for (size_t i = 0; i < n; i++) {
        void *state = tests[i].initial_state;
        int r;

        printf("[ RUN      ] %s\n", tests[i].name);
        r = setjmp(cross_out);
        if (!r)
            tests[i].test_func(&state);
        printf("%s %s\n", r == 0 ? "[       OK ]" : r == 1 ? "[  FAILED  ]" : "[  SKIPPED ]", tests[i].name);
        failed = failed + (r == 1);
    }
    printf("[==========] %zu test(s) run.\n", n);
    return failed;
}
#define cmocka_run_group_tests_name(group, tests, s, t)                                                      \
    cmocka_run_group_tests_name(group, tests, s, t, sizeof(tests) / sizeof((tests)[0]))

#endif
