/* Times of every source: t_mono_ns always grows, and a live frame's UTC follows a step of the wall clock. */
#include "base/clock.h"
#include "base/count.h"
#include "v4l2_pattern.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clip.h"

/* The wall clock of this program, as if somebody had set it. */
static int64_t stepped_s;

int clock_gettime(clockid_t id, struct timespec *t)
{
    long r = syscall(SYS_clock_gettime, id, t);

    if (r == 0 && id == CLOCK_REALTIME)
        t->tv_sec += stepped_s;
    return (int)r;
}

#define VIDEO "clock_video.mkv"
#define TABLE "clock_frames.csv"

static void noise(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint16_t v = (uint16_t)(30000 + (n * 7919 + y * 131 + x * 17) % 501);

            memcpy(planes[0] + y * strides[0] + x * 2, &v, 2);
        }
}

/* A recording of 12 frames and its table, whose times are those of another machine's past. */
static int make_files(void **state)
{
    static const char *const head =
        "camera,frame,sequence,camera_counter,t_mono_ns,t_utc,t_from,state,flags,unit,sensor_c,"
        "dropped_driver,dropped_capture,dropped_inference,latency_us";
    FILE *f = fopen(TABLE, "w");

    assert_non_null(f);
    fputs(head, f);
    for (int i = 15; i < 34; i++)
        fprintf(f, ",column%d", i);
    fputs(",video_frame\n", f);
    for (int n = 0; n < 12; n++) {
        fprintf(f, "thermal,%d,%d,,%lld,2026-03-01T10:15:%02d.000000Z,driver-eof,ok,,celsius,,0,0,0,1000", n,
                n, 5000000000ll + n * 40000000ll, n);
        for (int i = 15; i < 34; i++)
            fputc(',', f);
        fprintf(f, ",%d\n", n);
    }
    fclose(f);
    return clip_write(&(struct clip){VIDEO, "ffv1", "gray16le", 64, 48, 12, 100, noise});
}

static int remove_files(void **state)
{
    unlink(VIDEO);
    unlink(TABLE);
    return 0;
}

static void grows(const struct tf_source_options *options, int frames)
{
    struct tf_source *s = open_source(options);
    uint64_t before = 0;

    for (int i = 0; i < frames; i++) {
        struct tf_frame *f = next_frame(s);

        if (i && f->t_mono_ns <= before)
            fail_msg("%s: frame %d is %lld ns after the one before", options->url, i,
                     (long long)(f->t_mono_ns - before));
        before = f->t_mono_ns;
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

/* A driver that stamps the start of exposure, 60 ms before the buffer comes, and repeats every fifth stamp.
 */
static struct timeval last_stamp;

static int repeated(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    int64_t us = (int64_t)b->timestamp.tv_sec * 1000000 + b->timestamp.tv_usec - 60000;

    if (!n || n % 5)
        last_stamp = (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    b->timestamp = last_stamp;
    return 0;
}

/* Every fifth a second ago, every seventh zero, every third 40 ms ahead. */
static int wild(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    if (n % 5 == 4)
        b->timestamp.tv_sec--;
    else if (n % 7 == 6)
        b->timestamp = (struct timeval){0};
    else if (n % 3 == 2)
        b->timestamp.tv_usec = b->timestamp.tv_usec + 40000 < 1000000 ? b->timestamp.tv_usec + 40000 : 999999;
    return 0;
}

static void every_sources_times_grow(void **state)
{
    int (*const drivers[])(struct v4l2_buffer *, uint8_t *, size_t, unsigned) = {NULL, repeated, wild};

    for (size_t i = 0; i < TF_COUNT(drivers); i++) {
        reset(NULL);
        fake.period_us = 15000;
        fake.buffer_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
        fake.dequeued = drivers[i];
        grows(&plain, 40);
    }
    reset(NULL);
    fake.buffer_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
    grows(&plain, 40);
    grows(&(struct tf_source_options){.url = "synthetic:size=64x48,fps=200"}, 40);
    grows(&(struct tf_source_options){.url = "synthetic:size=64x48,drop=3", .pace = TF_PACE_FAST}, 40);
    grows(&(struct tf_source_options){.url = VIDEO, .pace = TF_PACE_FAST}, 12);
    grows(&(struct tf_source_options){.url = VIDEO, .pace = TF_PACE_FAST, .loop = true}, 40);
    grows(&(struct tf_source_options){.url = VIDEO, .loop = true}, 40);
    grows(&(struct tf_source_options){.url = "recording:clock", .pace = TF_PACE_FAST}, 12);
}

/* A stamp that is not believed is replaced by the arrival, less the way that the other stamps tell of: among
 * frames 60 ms old at their coming, one does not stand out as new. */
static void a_bad_stamp_does_not_stand_out(void **state)
{
    struct tf_source *s;

    reset(NULL);
    fake.period_us = 30000;
    fake.buffer_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
    fake.dequeued = repeated;
    s = open_source(&plain);
    for (int i = 0; i < 20; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->stamp, i && i % 5 == 0 ? TF_STAMP_ARRIVAL : TF_STAMP_DRIVER_SOE);
        assert_true(tf_now_ns() - f->t_mono_ns >= 59000000);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static int64_t offset_of(struct tf_source *s)
{
    struct tf_frame *f = next_frame(s);
    int64_t offset = f->t_utc_ns - (int64_t)f->t_mono_ns;

    tf_frame_unref(f);
    return offset;
}

static void utc_follows_a_step(void **state)
{
    static const char *const urls[] = {FAKE_PATH, "synthetic:size=64x48,fps=200", VIDEO};

    for (size_t i = 0; i < TF_COUNT(urls); i++) {
        struct tf_source *s;
        int64_t before, after;

        reset(NULL);
        s = open_source(&(struct tf_source_options){.url = urls[i], .loop = true});
        before = offset_of(s);
        for (int step = 1; step <= 2; step++) {
            stepped_s = step == 1 ? 3600 : -7200;
            after = offset_of(s);
            if (llabs(after - before - stepped_s * TF_NS_PER_S) > 5000000)
                fail_msg("%s: after a step of %lld s UTC moved by %.3f s", urls[i], (long long)stepped_s,
                         (double)(after - before) / 1e9);
        }
        stepped_s = 0;
        tf_source_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sources_times_grow),
        cmocka_unit_test(a_bad_stamp_does_not_stand_out),
        cmocka_unit_test(utc_follows_a_step),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
