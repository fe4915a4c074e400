/*
 * Faces read twice, as they are and mirrored, with the shipped networks on the synthetic subject: the mean of
 * both readings, and when a camera's pace leaves time for it.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/count.h"
#include "capture/source.h"
#include "inference/face/face.h"
#include "inference/face/landmarks.h"

#define WIDTH 320
#define HEIGHT 256
#define MS 1000000ull

static uint16_t picture[HEIGHT * WIDTH], flipped[HEIGHT * WIDTH];
static struct tf_truth truth;

/* One frame of a turned head: a picture unlike its mirror image. */
static int make_picture(void **state)
{
    const struct tf_source_options options = {.url = "synthetic:noise=50,size=320x256,fps=30,seed=4",
                                              .pace = TF_PACE_FAST,
                                              .frames = 4,
                                              .limit = 40};
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    struct tf_error err = {0};

    if (access(TF_TEST_SHIPPED "/landmarks68.onnx", R_OK) != 0) {
        print_message("no networks in " TF_TEST_SHIPPED "\n");
        return -1;
    }
    if (tf_source_open(&options, &source, &err) < 0 || tf_source_start(source, &err) < 0) {
        print_message("%s\n", err.text);
        return -1;
    }
    for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame)) {
        if (frame->width != WIDTH || frame->height != HEIGHT || frame->pixel != TF_PIXEL_U16 ||
            tf_source_truth(source, frame, &truth, 1) != 1)
            continue;
        for (int y = 0; y < HEIGHT; y++) {
            memcpy(&picture[y * WIDTH], frame->plane[0] + (size_t)y * frame->stride[0], WIDTH * 2);
            for (int x = 0; x < WIDTH; x++)
                flipped[y * WIDTH + x] = picture[y * WIDTH + WIDTH - 1 - x];
        }
    }
    tf_source_close(source);
    return 0;
}

static struct tf_frame frame_of(uint16_t *pixels, uint64_t t_ms)
{
    return (struct tf_frame){.plane = {(uint8_t *)pixels},
                             .stride = {WIDTH * 2},
                             .width = WIDTH,
                             .height = HEIGHT,
                             .pixel = TF_PIXEL_U16,
                             .radiometry = {true, 0.01f, -273.15f},
                             .t_mono_ns = TF_NS_PER_S + t_ms * MS};
}

/* Where a point of a face lies in the mirrored order, from the order's own symmetry: jaw, brows, nose, eyes,
 * lips. */
static int other_side(int k)
{
    static const int sums[][3] = {{0, 16, 16},   {17, 26, 43},  {31, 35, 66}, {48, 54, 102},
                                  {55, 59, 114}, {60, 64, 124}, {65, 67, 132}};
    static const int eyes[12] = {45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40};

    for (size_t i = 0; i < TF_COUNT(sums); i++) {
        if (k >= sums[i][0] && k <= sums[i][1])
            return sums[i][2] - k;
    }
    return k >= 36 && k < 48 ? eyes[k - 36] : k; /* 27 to 30 lie in the middle */
}

static void two_readings_have_their_mean(void **state)
{
    struct tf_landmarks *l = NULL;
    struct tf_error err = {0};
    struct tf_point plain[TF_POINTS], back[TF_POINTS], both[TF_POINTS], again[TF_POINTS];
    float x0 = WIDTH, y0 = HEIGHT, x1 = 0, y1 = 0, apart = 0;

    if (tf_landmarks_open(TF_TEST_SHIPPED "/landmarks68.onnx", 1, NULL, &l, &err) < 0)
        fail_msg("%s", err.text);
    for (int k = 0; k < TF_POINTS; k++) {
        x0 = fminf(x0, truth.points[k][0]);
        y0 = fminf(y0, truth.points[k][1]);
        x1 = fmaxf(x1, truth.points[k][0]);
        y1 = fmaxf(y1, truth.points[k][1]);
    }
    const float box[4] = {x0, y0, x1 - x0, y1 - y0}, box_back[4] = {WIDTH - 1 - x1, y0, x1 - x0, y1 - y0};
    struct tf_frame f = frame_of(picture, 0), g = frame_of(flipped, 0);
    assert_int_equal(tf_landmarks_run(l, &f, box, plain), 0);
    assert_int_equal(tf_landmarks_run(l, &g, box_back, back), 0);
    assert_int_equal(tf_landmarks_set_mirror(l, true), 0);
    assert_int_equal(tf_landmarks_run(l, &f, box, both), 0);
    for (int k = 0; k < TF_POINTS; k++) {
        const struct tf_point *o = &back[other_side(k)];

        assert_int_equal(other_side(other_side(k)), k);
        assert_float_equal(both[k].x, (plain[k].x + WIDTH - 1 - o->x) / 2, 0.15);
        assert_float_equal(both[k].y, (plain[k].y + o->y) / 2, 0.15);
        /* Of two readings another calibration speaks, which knows how far they lie apart. */
        assert_float_equal(both[k].confidence, (plain[k].confidence + o->confidence) / 2, 0.2);
        apart = fmaxf(apart, fabsf(plain[k].x - (WIDTH - 1 - o->x)));
    }
    assert_true(apart > 0.6f); /* else this would say nothing */
    assert_int_equal(tf_landmarks_set_mirror(l, false), 0);
    assert_int_equal(tf_landmarks_run(l, &f, box, again), 0);
    assert_memory_equal(again, plain, sizeof(plain));
    tf_landmarks_close(l);
    (void)state;
}

