/* Which addresses are this machine's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/address.h"
#include "base/count.h"

static void loopback_is_told_from_the_rest(void **state)
{
    static const char *const near[] = {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "localhost"};
    static const char *const far[] = {"0.0.0.0",
                                      "::",
                                      "192.168.1.2",
                                      "128.0.0.1",
                                      "fe80::1",
                                      "::ffff:192.168.1.2",
                                      "localhost.example.org",
                                      "127.0.0.1.example.org",
                                      "127.1",
                                      ""};

    for (size_t i = 0; i < TF_COUNT(near); i++)
        assert_true(tf_address_is_loopback(near[i]));
    for (size_t i = 0; i < TF_COUNT(far); i++)
        assert_false(tf_address_is_loopback(far[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_told_from_the_rest),
    };

    return cmocka_run_group_tests_name("base address", tests, NULL, NULL);
}
