/* Offline: the source waits for us, nothing is skipped, errors come back. */
#include <libavformat/avformat.h>
#include <sys/stat.h>

#include "tests/pipeline/common.h"

static struct tf_pipeline_options offline(uint64_t limit)
{
    struct tf_pipeline_options options = small_camera("synthetic");

    options.source.pace = TF_PACE_FAST;
    options.source.limit = limit;
    return options;
}

static void nothing_is_skipped(void **state)
{
    struct tf_pipeline_options options = offline(300);
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    struct tf_status status;
    struct tf_pipeline_times times;

    seen->sleep_us = 1000; /* far slower than the source */
    pipeline = start_pipeline(&options, seen);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    assert_false(tf_pipeline_running(pipeline));
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    assert_int_equal(atomic_load(&seen->count), 300);
    check_order(seen);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(seen->heads[i].state, TF_STATE_NO_FACE);
        assert_int_equal(seen->heads[i].latency_us, -1);
        assert_int_equal(seen->heads[i].sequence, i);
    }
    tf_pipeline_status(pipeline, &status);
    assert_int_equal(status.state, TF_CAMERA_ENDED);
    assert_int_equal(status.frames, 300);
    assert_int_equal(status.latency_count, 0);
    tf_pipeline_times(pipeline, &times);
    assert_int_equal(times.frames, 300);
    assert_int_equal(times.skipped, 0);
    assert_true(times.cpu_us_per_frame > 0);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

/* A number for all that a video holds. */
static uint64_t packets_hash(const char *path)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    while (av_read_frame(format, packet) == 0) {
        for (int i = 0; i < packet->size; i++)
            hash = (hash ^ packet->data[i]) * 1099511628211u;
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    return hash;
}

static int count_packets(const char *path, int *width, int *height)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    int n = 0;

    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(format, NULL) >= 0);
    assert_int_equal(format->nb_streams, 1);
    *width = format->streams[0]->codecpar->width;
    *height = format->streams[0]->codecpar->height;
    while (av_read_frame(format, packet) == 0) {
        n++;
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    return n;
}

static void every_frame_is_in_the_video(void **state)
{
    char folder[] = "/tmp/tf-pipeline-XXXXXX", path[128];
    struct tf_pipeline_options options = offline(50);
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};
    struct tf_status status;
    int width, height;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.mkv", folder);
    options.pictures = true;
    options.video = path;
    pipeline = start_pipeline(&options, NULL);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    assert_int_equal(tf_pipeline_stop(pipeline, &err), 0);
    tf_pipeline_status(pipeline, &status);
    assert_int_equal(status.encoded, 50);
    tf_pipeline_destroy(pipeline);
    assert_int_equal(count_packets(path, &width, &height), 50);
    assert_true(height >= 480);
    assert_true(width >= 640);

    /* A file that is there is not touched unless asked. */
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), -EEXIST);
    assert_non_null(strstr(err.text, path));
    options.overwrite = true;
    options.source.limit = 10;
    pipeline = start_pipeline(&options, NULL);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    tf_pipeline_destroy(pipeline);
    assert_int_equal(count_packets(path, &width, &height), 10);
    unlink(path);
    rmdir(folder);
}

/* A warning stands in the pictures from the frame on that brought it, however far pictures lag behind. */
static void a_video_is_the_same_however_long_it_takes(void **state)
{
    char folder[] = "/tmp/tf-pipeline-XXXXXX", path[128];
    struct tf_pipeline_options options = offline(60);
    uint64_t hash[2];

    if (access(TF_SOURCE_ROOT "/models/landmarks68.onnx", R_OK) != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.mkv", folder);
    options.overlay.clock = false; /* the synthetic camera has the time of day */
    options.source.url = "synthetic:size=160x120,mounted=180";
    options.analyse = true;
    options.analyser = (struct tf_analyser_options){.models = TF_SOURCE_ROOT "/models", .track = true};
    options.pictures = true;
    options.video = path;
    for (int i = 0; i < 2; i++) {
        struct seen *seen = seen_new();
        struct tf_pipeline *pipeline;
        struct tf_status status;

        seen->sleep_us = i ? 30000 : 0; /* pictures wait for records, or records for pictures */
        pipeline = start_pipeline(&options, seen);
        assert_int_equal(tf_pipeline_wait(pipeline, 60000), 0);
        tf_pipeline_status(pipeline, &status);
        assert_int_equal(status.turn.state, TF_TURN_WRONG);
        tf_pipeline_destroy(pipeline);
        free(seen);
        hash[i] = packets_hash(path);
        unlink(path);
    }
    assert_int_equal(hash[0], hash[1]);
    rmdir(folder);
}

static void the_rate_of_pictures_can_be_limited(void **state)
{
    char folder[] = "/tmp/tf-pipeline-XXXXXX", path[128];
    struct tf_pipeline_options options = offline(60);
    struct tf_pipeline *pipeline;
    int width, height;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.mkv", folder);
    options.pictures = true;
    options.video = path;
    options.picture_fps_max = 20; /* of 60 */
    pipeline = start_pipeline(&options, NULL);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    tf_pipeline_destroy(pipeline);
    assert_in_range(count_packets(path, &width, &height), 19, 21);
    unlink(path);
    rmdir(folder);
}

static void a_failing_sink_is_reported_once_and_alone(void **state)
{
    struct tf_pipeline_options options = offline(40);
    struct seen *good = seen_new(), *bad = seen_new();
    struct tf_sink sinks[2] = {seen_sink(bad), seen_sink(good)};
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};

    bad->fail_from = 10;
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), 0);
    assert_int_equal(tf_pipeline_add_sink(pipeline, &sinks[0]), 0);
    assert_int_equal(tf_pipeline_add_sink(pipeline, &sinks[1]), 0);
    assert_int_equal(tf_pipeline_start(pipeline, &err), 0);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    assert_int_equal(tf_pipeline_stop(pipeline, &err), -ENOSPC);
    assert_string_equal(err.text, "the test's disk is full");
    assert_int_equal(atomic_load(&good->count), 40);
    assert_int_equal(atomic_load(&bad->count), 40); /* it stays attached */
    assert_int_equal(bad->failures, 31);
    tf_pipeline_destroy(pipeline);
    assert_int_equal(atomic_load(&good->closed), 1);
    assert_int_equal(atomic_load(&bad->closed), 1);
    free(good);
    free(bad);
}

