/* A camera's status: names and percentiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "publish/status/status.h"

static void latencies_fall_into_their_buckets(void **state)
{
    struct tf_status status = {0};

    for (int i = 1; i < TF_LATENCY_BUCKETS - 1; i++)
        assert_true(tf_latency_bounds_us[i] > tf_latency_bounds_us[i - 1]);
    tf_status_add_latency(&status, 0);
    tf_status_add_latency(&status, tf_latency_bounds_us[0]); /* a bound belongs to its bucket */
    tf_status_add_latency(&status, tf_latency_bounds_us[0] + 1);
    tf_status_add_latency(&status, UINT32_MAX);
    assert_int_equal(status.latency_buckets[0], 2);
    assert_int_equal(status.latency_buckets[1], 1);
    assert_int_equal(status.latency_buckets[TF_LATENCY_BUCKETS - 1], 1);
    assert_int_equal(status.latency_count, 4);
    assert_int_equal(status.latency_sum_us, 2ull * tf_latency_bounds_us[0] + 1 + UINT32_MAX);
    assert_int_equal(status.latency_us, UINT32_MAX);
}

static void states_have_names(void **state)
{
    assert_string_equal(tf_camera_state_name(TF_CAMERA_OPENING), "opening");
    assert_string_equal(tf_camera_state_name(TF_CAMERA_NO_SIGNAL), "no_signal");
    assert_string_equal(tf_camera_state_name(TF_CAMERA_ENDED), "ended");
    assert_string_equal(tf_camera_state_name((enum tf_camera_state)99), "unknown");
    assert_string_equal(tf_state_name(TF_STATE_OK), "ok");
    assert_string_equal(tf_state_name(TF_STATE_STALE), "stale");
    assert_string_equal(tf_state_name((enum tf_state)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_fall_into_their_buckets),
        cmocka_unit_test(states_have_names),
    };

    return cmocka_run_group_tests_name("publish status", tests, NULL, NULL);
}
