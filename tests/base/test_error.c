/* Errors' texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static void message_and_code(void **state)
{
    struct tf_error err = {0};

    assert_int_equal(tf_fail(&err, -EINVAL, "%s: line %d", "a.conf", 3), -EINVAL);
    assert_string_equal(err.text, "a.conf: line 3");
    assert_int_equal(tf_fail(NULL, -ENOENT, "nobody listens"), -ENOENT);
}

static void prefix_goes_before(void **state)
{
    struct tf_error err = {0};

    tf_fail(&err, -EINVAL, "bad value");
    tf_error_prefix(&err, "camera \"%s\"", "left");
    assert_string_equal(err.text, "camera \"left\": bad value");
    tf_error_prefix(NULL, "x");
}

static void long_message_is_cut_visibly(void **state)
{
    struct tf_error err = {0};
    char long_text[2 * TF_ERROR_TEXT];

    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    tf_fail(&err, -EINVAL, "%s", long_text);
    assert_true(strlen(err.text) < TF_ERROR_TEXT);
    assert_string_equal(err.text + strlen(err.text) - 3, "\xe2\x80\xa6");
    tf_error_prefix(&err, "prefix");
    assert_memory_equal(err.text, "prefix: a", 9);
    assert_string_equal(err.text + strlen(err.text) - 3, "\xe2\x80\xa6");
}

static void cut_keeps_utf8_whole(void **state)
{
    /* Two-byte characters at every phase: the byte before the dots is never half of one. */
    for (int shift = 0; shift < 4; shift++) {
        struct tf_error err = {0};
        char text[2 * TF_ERROR_TEXT] = {0};
        size_t n;

        for (int i = 0; i < shift; i++)
            text[i] = 'x';
        for (int i = shift; i + 2 < (int)sizeof(text); i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        tf_fail(&err, -EINVAL, "%s", text);
        n = strlen(err.text) - 3;
        assert_int_equal((n - (size_t)shift) % 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_and_code),
        cmocka_unit_test(prefix_goes_before),
        cmocka_unit_test(long_message_is_cut_visibly),
        cmocka_unit_test(cut_keeps_utf8_whole),
    };
    return cmocka_run_group_tests_name("base error", tests, NULL, NULL);
}
