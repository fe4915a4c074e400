/* Two cameras and their threads: the thermal one takes what the visible one has seen, and both are counted.
 */
#include "tests/pipeline/common.h"

#include "pipeline/pair_picture.h"

#define FRAMES 90

/* What joins the synthetic cameras of these tests: their pictures are the same size, so points stay put. */
static const struct tf_registration same = {
    .model = TF_REGISTRATION_AFFINE,
    .matrix = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    .thermal_width = 160,
    .thermal_height = 120,
    .visible_width = 160,
    .visible_height = 120,
    .points = 4,
    .used = 4,
};

struct rig {
    struct tf_exchange *exchange;
    struct tf_pipeline *thermal, *visible;
    struct seen *ours, *theirs;
};

static struct tf_pipeline_options analysed(const char *url)
{
    struct tf_pipeline_options o = small_camera(url);

    o.analyse = true;
    o.analyser =
        (struct tf_analyser_options){.models = TF_SOURCE_ROOT "/models", .filter = true, .track = true};
    o.source.fps = 30;
    return o;
}

static void rig_start(struct rig *rig, const char *visible_url, const struct tf_pipeline_pair *pair)
{
    struct tf_pipeline_options thermal = analysed("synthetic:seed=3,clock=1"),
                               visible = analysed(visible_url);
    struct tf_pipeline_pair with = *pair;

    memset(rig, 0, sizeof(*rig));
    assert_int_equal(tf_exchange_create(&rig->exchange), 0);
    with.exchange = rig->exchange;
    with.partner = "webcam";
    visible.exchange = rig->exchange;
    thermal.pair = &with;
    rig->ours = seen_new();
    rig->theirs = seen_new();
    rig->visible = start_pipeline(&visible, rig->theirs);
    rig->thermal = start_pipeline(&thermal, rig->ours);
}

static struct tf_status rig_stop(struct rig *rig)
{
    struct tf_status status;
    struct tf_error err = {0};

    if (tf_pipeline_stop(rig->thermal, &err) != 0 || tf_pipeline_stop(rig->visible, &err) != 0)
        fail_msg("%s", err.text);
    tf_pipeline_status(rig->thermal, &status);
    check_order(rig->ours);
    check_order(rig->theirs);
    return status;
}

static void rig_free(struct rig *rig)
{
    tf_pipeline_destroy(rig->thermal);
    tf_pipeline_destroy(rig->visible);
    tf_exchange_destroy(rig->exchange);
    free(rig->ours);
    free(rig->theirs);
}

static void no_wake(void *context)
{
}

static bool have_models(void)
{
    return access(TF_SOURCE_ROOT "/models/landmarks68.onnx", R_OK) == 0;
}

/* Every pair in the records is a frame that the visible camera has published, and as far off as it says. */
static void pairs_are_what_they_say(void **state)
{
    const struct tf_pipeline_pair pair = {
        .registration = &same, .use = TF_PAIR_USE_ALWAYS, .max_skew_ns = 2000000000, .wait_ns = 5000000};
    struct tf_status status;
    struct rig rig;
    uint64_t with = 0, looked = 0, visible_faces = 0;
    int64_t last = 0;
    unsigned n;

    if (!have_models())
        skip();
    rig_start(&rig, "synthetic:kind=visible,seed=3,clock=1", &pair);
    wait_records(rig.ours, FRAMES, 120000);
    status = rig_stop(&rig);
    n = atomic_load(&rig.ours->count);
    for (unsigned i = 0; i < n; i++) {
        const struct tf_record *r = &rig.ours->heads[i];

        looked += r->state != TF_STATE_SKIPPED;
        if (!r->pair.camera)
            continue;
        assert_int_not_equal(r->state, TF_STATE_SKIPPED);
        with++;
        last = r->pair.skew_us;
        assert_string_equal(r->pair.camera, "webcam");
        assert_true(r->pair.frame < atomic_load(&rig.theirs->count));
        assert_int_equal(
            (int64_t)(rig.theirs->heads[r->pair.frame].t_mono_ns - r->t_mono_ns) / 1000 - r->pair.skew_us, 0);
    }
    /* A slow machine skips frames, and what is not looked at has no partner. */
    if (with <= looked / 3)
        fail_msg("%llu of %llu frames that were looked at have a partner, of %u in all",
                 (unsigned long long)with, (unsigned long long)looked, n);
    assert_true(status.pair.paired && status.pair.calibrated);
    assert_string_equal(status.pair.partner, "webcam");
    assert_int_equal(status.pair.with, with);
    assert_int_equal(status.pair.with + status.pair.without, n);
    assert_int_equal(status.pair.skew_us, last);
    visible_faces = status.pair.visible_faces;
    assert_true(visible_faces > 0 && visible_faces <= with);
    rig_free(&rig);
}