static void other_orders_have_no_mirror_image(void **state)
{
    struct tf_landmarks *l = NULL;
    struct tf_error err = {0};

    if (tf_landmarks_open(TF_TEST_SHIPPED "/systems/b-simple.onnx", 1, NULL, &l, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(tf_landmarks_set_mirror(l, true), -ENOTSUP);
    assert_int_equal(tf_landmarks_set_mirror(l, false), 0);
    tf_landmarks_close(l);
    (void)state;
}

/* The still picture at a camera's pace, one frame of it late if asked; the points at the end. */
static struct tf_face play(enum tf_mirror mirror, uint64_t interval_ms, uint64_t late_ms)
{
    const struct tf_analyser_options options = {
        .models = TF_TEST_SHIPPED, .track = true, .mirror = mirror, .find_every = 1000};
    struct tf_analyser *a = NULL;
    struct tf_faces faces;
    struct tf_error err = {0};

    if (tf_analyser_create(&options, &a, &err) < 0)
        fail_msg("%s", err.text);
    for (uint64_t i = 0; i < 40; i++) {
        struct tf_frame f = frame_of(picture, i * interval_ms + (i > 20 ? late_ms : 0));

        assert_int_equal(tf_analyser_process(a, &f, &faces), 0);
        assert_int_equal(faces.count, 1);
    }
    tf_analyser_destroy(a);
    return faces.faces[0];
}

/* The first frame is read once at any pace, and windows follow from points: these end some tenths apart. */
static void assert_same(const struct tf_face *a, const struct tf_face *b, bool same)
{
    float most = 0;

    for (int k = 0; k < TF_POINTS; k++)
        most = fmaxf(most, hypotf(a->points[k].x - b->points[k].x, a->points[k].y - b->points[k].y));
    if (same ? most > 0.3f : most < 1)
        fail_msg("points are up to %.3f pixels apart", (double)most);
}

static void it_follows_the_pace_of_the_camera(void **state)
{
    struct tf_face once = play(TF_MIRROR_NO, 16, 0), twice = play(TF_MIRROR_YES, 16, 0), f;

    assert_same(&once, &twice, false);
    f = play(TF_MIRROR_AUTO, 16, 0);
    assert_same(&f, &once, true);
    f = play(TF_MIRROR_AUTO, 16, 700); /* a quick camera stays one after a gap */
    assert_same(&f, &once, true);
    f = play(TF_MIRROR_AUTO, 33, 0);
    assert_same(&f, &twice, true);
    f = play(TF_MIRROR_AUTO, 111, 0);
    assert_same(&f, &twice, true);
    (void)state;
}

static void words_for_it(void **state)
{
    enum tf_mirror m;

    for (int i = TF_MIRROR_AUTO; i <= TF_MIRROR_YES; i++) {
        assert_true(tf_mirror_parse(tf_mirror_name((enum tf_mirror)i), &m));
        assert_int_equal(m, i);
    }
    assert_false(tf_mirror_parse("sometimes", &m));
    assert_int_equal(m, TF_MIRROR_YES);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_readings_have_their_mean),
        cmocka_unit_test(other_orders_have_no_mirror_image),
        cmocka_unit_test(it_follows_the_pace_of_the_camera),
        cmocka_unit_test(words_for_it),
    };

    return cmocka_run_group_tests_name("inference face: mirror", tests, make_picture, NULL);
}
