/*
 * No allocation per frame in capture → inference → record: counted over 1,000 frames, in the threads that do
 * it, with the shipped networks and a record file. The allocator's entry points are replaced by ones that
 * count.
 */
#include <sys/prctl.h>

#include "base/clock.h"
#include "tests/pipeline/common.h"

#define WARM_UP 60
#define FRAMES 1000

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool counting;
static atomic_uint allocations, others;

static void count(void)
{
    char name[16] = "";

    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    prctl(PR_GET_NAME, name);
    if (strncmp(name, "cap:", 4) == 0 || strncmp(name, "inf:", 4) == 0)
        atomic_fetch_add(&allocations, 1);
    else
        atomic_fetch_add(&others, 1);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count();
    return __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *p;

    count();
    p = __libc_memalign(alignment, size);
    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}

/* Counts in the inference thread as a record does, so that the counter itself is shown to work. */
static int allocating_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    void *volatile p = malloc(16);

    free(p);
    return 0;
}

/* The visible camera of a pair, whose own threads are counted too. */
static struct tf_pipeline *partner(struct tf_exchange *exchange, const struct tf_pipeline_options *thermal)
{
    struct tf_pipeline_options options = *thermal;
    struct tf_pipeline *pipeline;
    struct tf_error err = {0};

    options.source.url = "synthetic:kind=visible";
    options.pair = NULL;
    options.exchange = exchange;
    if (tf_pipeline_create(&options, &pipeline, &err) != 0 || tf_pipeline_start(pipeline, &err) != 0)
        fail_msg("%s", err.text);
    return pipeline;
}

static unsigned run(bool analyse, bool allocate, bool record, bool paired, unsigned frames)
{
    char folder[] = "/tmp/tf-pipeline-XXXXXX", path[128];
    struct tf_pipeline_options options = small_camera("synthetic");
    struct seen *seen = seen_new();
    struct tf_sink sinks[3] = {seen_sink(seen)};
    static const struct tf_registration same = {.matrix = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                                .thermal_width = 160,
                                                .thermal_height = 120,
                                                .visible_width = 160,
                                                .visible_height = 120};
    static const struct tf_own_regions own = {2,
                                              {{"cheek", "", true, {TF_SHAPE_CIRCLE, 3, {-0.3f, 0.4f, 0.1f}}},
                                               {"wall", "", false, {TF_SHAPE_RECTANGLE, 4, {4, 4, 20, 10}}}}};
    struct tf_pipeline_pair pair = {
        .partner = "webcam", .registration = &same, .use = TF_PAIR_USE_ALWAYS, .max_skew_ns = TF_NS_PER_S};
    struct tf_pipeline *pipeline, *visible = NULL;
    struct tf_error err = {0};
    unsigned n;

    options.source.pace = TF_PACE_FAST;
    options.analyse = analyse;
    options.recordable = record;
    options.own = &own;
    if (record)
        options.source.pace = TF_PACE_RECORDED; /* by the clock, as a camera: the recorder keeps up */
    options.analyser =
        (struct tf_analyser_options){.models = TF_SOURCE_ROOT "/models", .filter = true, .track = true};
    if (paired) {
        assert_int_equal(tf_exchange_create(&pair.exchange), 0);
        options.source.pace = TF_PACE_RECORDED; /* by one clock, so that there are partners */
        visible = partner(pair.exchange, &options);
        options.pair = &pair;
    }
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/records.ndjson", folder);
    if (tf_sink_file(path, TF_FILE_NDJSON, false, &sinks[1], &err) != 0 ||
        tf_pipeline_create(&options, &pipeline, &err) != 0)
        fail_msg("%s", err.text);
    sinks[2] = (struct tf_sink){.name = "allocating", .record = allocating_record};
    for (int i = 0; i < 2 + allocate; i++)
        assert_int_equal(tf_pipeline_add_sink(pipeline, &sinks[i]), 0);
    atomic_store(&allocations, 0);
    assert_int_equal(tf_pipeline_start(pipeline, &err), 0);
    wait_records(seen, WARM_UP, 60000);
    if (record) {
        struct tf_recording_options ro = {.folder = folder, .stem = "a"};

        if (tf_pipeline_recording_start(pipeline, &ro, &err) != 0)
            fail_msg("%s", err.text);
    }
    atomic_store(&counting, true);
    n = atomic_load(&seen->count);
    wait_records(seen, n + frames, 280000);
    atomic_store(&counting, false);
    if (record) {
        struct tf_recording_status recorded;

        assert_int_equal(tf_pipeline_recording_stop(pipeline, &recorded, &err), 0);
        /* It is the way into the files that is counted, not that of refusals. */
        assert_true(recorded.frames > frames / 2);
        assert_int_equal(recorded.frames + recorded.refused, recorded.rows);
        assert_int_equal(recorded.rows_lost, 0);
        snprintf(path, sizeof(path), "%s/a_video.mkv", folder);
        unlink(path);
        snprintf(path, sizeof(path), "%s/a_video.json", folder);
        unlink(path);
        snprintf(path, sizeof(path), "%s/a_frames.csv", folder);
        unlink(path);
        snprintf(path, sizeof(path), "%s/a_frames.ndjson", folder);
        unlink(path);
        snprintf(path, sizeof(path), "%s/records.ndjson", folder);
    }
    assert_int_equal(tf_pipeline_stop(pipeline, &err), 0);
    if (analyse) {
        unsigned with_face = 0;

        for (unsigned i = n; i < n + frames; i++)
            with_face += seen->heads[i].state == TF_STATE_OK;
        /* It is the whole way that is counted, not the way of an empty picture. */
        assert_true(with_face > frames / 2);
    }
    if (paired) {
        struct tf_status status;

        tf_pipeline_status(pipeline, &status);
        assert_true(status.pair.visible_faces > 0);
    }
    tf_pipeline_destroy(pipeline);
    tf_pipeline_destroy(visible);
    tf_exchange_destroy(pair.exchange);
    free(seen);
    unlink(path);
    rmdir(folder);
    return atomic_load(&allocations);
}

static void the_counter_counts(void **state)
{
    assert_true(run(false, true, false, false, 50) >= 49);
}

static void a_thousand_frames_allocate_nothing(void **state)
{
    if (access(TF_SOURCE_ROOT "/models/landmarks68.onnx", R_OK) != 0)
        skip();
    assert_int_equal(run(true, false, false, false, FRAMES), 0);
}

static void nor_do_they_in_a_pair(void **state)
{
    if (access(TF_SOURCE_ROOT "/models/landmarks68.onnx", R_OK) != 0)
        skip();
    assert_int_equal(run(true, false, false, true, FRAMES / 2), 0);
}

static void nor_do_they_without_inference(void **state)
{
    assert_int_equal(run(false, false, false, false, FRAMES), 0);
}

static void nor_do_they_while_recorded(void **state)
{
    assert_int_equal(run(false, false, true, false, FRAMES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),         cmocka_unit_test(nor_do_they_without_inference),
        cmocka_unit_test(nor_do_they_while_recorded), cmocka_unit_test(a_thousand_frames_allocate_nothing),
        cmocka_unit_test(nor_do_they_in_a_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
