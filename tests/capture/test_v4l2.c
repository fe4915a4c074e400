/* A V4L2 camera that runs: buffers, stamps, gaps, damage, loss, silence, the end. */
#include "base/clock.h"
#include "base/count.h"
#include "v4l2_pattern.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void frames_lend_the_drivers_buffers(void **state)
{
    struct tf_source *s = open_source(&plain);
    const struct tf_source_info *info = tf_source_info(s);

    assert_string_equal(info->kind, "v4l2");
    assert_string_equal(info->name, "Fake camera");
    assert_string_equal(info->identity, FAKE_PATH);
    assert_string_equal(info->format->name, "lepton3-y16");
    assert_true(info->live);
    assert_float_equal(info->fps, 9, 0.01);
    for (unsigned i = 0; i < 40; i++) {
        struct tf_frame *f = next_frame(s);

        assert_u16(f, i, 160, 0);
        assert_int_equal(f->sequence, i);
        assert_int_equal(f->flags, 0);
        assert_int_equal(f->stamp, TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns <= tf_now_ns() && tf_now_ns() - f->t_mono_ns < TF_NS_PER_S);
        tf_frame_unref(f);
    }
    assert_int_equal(fake.maps, 12);
    tf_source_close(s);
    assert_int_equal(fake.streams_off, 1);
    assert_int_equal(fake.closes, fake.opens);
}

static void stamps_are_taken_from_where_the_flags_say(void **state)
{
    static const struct {
        uint32_t flags;
        enum tf_stamp stamp;
    } cases[] = {
        {V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE, TF_STAMP_DRIVER_SOE},
        {V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_EOF, TF_STAMP_DRIVER_EOF},
        {V4L2_BUF_FLAG_TIMESTAMP_COPY, TF_STAMP_ARRIVAL},
        {V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN, TF_STAMP_ARRIVAL},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_source *s;
        struct tf_frame *f;

        reset(NULL);
        fake.buffer_flags = cases[i].flags;
        s = open_source(&plain);
        f = next_frame(s);
        assert_int_equal(f->stamp, cases[i].stamp);
        tf_frame_unref(f);
        tf_source_close(s);
    }
}

/* Stamps that cannot be times of capture: in the future, at 0, an hour old, not a time at all, backwards. */
static int odd_stamps(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    switch (n) {
    case 1:
        b->timestamp.tv_sec += 1000;
        break;
    case 2:
        b->timestamp.tv_sec = b->timestamp.tv_usec = 0;
        break;
    case 3:
        b->timestamp.tv_sec -= 3600;
        break;
    case 4:
        b->timestamp.tv_usec = 99999999;
        break;
    case 5:
        b->timestamp.tv_sec = -5;
        break;
    case 6:
        b->timestamp.tv_sec -= 2;
        break;
    }
    return 0;
}

static void stamps_that_make_no_sense_become_arrival(void **state)
{
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = odd_stamps;
    s = open_source(&plain);
    for (int i = 0; i < 9; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->stamp, i >= 1 && i <= 6 ? TF_STAMP_ARRIVAL : TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns > last && f->t_mono_ns <= tf_now_ns());
        last = f->t_mono_ns;
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static int gaps(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    static const uint32_t numbers[] = {0xfffffffc, 0xfffffffd, 0, 1, 1, 2, 0, 5};

    b->sequence = numbers[n < 8 ? n : 7] + (n < 8 ? 0 : n - 7);
    return 0;
}

static void holes_in_the_sequence_are_counted(void **state)
{
    /* Two are lost across the wrap; a repeated number and a renumbering are no losses; then 4 between 0
     * and 5. */
    static const unsigned lost[] = {0, 0, 2, 2, 2, 2, 2, 6, 6};
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = gaps;
    s = open_source(&plain);
    for (int i = 0; i < 9; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->dropped_driver, lost[i]);
        assert_int_equal((f->flags & TF_FLAG_GAP) != 0, i && lost[i] != lost[i - 1]);
        if (i)
            assert_true(f->sequence > last);
        last = f->sequence;
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_drops(s).driver, 6);
    tf_source_close(s);
}

