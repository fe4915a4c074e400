/*
 * Encoders that give pictures back late, that fail, and that do not open: as those of hardware do.
 * libavcodec's calls are replaced by ones that hold libx264's packets back, or fail when they are told to.
 */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "publish/http/texts.h"
#include "tests/pipeline/common.h"
#include "tests/sanitized.h"

#define HELD_MAX 64

static atomic_uint delay, open_failures, send_failures;
static atomic_uint opened;

/* Of the encoder that is open; one at a time is, in the picture thread. Recordings' threads ask whether it is
 * theirs. */
static struct {
    AVCodecContext *_Atomic codec;
    AVPacket *held[HELD_MAX];
    unsigned count;
    bool ending;
} late;

int __real_avcodec_open2(AVCodecContext *codec, const AVCodec *kind, AVDictionary **options);
int __real_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame);
int __real_avcodec_receive_packet(AVCodecContext *codec, AVPacket *packet);
int __wrap_avcodec_open2(AVCodecContext *codec, const AVCodec *kind, AVDictionary **options);
int __wrap_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame);
int __wrap_avcodec_receive_packet(AVCodecContext *codec, AVPacket *packet);

static bool take(atomic_uint *of)
{
    unsigned n = atomic_load(of);

    while (n && !atomic_compare_exchange_weak(of, &n, n - 1))
        ;
    return n > 0;
}

static bool is_h264(const AVCodecContext *codec)
{
    return codec->codec_id == AV_CODEC_ID_H264 && av_codec_is_encoder(codec->codec);
}

static void begin(AVCodecContext *codec)
{
    for (unsigned i = 0; i < late.count; i++)
        av_packet_free(&late.held[i]);
    late.count = 0;
    late.ending = false;
    late.codec = codec;
}

int __wrap_avcodec_open2(AVCodecContext *codec, const AVCodec *kind, AVDictionary **options)
{
    bool ours = av_codec_is_encoder(kind) && kind->id == AV_CODEC_ID_H264;
    int r;

    if (ours && take(&open_failures))
        return AVERROR(EBUSY);
    r = __real_avcodec_open2(codec, kind, options);
    if (ours && r >= 0) {
        begin(codec);
        atomic_fetch_add(&opened, 1);
    }
    return r;
}

int __wrap_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame)
{
    if (is_h264(codec) && frame && take(&send_failures))
        return AVERROR_EXTERNAL;
    if (!frame && is_h264(codec) && codec == late.codec)
        late.ending = true;
    return __real_avcodec_send_frame(codec, frame);
}

int __wrap_avcodec_receive_packet(AVCodecContext *codec, AVPacket *packet)
{
    int r = 0;

    if (!is_h264(codec) || codec != late.codec)
        return __real_avcodec_receive_packet(codec, packet);
    while (late.count < HELD_MAX) {
        AVPacket *one = av_packet_alloc();

        assert_non_null(one);
        r = __real_avcodec_receive_packet(codec, one);
        if (r < 0) {
            av_packet_free(&one);
            break;
        }
        late.held[late.count++] = one;
    }
    if (late.count <= (late.ending ? 0 : atomic_load(&delay)))
        return r;
    av_packet_move_ref(packet, late.held[0]);
    av_packet_free(&late.held[0]);
    memmove(late.held, late.held + 1, --late.count * sizeof(*late.held));
    return 0;
}

/* --- recordings --- */

static char folder[64];

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/tf-encoder-XXXXXX");
    atomic_store(&delay, 0);
    atomic_store(&open_failures, 0);
    atomic_store(&send_failures, 0);
    atomic_store(&opened, 0);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[512];

    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    begin(NULL);
    return 0;
}

static struct tf_pipeline *camera(float fps)
{
    struct tf_pipeline_options options = small_camera("synthetic:noise=0");

    options.source.fps = fps;
    options.pictures = true;
    options.recordable = true;
    options.retry = true;
    options.encoder.gop = 1; /* any picture may begin a file */
    return start_pipeline(&options, NULL);
}

