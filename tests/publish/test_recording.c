/* A recording by itself: bit for bit, a row a frame, refusals, a disk's limits; and a session's folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/clock.h"
#include "base/count.h"
#include "publish/recording/recording.h"
#include "publish/recording/fleet.h"
#include "publish/recording/session.h"

#define FRAMES 40

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/tf-recording-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* --- frames --- */

static uint32_t noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Every sample of frame n of a kind, the same whenever it is asked for. Includes the ends of the range. */
static void paint(struct tf_frame *f, unsigned n)
{
    uint32_t state = 77 + n;

    for (int plane = 0; plane < TF_FRAME_PLANES && f->plane[plane]; plane++) {
        uint32_t rows =
            plane && (f->pixel == TF_PIXEL_NV12 || f->pixel == TF_PIXEL_YUV420) ? f->height / 2 : f->height;

        for (uint32_t y = 0; y < rows; y++)
            for (uint32_t x = 0; x < f->stride[plane]; x++)
                f->plane[plane][y * f->stride[plane] + x] = (uint8_t)noise(&state);
    }
    if (f->pixel == TF_PIXEL_U16) {
        ((uint16_t *)f->plane[0])[0] = 0;
        ((uint16_t *)f->plane[0])[1] = 65535;
    }
}

static struct tf_frame *next_frame(struct tf_pool *pool, const struct tf_pool_options *o, unsigned n,
                                   uint64_t t_ns)
{
    struct tf_frame *f;

    while (!(f = tf_pool_get(pool))) /* all are with the encoder */
        usleep(500);
    f->width = o->width;
    f->height = o->height;
    f->pixel = o->pixel;
    f->number = n;
    f->t_mono_ns = t_ns;
    paint(f, n);
    return f;
}

static struct tf_recording_options options_of(uint16_t width, uint16_t height, enum tf_pixel pixel)
{
    return (struct tf_recording_options){
        .camera = "thermal",
        .folder = folder,
        .stem = "a",
        .waiting_max = 8,
        .t_start_ns = TF_NS_PER_S,
        .width = width,
        .height = height,
        .pixel = pixel,
        .fps = 30,
        .radiometry = {.valid = pixel == TF_PIXEL_U16, .scale = 0.01f, .offset = -273.15f},
        .format = "lepton3-y16",
        .emissivity = 0.98,
        .distance_m = NAN,
        .reflected_c = NAN,
        .room_c = NAN,
        .humidity_percent = NAN,
    };
}

/* Stamps that are not even: 33 ms, and 7 ms more each third frame. */
static uint64_t stamp(unsigned n)
{
    return 5000000000ull + n * 33000000ull + n / 3 * 7000000ull;
}

static void row(struct tf_recording *r, unsigned n, int64_t video_frame)
{
    struct tf_record record = {.camera = "thermal", .frame = n, .t_mono_ns = stamp(n), .latency_us = -1};

    record.video_frame = video_frame;
    tf_recording_row(r, &record);
}