static int damaged(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    if (n == 1)
        b->flags |= V4L2_BUF_FLAG_ERROR;
    if (n == 2)
        b->bytesused -= 1;
    if (n == 3)
        b->bytesused = 0;
    if (n == 4)
        b->bytesused = UINT32_MAX;
    return 0;
}

static void damaged_buffers_are_flagged_frames(void **state)
{
    struct tf_source *s;

    fake.dequeued = damaged;
    s = open_source(&plain);
    for (int i = 0; i < 6; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal((f->flags & TF_FLAG_CORRUPT) != 0, i >= 1 && i <= 4);
        assert_u16(f, (unsigned)i, 160, 0); /* readable all the same */
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static int failing_with;
static int fails_at_3(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    return n == 3 ? -failing_with : 0;
}

static void a_lost_camera_is_told_by_its_reason(void **state)
{
    static const struct {
        int code;
        enum tf_next next;
        const char *word;
    } cases[] = {{ENODEV, TF_NEXT_GONE, "unplugged"},
                 {EIO, TF_NEXT_GONE, "failed while streaming"},
                 {EINVAL, TF_NEXT_ERROR, "VIDIOC_DQBUF"}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_error err = {0};
        struct tf_source *s;

        reset(NULL);
        failing_with = cases[i].code;
        fake.dequeued = fails_at_3;
        s = open_source(&plain);
        for (int k = 0; k < 3; k++)
            tf_frame_unref(next_frame(s));
        assert_int_equal(next_is_no_frame(s, 1000, &err), cases[i].next);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_non_null(strstr(err.text, FAKE_PATH));
        tf_source_close(s);
        assert_int_equal(fake.closes, fake.opens);
    }
}

static int wrong_index(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    if (n == 2)
        b->index = 4000000000u;
    if (n == 5)
        b->index = (b->index + 1) % 12; /* one that the driver still has, in its own words */
    return 0;
}

static void an_index_out_of_range_is_an_error(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;

    fake.dequeued = wrong_index;
    s = open_source(&plain);
    tf_frame_unref(next_frame(s));
    tf_frame_unref(next_frame(s));
    assert_int_equal(next_is_no_frame(s, 1000, &err), TF_NEXT_ERROR);
    assert_non_null(strstr(err.text, "does not have"));
    tf_source_close(s);
}

static void *release_later(void *frame)
{
    tf_sleep_until_ns(tf_now_ns() + 20000000u);
    tf_frame_unref(frame);
    return NULL;
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat st;

        n += fstat(fd, &st) == 0;
    }
    return n;
}

static void frames_stay_when_the_camera_goes(void **state)
{
    unsigned before = open_descriptors();

    for (int round = 0; round < 30; round++) {
        struct tf_source *s = open_source(&plain);
        struct tf_frame *f[4];
        pthread_t thread;

        for (int i = 0; i < 4; i++)
            f[i] = next_frame(s);
        pthread_create(&thread, NULL, release_later, tf_frame_ref(f[3]));
        tf_source_close(s);
        assert_int_equal(fake.closes, fake.opens); /* the device is free although frames are out */
        s = open_source(&plain);                   /* and can be used again */
        tf_frame_unref(next_frame(s));
        for (unsigned i = 0; i < 4; i++)
            assert_u16(f[i], (unsigned)f[i]->sequence, 160, 0);
        for (int i = 0; i < 4; i++)
            tf_frame_unref(f[i]);
        pthread_join(thread, NULL);
        tf_source_close(s);
        reset(NULL);
    }
    assert_true(open_descriptors() <= before);
}

static void a_stopped_source_starts_again(void **state)
{
    struct tf_source *s = open_source(&plain);
    struct tf_frame *kept = next_frame(s), *f;
    struct tf_error err = {0};

    tf_source_stop(s);
    assert_int_equal(next_is_no_frame(s, 0, &err), TF_NEXT_ERROR);
    assert_int_equal(tf_source_start(s, &err), 0);
    f = next_frame(s);
    assert_int_equal(f->number, 1);
    assert_u16(kept, 0, 160, 0);
    tf_frame_unref(f);
    tf_frame_unref(kept);
    tf_source_close(s);
}

static void no_signal_is_told_apart_from_silence(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;
    uint64_t before;

    s = open_source(&plain);
    tf_frame_unref(next_frame(s));
    fake.input_status = V4L2_IN_ST_NO_SIGNAL;
    before = tf_now_ns();
    for (;;) { /* it is asked twice a second */
        struct tf_frame *f;
        enum tf_next r = tf_source_next(s, 100, &f, &err);

        if (r == TF_NEXT_NO_SIGNAL)
            break;
        assert_int_equal(r, TF_NEXT_FRAME);
        tf_frame_unref(f);
        assert_true(tf_now_ns() - before < 3000000000u);
    }
    assert_int_equal(next_is_no_frame(s, 50, &err), TF_NEXT_NO_SIGNAL);
    fake.input_status = 0;
    for (int i = 0; i < 20; i++) {
        struct tf_frame *f;
        enum tf_next r = tf_source_next(s, 100, &f, &err);

        if (r == TF_NEXT_FRAME) {
            assert_false(f->flags & TF_FLAG_GAP && tf_source_drops(s).capture);
            tf_frame_unref(f);
            tf_source_close(s);
            return;
        }
        assert_int_equal(r, TF_NEXT_NO_SIGNAL);
    }
    fail_msg("the signal never came back");
}

static void silence_times_out_and_can_be_ended(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;
    uint64_t before;

    fake.period_us = 900000;
    s = open_source(&plain);
    before = tf_now_ns();
    assert_int_equal(next_is_no_frame(s, 50, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before >= 50000000u);
    tf_source_wake(s);
    before = tf_now_ns();
    assert_int_equal(next_is_no_frame(s, -1, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before < 500000000u);
    tf_source_close(s);
}

static int ahead(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    b->timestamp.tv_usec += 15000; /* as vivid does: the end of the frame by its own reckoning */
    if (b->timestamp.tv_usec >= 1000000) {
        b->timestamp.tv_usec -= 1000000;
        b->timestamp.tv_sec++;
    }
    return 0;
}

static void a_stamp_a_little_ahead_is_held_at_now(void **state)
{
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = ahead;
    s = open_source(&plain);
    for (int i = 0; i < 8; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->stamp, TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns > last && f->t_mono_ns <= tf_now_ns());
        last = f->t_mono_ns;
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void listing_is_safe_without_cameras(void **state)
{
    struct tf_device devices[8];
    struct tf_error err = {0};
    int n = tf_devices_list(devices, 8, &err);

    assert_in_range(n, 0, 8);
    for (int i = 0; i < n; i++) {
        assert_true(strncmp(devices[i].path, "/dev/video", 10) == 0);
        assert_true(devices[i].card[0] || devices[i].problem[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frames_lend_the_drivers_buffers, reset),
        cmocka_unit_test_setup(stamps_are_taken_from_where_the_flags_say, reset),
        cmocka_unit_test_setup(stamps_that_make_no_sense_become_arrival, reset),
        cmocka_unit_test_setup(a_stamp_a_little_ahead_is_held_at_now, reset),
        cmocka_unit_test_setup(holes_in_the_sequence_are_counted, reset),
        cmocka_unit_test_setup(damaged_buffers_are_flagged_frames, reset),
        cmocka_unit_test_setup(a_lost_camera_is_told_by_its_reason, reset),
        cmocka_unit_test_setup(an_index_out_of_range_is_an_error, reset),
        cmocka_unit_test_setup(frames_stay_when_the_camera_goes, reset),
        cmocka_unit_test_setup(a_stopped_source_starts_again, reset),
        cmocka_unit_test_setup(no_signal_is_told_apart_from_silence, reset),
        cmocka_unit_test_setup(silence_times_out_and_can_be_ended, reset),
        cmocka_unit_test_setup(listing_is_safe_without_cameras, reset),
    };

    return cmocka_run_group_tests_name("capture v4l2", tests, NULL, NULL);
}