static void record(struct tf_pipeline *pipeline, const char *stem)
{
    struct tf_recording_options o = {.folder = folder,
                                     .stem = stem,
                                     .annotated = true,
                                     .emissivity = NAN,
                                     .distance_m = NAN,
                                     .reflected_c = NAN,
                                     .room_c = NAN,
                                     .humidity_percent = NAN,
                                     .t_start_ns = tf_now_ns()};
    struct tf_error err = {0};

    if (tf_pipeline_recording_start(pipeline, &o, &err) != 0)
        fail_msg("%s", err.text);
}

static struct tf_recording_status stop(struct tf_pipeline *pipeline)
{
    struct tf_recording_status status = {0};
    struct tf_error err = {0};

    if (tf_pipeline_recording_stop(pipeline, &status, &err) != 0)
        fail_msg("%s", err.text);
    return status;
}

static void wait_frames(struct tf_pipeline *pipeline, uint64_t frames)
{
    struct tf_recording_status status = {0};
    uint64_t end = tf_now_ns() + 20 * TF_NS_PER_S;

    while (status.frames < frames) {
        assert_int_equal(tf_pipeline_recording_status(pipeline, &status), 0);
        assert_true(tf_now_ns() < end);
        usleep(5000);
    }
}

static uint64_t packets_of(const char *stem)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    char path[256];
    uint64_t n = 0;

    snprintf(path, sizeof(path), "%s/%s_desc-annotated_video.mkv", folder, stem);
    if (avformat_open_input(&format, path, NULL, NULL) < 0) {
        av_packet_free(&packet);
        return 0; /* no picture came, and so no head */
    }
    while (av_read_frame(format, packet) >= 0) {
        n++;
        av_packet_unref(packet);
    }
    avformat_close_input(&format);
    av_packet_free(&packet);
    return n;
}

/* Every frame of it has its picture in it, and no other frame has. */
static void check_whole(const struct tf_recording_status *s, const char *stem)
{
    /* The thread sanitizer draws so slowly that the end's second does not suffice for the last picture. */
    for (int i = 0; i < TF_PICTURE_PLACES && !TF_SANITIZED_THREAD; i++)
        if (i != TF_PICTURE_QUEUE && i != TF_PICTURE_NOT_ANALYSED)
            assert_int_equal(s->pictures_lost[i], 0);
    assert_int_equal(s->annotated + tf_recording_pictures_lost(s), s->frames);
    assert_int_equal(packets_of(stem), s->annotated);
}

/* --- tests --- */

static void late_pictures_are_of_the_recording_that_they_were_taken_in(void **state)
{
    struct tf_recording_status a, b;
    struct tf_pipeline *pipeline;

    atomic_store(&delay, 7);
    pipeline = camera(60);
    wait_state(pipeline, TF_CAMERA_RUNNING, 5000);
    record(pipeline, "a");
    wait_frames(pipeline, 30);
    a = stop(pipeline);
    record(pipeline, "b");
    wait_frames(pipeline, 30);
    b = stop(pipeline);
    check_whole(&a, "a");
    check_whole(&b, "b");
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    tf_pipeline_destroy(pipeline);
}

/* What follows comes too slowly to push the last pictures out, or there is no camera any more. */
static void what_is_in_the_encoder_is_fetched_at_the_end(void **state)
{
    struct tf_recording_status a, b;
    struct tf_pipeline *pipeline;
    uint64_t begun;

    atomic_store(&delay, 20);
    pipeline = camera(10);
    wait_state(pipeline, TF_CAMERA_RUNNING, 5000);
    record(pipeline, "a");
    wait_frames(pipeline, 5);
    begun = tf_now_ns();
    a = stop(pipeline);
    assert_true(tf_now_ns() - begun < 4 * TF_NS_PER_S);
    check_whole(&a, "a");
    record(pipeline, "b");
    wait_frames(pipeline, 5);
    b = stop(pipeline);
    check_whole(&b, "b");
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    tf_pipeline_destroy(pipeline);
}

static struct tf_status wait_encoder(struct tf_pipeline *pipeline, bool failed, uint64_t failures)
{
    uint64_t end = tf_now_ns() + 20 * TF_NS_PER_S;
    struct tf_status status;

    do {
        usleep(2000);
        tf_pipeline_status(pipeline, &status);
        assert_true(tf_now_ns() < end);
    } while (status.encoder.failed != failed || status.encoder.failures < failures);
    return status;
}