static void record_frames(const struct tf_recording_options *o, struct tf_recording_status *status)
{
    struct tf_pool_options po = {.frames = 8, .width = o->width, .height = o->height, .pixel = o->pixel};
    struct tf_recording *r = NULL;
    struct tf_error err = {0};
    struct tf_pool *pool;

    assert_int_equal(tf_pool_create(&po, &pool), 0);
    if (tf_recording_create(o, &r, &err) < 0)
        fail_msg("%s", err.text);
    for (unsigned n = 0; n < FRAMES; n++) {
        struct tf_frame *f = next_frame(pool, &po, n, stamp(n));
        uint64_t video_frame = 999;
        int code = tf_recording_frame(r, f, &video_frame);

        tf_frame_unref(f);
        assert_int_equal(code, 0);
        assert_int_equal(video_frame, n);
        row(r, n, (int64_t)n);
    }
    if (tf_recording_close(r, status, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(tf_pool_free_count(pool), 8);
    tf_pool_destroy(pool);
}

/* --- reading back --- */

struct reader {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
};

static void open_video(struct reader *r)
{
    const AVCodec *decoder;
    char path[128];

    snprintf(path, sizeof(path), "%s/a_video.mkv", folder);
    memset(r, 0, sizeof(*r));
    assert_true(avformat_open_input(&r->format, path, NULL, NULL) >= 0);
    assert_true(avformat_find_stream_info(r->format, NULL) >= 0);
    decoder = avcodec_find_decoder(r->format->streams[0]->codecpar->codec_id);
    r->codec = avcodec_alloc_context3(decoder);
    avcodec_parameters_to_context(r->codec, r->format->streams[0]->codecpar);
    assert_true(avcodec_open2(r->codec, decoder, NULL) >= 0);
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
}

static bool next_video(struct reader *r)
{
    while (av_read_frame(r->format, r->packet) >= 0) {
        bool got =
            avcodec_send_packet(r->codec, r->packet) >= 0 && avcodec_receive_frame(r->codec, r->frame) >= 0;

        av_packet_unref(r->packet);
        if (got)
            return true;
    }
    return false;
}

static void close_video(struct reader *r)
{
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->format);
}

/* Sample x of row y of plane p as the decoder gives it, against what was captured. */
static unsigned captured(const struct tf_frame *f, int p, uint32_t x, uint32_t y)
{
    const uint8_t *s = f->plane[0] + y * f->stride[0];

    switch (f->pixel) {
    case TF_PIXEL_U16:
        return ((const uint16_t *)(const void *)s)[x];
    case TF_PIXEL_U8:
        return s[x];
    case TF_PIXEL_YUYV:
        return p == 0 ? s[2 * x] : s[4 * x + (p == 1 ? 1 : 3)];
    case TF_PIXEL_UYVY:
        return p == 0 ? s[2 * x + 1] : s[4 * x + (p == 1 ? 0 : 2)];
    case TF_PIXEL_NV12:
        return p == 0 ? s[x] : f->plane[1][y * f->stride[1] + 2 * x + (p == 2)];
    default:
        return f->plane[p][y * f->stride[p] + x];
    }
}

static void check_pixels(const struct tf_recording_options *o, const char *codec)
{
    struct tf_pool_options po = {.frames = 1, .width = o->width, .height = o->height, .pixel = o->pixel};
    int planes = o->pixel <= TF_PIXEL_U8 ? 1 : 3;
    struct tf_pool *pool;
    struct reader r;
    unsigned n = 0;

    assert_int_equal(tf_pool_create(&po, &pool), 0);
    open_video(&r);
    assert_string_equal(avcodec_get_name(r.format->streams[0]->codecpar->codec_id), codec);
    for (; next_video(&r); n++) {
        struct tf_frame *f = next_frame(pool, &po, n, 0);
        unsigned wrong = 0;

        for (int p = 0; p < planes; p++) {
            uint32_t width = p ? o->width / 2 : o->width;
            uint32_t height =
                p && (o->pixel == TF_PIXEL_NV12 || o->pixel == TF_PIXEL_YUV420) ? o->height / 2 : o->height;

            for (uint32_t y = 0; y < height; y++)
                for (uint32_t x = 0; x < width; x++) {
                    const uint8_t *s = r.frame->data[p] + (ptrdiff_t)y * r.frame->linesize[p];
                    unsigned got = o->pixel == TF_PIXEL_U16 ? ((const uint16_t *)(const void *)s)[x] : s[x];

                    wrong += got != captured(f, p, x, y);
                }
        }
        tf_frame_unref(f);
        assert_int_equal(wrong, 0);
        assert_int_equal(r.frame->pts, (stamp(n) - stamp(0) + 500000) / 1000000);
    }
    close_video(&r);
    tf_pool_destroy(pool);
    assert_int_equal(n, FRAMES);
}

static void bit_for_bit(void **state)
{
    static const struct {
        uint16_t width, height;
        enum tf_pixel pixel;
        enum tf_recording_codec codec;
        const char *name;
    } cases[] = {
        {160, 120, TF_PIXEL_U16, TF_RECORDING_AUTO, "ffv1"},
        {160, 120, TF_PIXEL_U16, TF_RECORDING_FFVHUFF, "ffvhuff"},
        {640, 512, TF_PIXEL_U16, TF_RECORDING_AUTO, "ffvhuff"},
        {80, 60, TF_PIXEL_U16, TF_RECORDING_FFV1, "ffv1"},
        {206, 156, TF_PIXEL_U8, TF_RECORDING_FFV1, "ffv1"},
        {206, 156, TF_PIXEL_U8, TF_RECORDING_FFVHUFF, "ffvhuff"},
        {64, 48, TF_PIXEL_YUYV, TF_RECORDING_FFV1, "ffv1"},
        {64, 48, TF_PIXEL_UYVY, TF_RECORDING_FFVHUFF, "ffvhuff"},
        {64, 48, TF_PIXEL_NV12, TF_RECORDING_AUTO, "ffv1"},
        {64, 48, TF_PIXEL_YUV420, TF_RECORDING_FFVHUFF, "ffvhuff"},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_recording_options o = options_of(cases[i].width, cases[i].height, cases[i].pixel);
        struct tf_recording_status status;
        char command[128];

        o.codec = cases[i].codec;
        o.waiting_max = FRAMES; /* the pool is the limit */
        record_frames(&o, &status);
        assert_int_equal(status.frames, FRAMES);
        assert_int_equal(status.refused, 0);
        check_pixels(&o, cases[i].name);
        snprintf(command, sizeof(command), "rm %s/a_*", folder);
        assert_int_equal(system(command), 0);
    }
}

static void visible_as_h264(void **state)
{
    struct tf_recording_options o = options_of(64, 48, TF_PIXEL_YUYV);
    struct tf_recording_status status;
    struct reader r;
    unsigned n = 0;

    o.visible_h264 = true;
    o.waiting_max = FRAMES;
    record_frames(&o, &status);
    assert_string_equal(status.codec, "libx264");
    open_video(&r);
    while (next_video(&r))
        n++;
    close_video(&r);
    assert_int_equal(n, FRAMES);
}

/* Whoever plays the video again sees whites as white. */
static void range_is_kept(void **state)
{
    static const struct {
        enum tf_pixel pixel;
        enum tf_recording_codec codec;
        bool h264;
    } cases[] = {{TF_PIXEL_NV12, TF_RECORDING_FFV1, false},
                 {TF_PIXEL_YUYV, TF_RECORDING_FFVHUFF, false},
                 {TF_PIXEL_YUV420, TF_RECORDING_AUTO, true}};

    for (size_t i = 0; i < 2 * TF_COUNT(cases); i++) {
        struct tf_recording_options o = options_of(64, 48, cases[i / 2].pixel);
        struct tf_recording_status status;
        char command[128];
        struct reader r;

        o.codec = cases[i / 2].codec;
        o.visible_h264 = cases[i / 2].h264;
        o.full_range = i % 2;
        o.waiting_max = FRAMES;
        record_frames(&o, &status);
        open_video(&r);
        assert_true(next_video(&r));
        assert_int_equal(r.frame->color_range == AVCOL_RANGE_JPEG, o.full_range);
        close_video(&r);
        snprintf(command, sizeof(command), "rm %s/a_*", folder);
        assert_int_equal(system(command), 0);
    }
}

static unsigned count_lines(const char *name, const char *ending, unsigned *with_ending)
{
    char path[128], line[65536];
    unsigned n = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    for (*with_ending = 0; fgets(line, sizeof(line), file); n++) {
        size_t a = strlen(line), b = strlen(ending);

        *with_ending += a >= b && strcmp(line + a - b, ending) == 0;
    }
    fclose(file);
    return n;
}

/* A camera that comes back with another size, and an encoder that has no time. */
static void refused_frames_have_rows(void **state)
{
    struct tf_recording_options o = options_of(640, 480, TF_PIXEL_U16);
    struct tf_pool_options po = {.frames = 64, .width = 640, .height = 480, .pixel = TF_PIXEL_U16};
    struct tf_recording_status status;
    struct tf_recording *r = NULL;
    struct tf_frame *f;
    struct tf_pool *pool;
    unsigned refused = 0, empty;
    uint64_t at;

    o.codec = TF_RECORDING_FFV1;
    o.waiting_max = 2;
    assert_int_equal(tf_pool_create(&po, &pool), 0);
    assert_int_equal(tf_recording_create(&o, &r, NULL), 0);
    for (unsigned n = 0; n < FRAMES; n++) {
        int code;

        f = next_frame(pool, &po, n, stamp(n));
        code = tf_recording_frame(r, f, &at);
        tf_frame_unref(f);
        if (code < 0)
            assert_int_equal(code, -ENOBUFS);
        refused += code < 0;
        row(r, n, code < 0 ? -1 : (int64_t)at);
    }
    f = next_frame(pool, &po, FRAMES, stamp(FRAMES));
    f->width = 320;
    assert_int_equal(tf_recording_frame(r, f, &at), -EINVAL);
    tf_frame_unref(f);
    row(r, FRAMES, -1);
    assert_int_equal(tf_recording_close(r, &status, NULL), 0);
    assert_true(refused > 0);
    assert_int_equal(status.refused, refused + 1);
    assert_int_equal(status.frames + status.refused, FRAMES + 1);
    assert_int_equal(count_lines("a_frames.csv", ",\n", &empty), FRAMES + 2);
    assert_int_equal(empty, refused + 1);
    assert_int_equal(count_lines("a_frames.ndjson", "\"video_frame\":null}\n", &empty), FRAMES + 1);
    assert_int_equal(empty, refused + 1);
    assert_int_equal(tf_pool_free_count(pool), 64);
    tf_pool_destroy(pool);
}

static void backward_stamps_are_counted(void **state)
{
    struct tf_recording_options o = options_of(32, 32, TF_PIXEL_U16);
    struct tf_pool_options po = {.frames = 8, .width = 32, .height = 32, .pixel = TF_PIXEL_U16};
    static const uint64_t stamps[] = {10000000, 20000000, 20000000, 15000000, 40000000};
    struct tf_recording_status status;
    struct tf_recording *r = NULL;
    struct tf_pool *pool;
    uint64_t at;

    assert_int_equal(tf_pool_create(&po, &pool), 0);
    assert_int_equal(tf_recording_create(&o, &r, NULL), 0);
    for (unsigned n = 0; n < 5; n++) {
        struct tf_frame *f = next_frame(pool, &po, n, stamps[n]);

        assert_int_equal(tf_recording_frame(r, f, &at), 0);
        tf_frame_unref(f);
    }
    assert_int_equal(tf_recording_close(r, &status, NULL), 0);
    assert_int_equal(status.stamps_back, 2);
    tf_pool_destroy(pool);
}

static void nothing_is_replaced(void **state)
{
    struct tf_recording_options o = options_of(32, 32, TF_PIXEL_U16);
    struct tf_recording *r = NULL;
    struct tf_error err = {0};

    assert_int_equal(tf_recording_create(&o, &r, &err), 0);
    assert_int_equal(tf_recording_close(r, NULL, &err), 0);
    assert_int_equal(tf_recording_create(&o, &r, &err), -EEXIST);
    assert_non_null(strstr(err.text, "a_video.mkv"));
}

static void too_little_room(void **state)
{
    struct tf_recording_options o = options_of(32, 32, TF_PIXEL_U16);
    struct tf_recording *r = NULL;
    struct tf_error err = {0};

    o.free_min = 1ull << 62;
    assert_int_equal(tf_recording_create(&o, &r, &err), -ENOSPC);
    assert_non_null(strstr(err.text, "free-space-min"));
    o.free_min = 0;
    o.folder = "/nowhere/at/all";
    assert_int_equal(tf_recording_create(&o, &r, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

/* --- sessions --- */

static struct tf_session_options session_of(const char *subject, const char *session, const char *task)
{
    return (struct tf_session_options){
        .directory = folder, .subject = subject, .session = session, .task = task, .t_start_ns = 1000};
}

static void labels(void **state)
{
    char longest[TF_LABEL_MAX + 2];
    const char *bad[] = {"", "..", "a/b", "../a", "a b", "a_b", "a-b", "\xc3\xa4", "a\n", longest, NULL};
    struct tf_session *s = NULL;
    struct tf_error err;

    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < TF_COUNT(bad); i++) {
        struct tf_session_options o = session_of(bad[i], NULL, "t");

        assert_int_equal(tf_session_create(&o, &s, &err), -EINVAL);
        assert_non_null(strstr(err.text, "subject"));
        o = session_of("1", NULL, bad[i]);
        assert_int_equal(tf_session_create(&o, &s, &err), -EINVAL);
        assert_non_null(strstr(err.text, "task"));
        if (bad[i]) {
            o = session_of("1", bad[i], "t");
            assert_int_equal(tf_session_create(&o, &s, &err), -EINVAL);
        }
    }
    assert_int_equal(rmdir(folder), 0); /* nothing was made */
    assert_int_equal(mkdir(folder, 0755), 0);
}

static void runs_and_marks(void **state)
{
    struct tf_session_options o = session_of("07", NULL, "rest");
    struct tf_mark mark = {
        .text = "on", .t_mono_ns = 2500001000, .source = "trigger button", .t_from = "kernel"};
    char stem[256], path[256];
    struct tf_session *s = NULL;
    struct tf_error err = {0};
    unsigned whole;
    int64_t onset;

    for (unsigned run = 1; run <= 3; run++) {
        assert_int_equal(tf_session_create(&o, &s, &err), 0);
        assert_int_equal(tf_session_run(s), run);
        if (run < 3)
            assert_int_equal(tf_session_close(s, 0, NULL, &err), 0);
    }
    assert_string_equal(tf_session_stem(s), "sub-07_task-rest_run-3");
    assert_int_equal(tf_session_camera_stem(s, "cam_1", stem, sizeof(stem)), 0);
    assert_string_equal(stem, "sub-07_task-rest_run-3_recording-cam1");
    assert_int_equal(tf_session_camera_stem(s, "--", stem, sizeof(stem)), -EINVAL);
    assert_int_equal(tf_session_mark(s, &mark, &onset, &err), 0);
    assert_int_equal(onset, 2500000000);
    mark.value = "3";
    assert_int_equal(tf_session_mark(s, &mark, &onset, &err), 0);
    /* On the disk at the latest when the session is closed. */
    mark.source = "lsl PsychoPy (lab 2)";
    for (int i = 0; i < 100; i++)
        assert_int_equal(tf_session_mark_later(s, &mark, &onset, &err), 0);
    mark.source = "a\tb";
    assert_int_equal(tf_session_mark_later(s, &mark, &onset, &err), -EINVAL);
    mark.source = "trigger button";
    mark.text = "a\tb";
    assert_int_equal(tf_session_mark(s, &mark, &onset, &err), -EINVAL);
    mark.text = "";
    assert_int_equal(tf_session_mark(s, &mark, &onset, &err), -EINVAL);
    assert_int_equal(tf_session_close(s, 0, NULL, &err), 0);
    snprintf(path, sizeof(path), "sub-07/beh/sub-07_task-rest_run-3_events.tsv");
    assert_int_equal(count_lines(path, "Z\ttrigger button\tkernel\n", &whole), 103);
    assert_int_equal(whole, 2);
    count_lines(path, "Z\tlsl PsychoPy (lab 2)\tkernel\n", &whole);
    assert_int_equal(whole, 100);
    assert_int_equal(count_lines("participants.tsv", "sub-07\n", &whole), 2);
    assert_int_equal(whole, 1);
}

/* Without a measurement there is no table; what is not known is n/a. */
static void other_boxes(void **state)
{
    struct tf_session_options o = session_of("11", NULL, "rest");
    const char *path = "sub-11/beh/sub-11_task-rest_run-1_fleet.tsv";
    struct tf_fleet_row row = {.box = "box2", .t_mono_ns = 500000000, .t_start_ns = -1, .synchronised = -1};
    struct tf_session *s = NULL;
    struct tf_error err = {0};
    char whole[256];
    unsigned found;

    assert_int_equal(tf_session_create(&o, &s, &err), 0);
    snprintf(whole, sizeof(whole), "%s/%s", folder, path);
    assert_int_equal(access(whole, F_OK), -1);
    row.box = "a\tb";
    assert_int_equal(tf_session_fleet(s, &row, &err), -EINVAL);
    row.box = "";
    assert_int_equal(tf_session_fleet(s, &row, &err), -EINVAL);
    assert_int_equal(access(whole, F_OK), -1);
    row.box = "box2";
    row.offset_ns = INT64_MIN;
    row.error_ns = 7;
    assert_int_equal(tf_session_fleet(s, &row, &err), 0);
    row = (struct tf_fleet_row){.box = " box3",
                                .session = "sub-11_task-rest_run-9",
                                .t_mono_ns = 2500001000,
                                .t_start_ns = 12,
                                .offset_ns = 5,
                                .error_ns = 6,
                                .utc_difference_ns = -3,
                                .has_utc_difference = true,
                                .synchronised = 1};
    assert_int_equal(tf_session_fleet(s, &row, &err), 0);
    assert_int_equal(tf_session_close(s, 0, NULL, &err), 0);
    count_lines(path, "-9223372036854775808\t7\tn/a\tn/a\n", &found);
    assert_int_equal(found, 1);
    count_lines(path, "2.500000\t2500001000\t\" box3\"\tsub-11_task-rest_run-9\t12\t5\t6\t-3\t1\n", &found);
    assert_int_equal(found, 1);
    assert_int_equal(access(whole, F_OK), 0);
    strcpy(strstr(whole, ".tsv"), ".json");
    assert_int_equal(access(whole, F_OK), 0);
}

/* A cell with a quote or a blank at an end is quoted; nothing else is. */
static void quoted_marks(void **state)
{
    static const char *const texts[][2] = {
        {"plain", "plain"},
        {"\"start\" one", "\"\"\"start\"\" one\""},
        {"5\" screen", "\"5\"\" screen\""},
        {" lead", "\" lead\""},
        {"a\\tb", "a\\tb"},
        {"=1+1", "=1+1"},
    };
    struct tf_session_options o = session_of("08", NULL, "rest");
    char path[256], wanted[256];
    struct tf_session *s = NULL;
    struct tf_error err = {0};
    unsigned found;
    int64_t onset;

    assert_int_equal(tf_session_create(&o, &s, &err), 0);
    for (size_t i = 0; i < TF_COUNT(texts); i++) {
        struct tf_mark mark = {.text = texts[i][0], .value = texts[i][0], .t_mono_ns = 1000 + i * 1000};

        assert_int_equal(tf_session_mark(s, &mark, &onset, &err), 0);
    }
    assert_int_equal(tf_session_mark(s, &(struct tf_mark){.text = "a\xff", .t_mono_ns = 1000}, &onset, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "UTF-8"));
    assert_int_equal(tf_session_close(s, 0, NULL, &err), 0);
    snprintf(path, sizeof(path), "sub-08/beh/sub-08_task-rest_run-1_events.tsv");
    for (size_t i = 0; i < TF_COUNT(texts); i++) {
        snprintf(wanted, sizeof(wanted), "0.%06zu\t0\t%s\t%s\t%zu\t1970-01-01T00:00:00.000000Z\tn/a\tn/a\n",
                 i, texts[i][1], texts[i][1], 1000 + i * 1000);
        count_lines(path, wanted, &found);
        assert_int_equal(found, 1);
    }
}

/* Each of many services that start at the same moment adds its subject, and none spoils another's row. */
static void participants_of_many_services(void **state)
{
    enum { SERVICES = 12, ROUNDS = 6 };
    char path[128], text[8192], row[32];
    pid_t children[SERVICES];
    struct stat st;
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "%s/participants.tsv", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("participant_id\tage\r\nsub-old\t33",
          file); /* a table that somebody has edited, without its last end */
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0640), 0);
    for (int i = 0; i < SERVICES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            for (int k = 0; k < ROUNDS; k++) {
                struct tf_session_options o = session_of(row, NULL, "rest");
                struct tf_session *s = NULL;

                snprintf(row, sizeof(row), "%dx%d", k, k % 2 ? i : 0); /* the same one, and each its own */
                if (tf_session_create(&o, &s, NULL) < 0 || tf_session_close(s, 0, NULL, NULL) < 0)
                    _exit(1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < SERVICES; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    file = fopen(path, "r");
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    assert_ptr_equal(strstr(text, "participant_id\tage\r\nsub-old\t33\r\n"), text);
    for (int k = 0; k < ROUNDS; k++)
        for (int i = 0; i < (k % 2 ? SERVICES : 1); i++) {
            const char *at;

            snprintf(row, sizeof(row), "\nsub-%dx%d\tn/a\r\n", k, i);
            at = strstr(text, row);
            assert_non_null(at);
            assert_null(strstr(at + 1, row));
            n -= strlen(row) - 1;
        }
    assert_int_equal(n, strlen("participant_id\tage\r\nsub-old\t33\r\n"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    /* Twelve runs of the subject that all had, and nothing that a write has left beside. */
    snprintf(text, sizeof(text),
             "ls -A %s | grep -c '\\.part' | grep -qx 0 && [ $(ls %s/sub-0x0/beh/*_events.tsv | wc "
             "-l) = 12 ]",
             folder, folder);
    assert_int_equal(system(text), 0);
}

/* A data set from before there were manifests, and one whose file is the researchers' own. */
static void old_data_sets_ignore_manifests(void **state)
{
    static const char *const texts[][2] = {
        {"*_video.*\n*_frames.*\n*_signals.*\n*_clock.*\n",
         "*_video.*\n*_frames.*\n*_signals.*\n*_clock.*\n*_manifest.*\n*_fleet.*\n"},
        {"*_clock.*\n*_manifest.*\n", "*_clock.*\n*_manifest.*\n*_fleet.*\n"},
        {"mine/\n", "mine/\n"},
    };
    char path[128], text[256];

    snprintf(path, sizeof(path), "%s/.bidsignore", folder);
    for (size_t i = 0; i < TF_COUNT(texts); i++) {
        struct tf_session_options o = session_of("1", NULL, "t");
        FILE *file = fopen(path, "w");
        struct tf_session *s = NULL;
        size_t n;

        assert_non_null(file);
        fputs(texts[i][0], file);
        assert_int_equal(fclose(file), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(tf_session_create(&o, &s, NULL), 0);
            assert_int_equal(tf_session_close(s, 0, NULL, NULL), 0);
        }
        file = fopen(path, "r");
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[n] = '\0';
        assert_string_equal(text, texts[i][1]);
    }
}

/* What a link in the data set points to is not written to, wherever the link stands. */
static void links_are_not_followed(void **state)
{
    static const char *const names[] = {"participants.tsv", "sub-1", "sub-1/ses-2", "sub-1/ses-2/beh"};
    char elsewhere[96], link[160], command[1000];
    struct tf_session *s = NULL;
    struct tf_error err = {0};

    snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", folder);
    for (size_t i = 0; i < TF_COUNT(names); i++) {
        struct tf_session_options o = session_of("1", "2", "rest");

        snprintf(command, sizeof(command),
                 "rm -rf %s %s; mkdir %s; mkdir -p %s/%s; rmdir %s/%s; %s %s; ln -s %s %s/%s", folder,
                 elsewhere, folder, folder, names[i], folder, names[i], i ? "mkdir" : "touch", elsewhere,
                 elsewhere, folder, names[i]);
        assert_int_equal(system(command), 0);
        assert_int_equal(tf_session_create(&o, &s, &err), -ELOOP);
        snprintf(link, sizeof(link), "%s/%s is a symbolic link", folder, names[i]);
        assert_non_null(strstr(err.text, link));
        snprintf(command, sizeof(command), "[ -z \"$(find %s -mindepth 1)\" ] && [ ! -s %s -o -d %s ]",
                 elsewhere, elsewhere, elsewhere);
        assert_int_equal(system(command), 0);
    }
    /* The data set itself may be reached through one. */
    snprintf(command, sizeof(command), "rm -rf %s %s; mkdir %s; ln -s %s %s", folder, elsewhere, elsewhere,
             elsewhere, folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(
        tf_session_create(&(struct tf_session_options){.directory = folder, .subject = "1", .task = "t"}, &s,
                          &err),
        0);
    assert_int_equal(tf_session_close(s, 0, NULL, &err), 0);
    snprintf(command, sizeof(command), "[ -e %s/sub-1/beh/sub-1_task-t_run-1_events.tsv ] && rm -rf %s",
             elsewhere, elsewhere);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bit_for_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(visible_as_h264, set_up, tear_down),
        cmocka_unit_test_setup_teardown(range_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_frames_have_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(backward_stamps_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_little_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_and_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quoted_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(participants_of_many_services, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_data_sets_ignore_manifests, set_up, tear_down),
    };

    av_log_set_level(AV_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
