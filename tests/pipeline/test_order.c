/* Live: every captured frame gives one record, in order, whatever inference and sinks can keep up with. */
#include "tests/pipeline/common.h"

static void records_keep_the_order_of_capture(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline = start_pipeline(&options, seen);
    struct tf_status status;

    wait_records(seen, 60, 5000);
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    tf_pipeline_status(pipeline, &status);
    check_order(seen);
    assert_int_equal(status.frames, atomic_load(&seen->count));
    for (unsigned i = 0; i < atomic_load(&seen->count); i++) {
        assert_int_equal(seen->heads[i].state, TF_STATE_NO_FACE);
        assert_true(seen->heads[i].latency_us >= 0);
        assert_true(seen->heads[i].celsius);
    }
    assert_int_equal(atomic_load(&seen->closed), 1);
    tf_pipeline_destroy(pipeline);
    assert_int_equal(atomic_load(&seen->closed), 1);
    free(seen);
}

/* A sink that takes 30 ms at 200 frames a second: about five of six frames are skipped, and each says so.
 */
static void skipped_frames_have_their_records_in_place(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    unsigned skipped = 0, looked_at = 0, n;
    struct tf_status status;

    options.source.fps = 200;
    seen->sleep_us = 30000;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 120, 20000);
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    n = atomic_load(&seen->count);
    check_order(seen);
    for (unsigned i = 0; i < n; i++) {
        const struct tf_record *r = &seen->heads[i];

        skipped += r->state == TF_STATE_SKIPPED;
        looked_at += r->state == TF_STATE_NO_FACE;
        /* What the driver lost is no record; all else follows one upon the other. */
        if (i)
            assert_int_equal(r->sequence - r[-1].sequence, 1 + (r->dropped.driver - r[-1].dropped.driver) +
                                                               (r->dropped.capture - r[-1].dropped.capture));
    }
    assert_true(skipped > 10);
    assert_true(looked_at > 10);
    assert_int_equal(skipped + looked_at, n);
    tf_pipeline_status(pipeline, &status);
    assert_int_equal(status.state_frames[TF_STATE_SKIPPED], skipped);
    assert_int_equal(status.dropped.inference, skipped);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

static void damaged_and_lost_frames_are_said(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:corrupt=5,drop=7");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline = start_pipeline(&options, seen);
    unsigned corrupt = 0, gaps = 0, n;

    wait_records(seen, 70, 5000);
    tf_pipeline_stop(pipeline, NULL);
    n = atomic_load(&seen->count);
    check_order(seen);
    for (unsigned i = 0; i < n; i++) {
        const struct tf_record *r = &seen->heads[i];

        assert_int_equal(r->state == TF_STATE_CORRUPT, (r->flags & TF_FLAG_CORRUPT) != 0);
        corrupt += r->state == TF_STATE_CORRUPT;
        gaps += (r->flags & TF_FLAG_GAP) != 0;
        assert_int_equal(r->faces.count, 0);
    }
    assert_true(corrupt >= 10);
    assert_true(gaps >= 8);
    assert_true(seen->heads[n - 1].dropped.driver >= gaps);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

static void a_closed_shutter_is_stale(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:ffc=5");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    unsigned stale = 0;

    /* The shutter closes every five seconds; offline they pass quickly. */
    options.source.pace = TF_PACE_FAST;
    options.source.settle_ns = 100000000;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 400, 10000);
    tf_pipeline_stop(pipeline, NULL);
    check_order(seen);
    for (unsigned i = 0; i < atomic_load(&seen->count); i++) {
        const struct tf_record *r = &seen->heads[i];

        assert_int_equal(r->state == TF_STATE_STALE, (r->flags & (TF_FLAG_FFC | TF_FLAG_DUPLICATE)) != 0);
        stale += r->state == TF_STATE_STALE;
    }
    assert_true(stale > 0);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

static void several_cameras_run_side_by_side(void **state)
{
    struct tf_pipeline *pipelines[3];
    struct seen *seen[3];

    for (int i = 0; i < 3; i++) {
        struct tf_pipeline_options options = small_camera("synthetic");

        seen[i] = seen_new();
        pipelines[i] = start_pipeline(&options, seen[i]);
    }
    for (int i = 0; i < 3; i++)
        wait_records(seen[i], 30, 5000);
    for (int i = 0; i < 3; i++)
        tf_pipeline_ask_stop(pipelines[i]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tf_pipeline_stop(pipelines[i], NULL), 0);
        check_order(seen[i]);
        tf_pipeline_destroy(pipelines[i]);
        free(seen[i]);
    }
}

/* With a sink that is slower than the rings are long, the end still comes within its time, and nothing is
 * left out. */
static void a_stop_is_quick_and_drops_no_record(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    struct tf_status status;
    uint64_t begin;

    seen->sleep_us = 30000;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 5, 5000);
    begin = tf_now_ns();
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    assert_true(tf_now_ns() - begin < 2000000000ull);
    assert_false(tf_pipeline_running(pipeline));
    tf_pipeline_status(pipeline, &status);
    assert_int_equal(status.frames, atomic_load(&seen->count));
    check_order(seen);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_keep_the_order_of_capture),
        cmocka_unit_test(skipped_frames_have_their_records_in_place),
        cmocka_unit_test(damaged_and_lost_frames_are_said),
        cmocka_unit_test(a_closed_shutter_is_stale),
        cmocka_unit_test(several_cameras_run_side_by_side),
        cmocka_unit_test(a_stop_is_quick_and_drops_no_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