static void too_many_sinks_are_refused(void **state)
{
    struct tf_pipeline_options options = offline(1);
    struct seen *seen = seen_new();
    struct tf_sink sink = seen_sink(seen);
    struct tf_pipeline *pipeline;

    assert_int_equal(tf_pipeline_create(&options, &pipeline, NULL), 0);
    for (int i = 0; i < TF_PIPELINE_SINKS_MAX; i++)
        assert_int_equal(tf_pipeline_add_sink(pipeline, &sink), 0);
    assert_int_equal(tf_pipeline_add_sink(pipeline, &sink), -ENOSPC);
    /* Never started: sinks are closed all the same. */
    tf_pipeline_destroy(pipeline);
    assert_int_equal(atomic_load(&seen->closed), TF_PIPELINE_SINKS_MAX);
    free(seen);
}

static void it_can_be_stopped_in_the_middle(void **state)
{
    struct tf_pipeline_options options = offline(0); /* without end */
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline;
    uint64_t begin;

    seen->sleep_us = 2000;
    pipeline = start_pipeline(&options, seen);
    wait_records(seen, 20, 5000);
    assert_int_equal(tf_pipeline_wait(pipeline, 10), -ETIMEDOUT);
    begin = tf_now_ns();
    assert_int_equal(tf_pipeline_stop(pipeline, NULL), 0);
    assert_true(tf_now_ns() - begin < 2000000000ull);
    check_order(seen);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

static void wrong_options_are_named(void **state)
{
    struct tf_pipeline_options options = offline(1);
    struct tf_pipeline *pipeline = NULL;
    struct tf_error err = {0};

    options.camera = "Not/a name";
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), -EINVAL);
    assert_non_null(strstr(err.text, "Not/a name"));
    options = offline(1);
    options.source.url = "/nowhere/at/all.mkv";
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all.mkv"));
    options = offline(1);
    options.source.format = "no-such-row";
    assert_true(tf_pipeline_create(&options, &pipeline, &err) < 0);
    assert_non_null(strstr(err.text, "no-such-row"));
    options = offline(1);
    options.video = "/nowhere/at/all.mkv";
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), -EINVAL);
    options.pictures = true;
    options.encoder.codec = "no-such-encoder";
    assert_true(tf_pipeline_create(&options, &pipeline, &err) < 0);
    assert_non_null(strstr(err.text, "no-such-encoder"));
    options = offline(1);
    options.pictures = true;
    options.video = "/nowhere/at/all.mkv";
    assert_true(tf_pipeline_create(&options, &pipeline, &err) < 0);
    assert_non_null(strstr(err.text, "/nowhere/at/all.mkv"));
    assert_null(pipeline);
    tf_pipeline_destroy(NULL);
}

/* What a sink beside the file's finds of the record's text. */
struct beside {
    unsigned records, encoded, equal;
};

static int beside_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    static char own[1 << 20];
    struct beside *b = self;
    const char *text;
    int length = record->text ? record->text->length : 0, n;

    b->records++;
    b->encoded += length > 0;
    if (!length)
        return 0;
    n = tf_record_ndjson_once(record, NULL, 0, &text);
    b->equal +=
        n == length && n == tf_record_ndjson(record, own, sizeof(own)) && memcmp(text, own, (size_t)n) == 0;
    return 0;
}

/* The first sink that wants NDJSON encodes it, and whoever comes after it finds it. */
static void a_record_is_encoded_once(void **state)
{
    char folder[] = "/tmp/tf-pipeline-XXXXXX", path[128];
    struct tf_pipeline_options options = offline(50);
    struct beside before = {0}, after = {0};
    struct tf_sink sinks[] = {{.name = "before", .self = &before, .record = beside_record},
                              {.name = "file"},
                              {.name = "after", .self = &after, .record = beside_record}};
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.ndjson", folder);
    assert_int_equal(tf_sink_file(path, TF_FILE_NDJSON, false, &sinks[1], &err), 0);
    assert_int_equal(tf_pipeline_create(&options, &pipeline, &err), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tf_pipeline_add_sink(pipeline, &sinks[i]), 0);
    assert_int_equal(tf_pipeline_start(pipeline, &err), 0);
    assert_int_equal(tf_pipeline_wait(pipeline, 20000), 0);
    assert_int_equal(tf_pipeline_stop(pipeline, &err), 0);
    assert_int_equal(before.records, 50);
    assert_int_equal(before.encoded, 0); /* a record never brings the text of the one before it */
    assert_int_equal(after.encoded, 50);
    assert_int_equal(after.equal, 50);
    tf_pipeline_destroy(pipeline);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_skipped),
        cmocka_unit_test(every_frame_is_in_the_video),
        cmocka_unit_test(a_video_is_the_same_however_long_it_takes),
        cmocka_unit_test(the_rate_of_pictures_can_be_limited),
        cmocka_unit_test(a_failing_sink_is_reported_once_and_alone),
        cmocka_unit_test(too_many_sinks_are_refused),
        cmocka_unit_test(it_can_be_stopped_in_the_middle),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(a_record_is_encoded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
