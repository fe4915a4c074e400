/* Clocks, sleeping, and UTC as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/clock_sync.h"

static void utc_text(void **state)
{
    char text[TF_UTC_TEXT];

    tf_utc_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    tf_utc_format(1772360130123456789, text);
    assert_string_equal(text, "2026-03-01T10:15:30.123456Z");
    tf_utc_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void sleeping_reaches_the_deadline(void **state)
{
    uint64_t until = tf_now_ns() + 5000000;

    tf_sleep_until_ns(until);
    assert_true(tf_now_ns() >= until);
    tf_sleep_until_ns(until - 1000000); /* passed: returns at once */
}

static void offset_joins_the_clocks(void **state)
{
    int64_t error = tf_utc_now_ns() - ((int64_t)tf_now_ns() + tf_utc_offset_ns());

    assert_true(llabs(error) < TF_NS_PER_S);
}

/* What is kept is what the kernel said, whole; before it was asked, nothing is. */
static void synchronisation(void **state)
{
    struct timex t = {.modes = 0};
    struct tf_clock_sync c = tf_clock_sync_kept();

    assert_false(c.known);
    if (adjtimex(&t) < 0)
        skip();
    tf_clock_sync_refresh();
    c = tf_clock_sync_kept();
    assert_true(c.known);
    assert_int_equal(c.synchronised, !(t.status & STA_UNSYNC));
    assert_true(c.max_error_us <= TF_CLOCK_ERROR_MAX_US);
    assert_true(llabs((long long)c.max_error_us - t.maxerror) < 100000 || t.maxerror > TF_CLOCK_ERROR_MAX_US);
    assert_true(llabs((long long)c.error_us - t.esterror) < 100000 || t.esterror > TF_CLOCK_ERROR_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_text),
        cmocka_unit_test(sleeping_reaches_the_deadline),
        cmocka_unit_test(offset_joins_the_clocks),
        cmocka_unit_test(synchronisation),
    };
    return cmocka_run_group_tests_name("base clock", tests, NULL, NULL);
}
