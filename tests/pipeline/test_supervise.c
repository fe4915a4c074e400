/* The supervisor: cameras that go away, fall silent, or were never there. */
#include "base/clock.h"
#include "base/count.h"
#include "tests/pipeline/common.h"

static void a_lost_camera_comes_back_and_numbers_go_on(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:gone=0.4");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    struct tf_status status;
    unsigned n, restarts = 0;

    options.retry = true;
    pipeline = start_pipeline(&options, seen);
    wait_state(pipeline, TF_CAMERA_RUNNING, 3000);
    status = wait_state(pipeline, TF_CAMERA_LOST, 3000);
    assert_non_null(strstr(status.message, "gone"));
    assert_int_equal(status.faces, 0);
    status = wait_state(pipeline, TF_CAMERA_RUNNING, 3000);
    assert_string_equal(status.message, "");
    assert_int_equal(status.reopened, 1);
    wait_state(pipeline, TF_CAMERA_LOST, 3000);
    status = wait_state(pipeline, TF_CAMERA_RUNNING, 3000);
    assert_int_equal(status.reopened, 2);
    wait_state(pipeline, TF_CAMERA_LOST, 3000);
    assert_true(tf_pipeline_running(pipeline));
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0); /* a loss that is being handled is no error */
    n = atomic_load(&seen->count);
    check_order(seen);
    for (unsigned i = 1; i < n; i++)
        if (seen->heads[i].sequence < seen->heads[i - 1].sequence) {
            restarts++;
            assert_true(seen->heads[i].flags &
                        TF_FLAG_GAP); /* what an absence cost is not known, that it did is */
            /* The first try comes after 0.25 s. */
            assert_in_range(seen->heads[i].t_mono_ns - seen->heads[i - 1].t_mono_ns, 250000000, 1500000000);
        }
    assert_in_range(restarts, 2, 3);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

/* Another thread asks, capture moves the shutter; a camera that is away is said to be. */
static void the_shutter_is_moved_by_capture(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:gone=1.5");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};
    bool closed = false;
    unsigned n;
    int r;

    options.retry = true;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 5, 5000);
    assert_int_equal(tf_pipeline_ffc(pipeline, TF_FFC_TRIGGER, &err), 0);
    /* Over losses and returns, it answers: done, or away. */
    for (int i = 0; i < 200; i++) {
        r = tf_pipeline_ffc(pipeline, i % 2 ? TF_FFC_RELEASE : TF_FFC_HOLD, &err);
        assert_true(r == 0 || r == -EAGAIN || r == -ENODEV);
        usleep(10000);
    }
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    assert_int_equal(tf_pipeline_ffc(pipeline, TF_FFC_TRIGGER, &err), -EAGAIN);
    n = atomic_load(&seen->count);
    for (unsigned i = 0; i < n; i++)
        closed |= (seen->heads[i].flags & TF_FLAG_FFC) != 0;
    assert_true(closed);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

static void without_retry_a_loss_is_the_end(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:gone=0.2");
    struct tf_pipeline *pipeline = start_pipeline(&options, NULL);
    struct tf_error err = {0};

    assert_int_equal(tf_pipeline_wait(pipeline, 5000), 0);
    assert_int_equal(tf_pipeline_stop(pipeline, &err), -EIO);
    assert_non_null(strstr(err.text, "gone"));
    tf_pipeline_destroy(pipeline);
}

