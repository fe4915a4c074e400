/* What clients may use of the process's descriptors, under several limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "base/count.h"
#include "base/descriptors.h"

static void a_part_stays_free(void **state)
{
    static const struct {
        rlim_t limit;
        unsigned clients;
    } cases[] = {{16, 0}, {64, 0}, {65, 1}, {100, 36}, {256, 192}, {1024, 768}, {4096, 3584}};
    struct rlimit before, limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        limit = before;
        if (cases[i].limit > before.rlim_max)
            continue;
        limit.rlim_cur = cases[i].limit;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(tf_descriptors_for_clients(), cases[i].clients);
        if (cases[i].clients) {
            assert_true(tf_descriptor_spare((int)cases[i].clients - 1));
            assert_true(tf_descriptor_spare(0));
        }
        assert_false(tf_descriptor_spare((int)cases[i].clients));
        assert_false(tf_descriptor_spare(-1));
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_part_stays_free)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