/* As /state and /metrics say it. */
static void check_told(const struct tf_status *status, const char *state, const char *metric)
{
    const struct tf_http_counters counters = {0};
    size_t size;
    char *text = tf_http_state_text(status, 1, &counters, 0, tf_now_ns(), &size);

    assert_non_null(text);
    assert_non_null(strstr(text, state));
    free(text);
    text = tf_http_metrics_text(status, 1, &counters, 0, tf_now_ns(), &size);
    assert_non_null(text);
    assert_non_null(strstr(text, metric));
    free(text);
}

static void an_encoder_that_fails_is_opened_again(void **state)
{
    struct tf_recording_status s;
    struct tf_pipeline *pipeline = camera(30);
    struct tf_status status;
    uint64_t begun, encoded, rows = 0;

    if (TF_SANITIZED_THREAD)
        skip(); /* states are looked at while they last: it is too slow for that */
    wait_state(pipeline, TF_CAMERA_RUNNING, 5000);
    tf_pipeline_status(pipeline, &status);
    assert_false(status.encoder.failed);
    record(pipeline, "a");
    wait_frames(pipeline, 10);
    atomic_store(&open_failures, 2);
    atomic_store(&send_failures, 1);
    begun = tf_now_ns();
    status = wait_encoder(pipeline, true, 1);
    assert_non_null(strstr(status.encoder.message, "libx264"));
    encoded = status.encoded;
    status = wait_encoder(pipeline, true, 3);
    assert_non_null(strstr(status.encoder.message, "does not open"));
    check_told(&status,
               "\"encoder\":{\"failed\":true,\"failures\":3,\"message\":\"encoder libx264 does not open",
               "\nthermoface_encoder_failed{camera=\"test\"} 1\n");
    status = wait_encoder(pipeline, false, 3);
    assert_int_equal(status.encoder.failures, 3);
    assert_string_equal(status.encoder.message, "");
    check_told(&status, "\"encoder\":{\"failed\":false,\"failures\":3,\"message\":\"\"}",
               "\nthermoface_encoder_failures_total{camera=\"test\"} 3\n");
    /* A quarter of a second, a half, a whole one. */
    assert_true(tf_now_ns() - begun > 1750000000);
    /* Viewers and the next recording have pictures again; this one says what it lacks. */
    while (status.encoded < encoded + 5)
        tf_pipeline_status(pipeline, &status);
    s = stop(pipeline);
    assert_true(s.pictures_lost[TF_PICTURE_ENCODER] > 20);
    assert_int_equal(s.pictures_lost[TF_PICTURE_SIZE], 0);
    assert_int_equal(s.annotated + tf_recording_pictures_lost(&s), s.frames);
    assert_int_equal(packets_of("a"), s.annotated);
    rows = s.rows;
    assert_int_equal(rows, s.frames + s.refused);
    record(pipeline, "b");
    wait_frames(pipeline, 10);
    s = stop(pipeline);
    check_whole(&s, "b");
    tf_pipeline_stop(pipeline, NULL);
    tf_pipeline_destroy(pipeline);
}

/* The camera comes back with another size, and the encoder for it does not open at first. */
static void an_encoder_that_does_not_open_is_tried_again(void **state)
{
    struct tf_pipeline *pipeline;
    struct tf_recording_status s;

    if (TF_SANITIZED_THREAD)
        skip(); /* states are looked at while they last: it is too slow for that */
    pipeline = camera(30);
    wait_state(pipeline, TF_CAMERA_RUNNING, 5000);
    /* The first one of the picture thread: nobody watches before the recording. */
    atomic_store(&open_failures, 1);
    record(pipeline, "a");
    wait_encoder(pipeline, true, 1);
    wait_encoder(pipeline, false, 1);
    wait_frames(pipeline, 30);
    s = stop(pipeline);
    assert_true(s.annotated > 0 && s.pictures_lost[TF_PICTURE_ENCODER] > 0);
    assert_int_equal(s.annotated + tf_recording_pictures_lost(&s), s.frames);
    tf_pipeline_stop(pipeline, NULL);
    tf_pipeline_destroy(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(late_pictures_are_of_the_recording_that_they_were_taken_in,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_in_the_encoder_is_fetched_at_the_end, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_encoder_that_fails_is_opened_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_encoder_that_does_not_open_is_tried_again, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