/* A visible camera that falls silent takes nobody with it. */
static void a_silent_partner_is_counted(void **state)
{
    const struct tf_pipeline_pair pair = {
        .registration = NULL, .use = TF_PAIR_USE_BETTER, .max_skew_ns = 100000000, .wait_ns = 20000000};
    struct tf_status status;
    struct rig rig;
    unsigned n;

    if (!have_models())
        skip();
    rig_start(&rig, "synthetic:kind=visible,seed=3,clock=1,stall=1", &pair);
    wait_records(rig.ours, FRAMES, 120000);
    status = rig_stop(&rig);
    n = atomic_load(&rig.ours->count);
    assert_true(status.pair.paired && !status.pair.calibrated);
    assert_true(status.pair.without >= n / 4);
    assert_int_equal(status.pair.visible_faces, 0);
    assert_null(rig.ours->heads[n - 1].pair.camera);
    rig_free(&rig);
}

/* A thermal camera that is open and silent: who comes to the pair's picture then sees that it stands still.
 */
static void a_pair_that_stands_still_is_seen(void **state)
{
    struct tf_pipeline_options thermal = small_camera("synthetic:stall=0.3"),
                               visible = small_camera("synthetic:kind=visible");
    struct tf_pair_picture_options options = {.name = "both", .overlay = tf_overlay_defaults()};
    struct tf_pair_picture *picture = NULL;
    struct tf_live_viewer *viewer;
    uint64_t until = tf_now_ns() + 10 * TF_NS_PER_S;
    struct tf_status status = {0};
    long got = 0;

    assert_int_equal(tf_live_create("both", no_wake, NULL, &options.live), 0);
    thermal.retry = true;
    options.thermal = start_pipeline(&thermal, NULL);
    options.visible = start_pipeline(&visible, NULL);
    assert_int_equal(tf_pair_picture_create(&options, &picture, NULL), 0);
    while (status.state != TF_CAMERA_NO_SIGNAL && tf_now_ns() < until) {
        usleep(10000);
        tf_pipeline_status(options.thermal, &status);
    }
    assert_int_equal(status.state, TF_CAMERA_NO_SIGNAL);
    usleep(300000); /* its last picture has been seen to */
    assert_int_equal(tf_live_viewer_create(options.live, &viewer), 0);
    for (int fragments = 0; fragments < 4 && tf_now_ns() < until;) {
        static uint8_t buffer[65536];
        long n = tf_live_viewer_read(viewer, buffer, sizeof(buffer));

        assert_true(n >= 0);
        got += n;
        fragments += n > 0;
        usleep(10000);
    }
    assert_true(tf_now_ns() < until);
    assert_true(got > 0);
    tf_live_viewer_destroy(viewer);
    tf_pair_picture_destroy(picture);
    tf_pipeline_stop(options.thermal, NULL);
    tf_pipeline_stop(options.visible, NULL);
    tf_pipeline_destroy(options.thermal);
    tf_pipeline_destroy(options.visible);
    tf_live_destroy(options.live);
}

static void an_unpaired_camera_says_so(void **state)
{
    struct tf_pipeline_options options = small_camera("synthetic");
    struct seen *seen = seen_new();
    struct tf_pipeline *pipeline = start_pipeline(&options, seen);
    struct tf_status status;

    wait_records(seen, 3, 60000);
    tf_pipeline_status(pipeline, &status);
    assert_false(status.pair.paired);
    assert_int_equal(status.pair.with + status.pair.without, 0);
    tf_pipeline_destroy(pipeline);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_what_they_say),
        cmocka_unit_test(a_silent_partner_is_counted),
        cmocka_unit_test(a_pair_that_stands_still_is_seen),
        cmocka_unit_test(an_unpaired_camera_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