static void silence_is_no_signal(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic:stall=0.3");
    struct tf_pipeline *pipeline;
    struct tf_snapshot snapshot = {0};
    struct tf_status status;
    char reason[128];
    uint64_t begin;

    options.retry = true;
    pipeline = start_pipeline(&options, NULL);
    wait_state(pipeline, TF_CAMERA_RUNNING, 2000);
    begin = tf_now_ns();
    status = wait_state(pipeline, TF_CAMERA_NO_SIGNAL, 5000);
    assert_in_range(tf_now_ns() - begin, 1900000000, 4000000000);
    assert_non_null(strstr(status.message, "no frames"));
    /* What its picture says of how long goes on. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tf_pipeline_snapshot(pipeline, &snapshot, NULL), 0);
        free(snapshot.data);
    }
    assert_true(status.fps >= 0);
    assert_int_equal(tf_pipeline_health(pipeline, reason, sizeof(reason)), 0);
    begin = tf_now_ns();
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    assert_true(tf_now_ns() - begin < TF_NS_PER_S);
    tf_pipeline_destroy(pipeline);
}

static void an_absent_camera_is_waited_for(void **state)
{
    struct tf_pipeline_options options = small_camera("/dev/video-that-is-not-there");
    struct tf_pipeline *pipeline;
    struct tf_status status;
    struct tf_error err = {0};
    struct tf_snapshot snapshot = {0};

    options.source.width = options.source.height = 0;
    options.retry = true;
    options.pictures = true;
    pipeline = start_pipeline(&options, NULL);
    status = wait_state(pipeline, TF_CAMERA_LOST, 2000);
    assert_non_null(strstr(status.message, "/dev/video-that-is-not-there"));
    assert_null(tf_pipeline_source_info(pipeline));
    assert_int_equal(tf_pipeline_snapshot(pipeline, &snapshot, &err), -EAGAIN);
    usleep(800000);
    assert_true(tf_pipeline_running(pipeline));
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    tf_pipeline_destroy(pipeline);
}

/* What no waiting can mend ends at once, also under supervision. */
static void a_mistake_is_not_waited_for(void **state)
{
    static const char *const urls[] = {"synthetic:nonsense=1", "/nonsense.mkv"};

    for (size_t i = 0; i < TF_COUNT(urls); i++) {
        struct tf_pipeline_options options = small_camera(urls[i]);
        struct tf_pipeline *pipeline;
        struct tf_error err = {0};

        options.retry = true;
        pipeline = start_pipeline(&options, NULL);
        assert_int_equal(tf_pipeline_wait(pipeline, 3000), 0);
        assert_true(tf_pipeline_stop(pipeline, &err) < 0);
        assert_non_null(strstr(err.text, "nonsense"));
        tf_pipeline_destroy(pipeline);
    }
}

static void snapshots_show_what_is_now(void **state)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    struct tf_pipeline_options options = small_camera("synthetic:gone=0.5");
    struct tf_overlay_options overlay = tf_overlay_defaults();
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};
    struct seen *seen = seen_new();
    struct tf_snapshot running = {0}, lost = {0}, jpeg = {.format = TF_SNAPSHOT_JPEG};

    options.retry = true;
    options.pictures = true;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 5, 3000);
    assert_int_equal(tf_pipeline_snapshot(pipeline, &running, &err), 0);
    assert_memory_equal(running.data, signature, sizeof(signature));
    wait_state(pipeline, TF_CAMERA_LOST, 3000);
    assert_int_equal(tf_pipeline_snapshot(pipeline, &lost, &err), 0);
    assert_memory_equal(lost.data, signature, sizeof(signature));
    assert_true(lost.size != running.size || memcmp(lost.data, running.data, lost.size) != 0);
    assert_true(running.version != 0 && lost.version != running.version);
    assert_int_equal(tf_pipeline_snapshot(pipeline, &jpeg, &err), 0);
    assert_memory_equal(jpeg.data, "\xff\xd8\xff", 3);

    /* Reload: looks may change, the size may not. */
    overlay.points = false;
    assert_int_equal(tf_pipeline_set_overlay(pipeline, &overlay, &err), 0);
    overlay.lines_min = 720;
    assert_int_equal(tf_pipeline_set_overlay(pipeline, &overlay, &err), -EINVAL);
    free(running.data);
    free(jpeg.data);
    free(lost.data);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_camera_comes_back_and_numbers_go_on),
        cmocka_unit_test(the_shutter_is_moved_by_capture),
        cmocka_unit_test(without_retry_a_loss_is_the_end),
        cmocka_unit_test(silence_is_no_signal),
        cmocka_unit_test(an_absent_camera_is_waited_for),
        cmocka_unit_test(a_mistake_is_not_waited_for),
        cmocka_unit_test(snapshots_show_what_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
