/*
 * Finding and following on networks whose answer is known: a face is one warm spot, and its points are a
 * fixed template around it (make_models.py).
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "inference/face/face.h"
#include "inference/face/finder.h"
#include "inference/face/tracker.h"
#include "inference/face/segment.h"

#define SIDE 128
#define LANDMARKS TF_TEST_MODELS "/landmarks_spot.onnx"
#define BOTH TF_TEST_MODELS "/landmarks_both.onnx"
#define FINDER TF_TEST_MODELS "/finder_spot.onnx"
#define SEGMENTATION TF_TEST_MODELS "/segmentation_spot.onnx"
#define MS 1000000ull

/* Allocations, counted at the linker (--wrap): what the frame path must not do. */
static unsigned long allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size)
{
    allocations++;
    return __real_realloc(p, size);
}

static uint16_t pixels[SIDE * SIDE];
static double room = 21, rise = 18; /* °C; most tests leave them */

/* A room of 21 °C with warm spots at the places given; a spot is 6 pixels wide, its face then 32. */
static struct tf_frame scene(uint64_t t_ms, const float (*spots)[2], int count)
{
    struct tf_frame f = {.plane = {(uint8_t *)pixels},
                         .stride = {SIDE * 2},
                         .width = SIDE,
                         .height = SIDE,
                         .pixel = TF_PIXEL_U16,
                         .radiometry = {true, 0.01f, -273.15f},
                         .t_mono_ns = TF_NS_PER_S + t_ms * MS};

    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            double c = room;

            for (int i = 0; i < count; i++)
                c += rise * exp(-(pow(x - (double)spots[i][0], 2) + pow(y - (double)spots[i][1], 2)) /
                                (2 * 3.0 * 3.0));
            pixels[y * SIDE + x] = (uint16_t)lrint((c + 273.15) * 100);
        }
    }
    return f;
}

static struct tf_analyser *open_with(struct tf_analyser_options options)
{
    struct tf_analyser *a = NULL;
    struct tf_error err = {0};

    options.landmarks = LANDMARKS;
    options.finder = FINDER;
    if (tf_analyser_create(&options, &a, &err) < 0)
        fail_msg("%s", err.text);
    return a;
}

static struct tf_analyser *open_tracking(void)
{
    return open_with((struct tf_analyser_options){.track = true, .find_every = 4});
}

static void process(struct tf_analyser *a, struct tf_frame f, struct tf_faces *faces)
{
    assert_int_equal(tf_analyser_process(a, &f, faces), 0);
}

/* The template's nose bridge (27) lies 4 cells of 2 pixels above the spot, the chin (8) 8 cells below. */
static void assert_face_at(const struct tf_face *face, float x, float y)
{
    assert_float_equal(face->points[27].x, x, 1);
    assert_float_equal(face->points[27].y, y - 8, 1);
    assert_float_equal(face->points[8].y, y + 16, 1);
    assert_float_equal(face->points[0].x, x - 16, 1);
    assert_float_equal(face->points[16].x, x + 16, 1);
    assert_float_equal(face->box[0], x - 16, 1);
    assert_float_equal(face->box[1], y - 16, 1);
    assert_float_equal(face->box[2], 32, 1.5);
    assert_float_equal(face->box[3], 32, 1.5);
}

static void a_face_is_found_wherever_it_is(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = false});
    struct tf_faces faces;

    for (float y = 30; y < 98; y += 13.3f) {
        for (float x = 30; x < 98; x += 17.9f) {
            process(a, scene(0, (const float[1][2]){{x, y}}, 1), &faces);
            assert_int_equal(faces.count, 1);
            assert_face_at(&faces.faces[0], x, y);
            assert_true(faces.faces[0].score > 0.6f && faces.faces[0].score <= 1);
            assert_false(faces.faces[0].filtered);
        }
    }
    process(a, scene(0, NULL, 0), &faces);
    assert_int_equal(faces.count, 0);
    tf_analyser_destroy(a);
}

static void every_rotation_reports_upright_points(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = false});
    struct tf_faces faces;
    /* Native (40, 70) seen upright, after 0, 90, 180, 270 degrees clockwise. */
    static const float upright[4][2] = {
        {40, 70}, {SIDE - 1 - 70, 40}, {SIDE - 1 - 40, SIDE - 1 - 70}, {70, SIDE - 1 - 40}};

    for (int i = 0; i < 4; i++) {
        struct tf_frame f = scene(0, (const float[1][2]){{40, 70}}, 1);

        f.rotate = (uint16_t)(90 * i);
        process(a, f, &faces);
        assert_int_equal(faces.count, 1);
        assert_face_at(&faces.faces[0], upright[i][0], upright[i][1]);
    }
    tf_analyser_destroy(a);
}

static void a_mirrored_picture_reports_the_mirror_image(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = false});
    struct tf_faces faces;
    static const float upright[4][2] = {
        {SIDE - 1 - 40, 70}, {70, 40}, {40, SIDE - 1 - 70}, {SIDE - 1 - 70, SIDE - 1 - 40}};

    for (int i = 0; i < 4; i++) {
        struct tf_frame f = scene(0, (const float[1][2]){{40, 70}}, 1);

        f.rotate = (uint16_t)(90 * i);
        f.flip = true;
        process(a, f, &faces);
        assert_int_equal(faces.count, 1);
        assert_face_at(&faces.faces[0], upright[i][0], upright[i][1]);
    }
    tf_analyser_destroy(a);
}

static void a_moving_face_keeps_its_id(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;
    int looks = 0;

    for (int i = 0; i < 40; i++) {
        float x = 35 + 1.4f * (float)i, y = 60 + 20 * sinf((float)i / 8);

        process(a, scene((uint64_t)i * 33, (const float[1][2]){{x, y}}, 1), &faces);
        assert_int_equal(faces.count, 1);
        assert_int_equal(faces.faces[0].id, 1);
        assert_face_at(&faces.faces[0], x, y);
        looks += tf_analyser_times(a).finder_ns > 0;
        assert_true(tf_analyser_times(a).landmarks_ns > 0 && tf_analyser_times(a).normalise_ns > 0);
        assert_true(tf_analyser_times(a).regions_ns > 0);
    }
    /* Every fourth frame, as asked: the others cost no look. */
    assert_in_range(looks, 10, 11);
    tf_analyser_destroy(a);
}

/* Twelve pixels in one frame: part of the face lies outside the window in which it was looked for. */
static void a_face_that_jumped_is_read_where_it_is(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;

    process(a, scene(0, (const float[1][2]){{50, 60}}, 1), &faces);
    assert_int_equal(faces.count, 1);
    process(a, scene(33, (const float[1][2]){{62, 60}}, 1), &faces);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].id, 1);
    assert_face_at(&faces.faces[0], 62, 60);
    tf_analyser_destroy(a);
    (void)state;
}

static void a_second_face_is_noticed_and_gets_its_own_id(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;
    const float both[2][2] = {{35, 60}, {93, 60}};

    for (int i = 0; i < 5; i++)
        process(a, scene((uint64_t)i * 33, both, 1), &faces);
    for (int i = 5; i < 11; i++)
        process(a, scene((uint64_t)i * 33, both, 2), &faces);
    assert_int_equal(faces.count, 2);
    assert_int_equal(faces.faces[0].id + faces.faces[1].id, 3);
    const struct tf_face *first = &faces.faces[faces.faces[0].id == 1 ? 0 : 1];
    assert_face_at(first, 35, 60);
    assert_true(faces.faces[0].box[2] * faces.faces[0].box[3] >=
                faces.faces[1].box[2] * faces.faces[1].box[3]);

    /* The first one goes; the second is not mistaken for it. */
    for (int i = 11; i < 15; i++)
        process(a, scene((uint64_t)i * 33, &both[1], 1), &faces);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].id, 2);
    tf_analyser_destroy(a);
}

static void a_face_that_comes_back_soon_is_the_same(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;
    const float spot[1][2] = {{60, 60}};

    process(a, scene(0, spot, 1), &faces);
    assert_int_equal(faces.faces[0].id, 1);
    process(a, scene(100, NULL, 0), &faces);
    assert_int_equal(faces.count, 0);
    process(a, scene(1500, spot, 1), &faces);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].id, 1);
    process(a, scene(1600, NULL, 0), &faces);
    process(a, scene(4000, spot, 1), &faces);
    assert_int_equal(faces.faces[0].id, 2);
    tf_analyser_reset(a);
    process(a, scene(4100, spot, 1), &faces);
    assert_int_equal(faces.faces[0].id, 3);
    tf_analyser_destroy(a);
}

static void flagged_frames_are_not_looked_at(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;
    const float spot[1][2] = {{60, 60}};
    struct tf_frame f;

    process(a, scene(0, spot, 1), &faces);
    assert_int_equal(faces.count, 1);
    for (int i = 0; i < 20; i++) {
        f = scene(33 + (uint64_t)i * 33, NULL, 0);
        f.flags = i % 2 ? TF_FLAG_FFC : TF_FLAG_CORRUPT;
        process(a, f, &faces);
        assert_int_equal(faces.count, 0);
        assert_int_equal(tf_analyser_times(a).landmarks_ns, 0);
    }
    /* The track was kept: no finder is needed to go on. */
    f = scene(700, spot, 1);
    f.flags = TF_FLAG_FFC_SETTLING;
    process(a, f, &faces);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].id, 1);
    tf_analyser_destroy(a);
}

static void one_spot_is_never_two_faces(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = true, .find_every = 1});
    struct tf_faces faces;

    for (int i = 0; i < 30; i++) {
        /* Jumps of up to a face's size: lost here, found there, in the same frame. */
        float x = 40 + (float)(i * 37 % 50), y = 40 + (float)(i * 23 % 50);

        process(a, scene((uint64_t)i * 33, (const float[1][2]){{x, y}}, 1), &faces);
        assert_int_equal(faces.count, 1);
        assert_face_at(&faces.faces[0], x, y);
    }
    tf_analyser_destroy(a);
}

static void two_tracks_on_one_face_become_one(void **state)
{
    struct tf_track tracks[TF_TRACKS];
    static const float here[4] = {20, 30, 40, 44}, near[4] = {26, 27, 38, 40}, inside[4] = {32, 44, 16, 16},
                       beside[4] = {55, 30, 40, 44};

    memset(tracks, 0, sizeof(tracks));
    for (int i = 0; i < 4; i++) {
        const float *boxes[4] = {near, beside, here, inside};

        memcpy(tracks[i].box, boxes[i], sizeof(tracks[i].box));
        tracks[i].id = (uint32_t)(4 - i);
        tracks[i].live = true;
    }
    /* The older of two, and the one that the finder confirmed rather than the older. */
    tracks[3].unconfirmed = 2;
    tf_tracks_drop_duplicates(tracks);
    assert_false(tracks[0].live);
    assert_true(tracks[1].live);
    assert_true(tracks[2].live);
    assert_false(tracks[3].live);
}

static void a_face_that_the_finder_denies_is_dropped(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = true, .find_every = 1});
    const float spot[1][2] = {{60, 60}};
    struct tf_faces faces;
    int lasted = 0;

    process(a, scene(0, spot, 1), &faces);
    assert_int_equal(faces.count, 1);
    /* Below 22 °C the finder is blind; the landmark network, which looks at contrast, is as sure as before.
     */
    room = 1;
    for (int i = 1; i < 20; i++) {
        process(a, scene((uint64_t)i * 33, spot, 1), &faces);
        lasted += faces.count == 1;
    }
    room = 21;
    assert_int_equal(lasted, 9);
    assert_int_equal(faces.count, 0);
    tf_analyser_destroy(a);
}

static void a_face_below_the_score_is_none(void **state)
{
    struct tf_analyser *low = open_with((struct tf_analyser_options){.track = true, .score_min = 0.5f});
    struct tf_analyser *high = open_with((struct tf_analyser_options){.track = true, .score_min = 0.98f});
    const float spot[1][2] = {{60, 60}};
    struct tf_faces faces;

    process(high, scene(0, spot, 1), &faces);
    assert_int_equal(faces.count, 1);
    /* A weak spot: the finder still sees it, the points are less sure. */
    rise = 6.5;
    struct tf_frame f = scene(33, spot, 1);
    rise = 18;
    process(high, f, &faces);
    assert_int_equal(faces.count, 0);
    process(low, f, &faces);
    assert_int_equal(faces.count, 1);
    assert_true(faces.faces[0].score < 0.98f);
    tf_analyser_destroy(low);
    tf_analyser_destroy(high);
}

static void overlapping_boxes_are_thinned(void **state)
{
    struct tf_finder *finder = NULL;
    struct tf_found found[TF_FINDER_MAX];
    struct tf_error err = {0};
    struct tf_view view;
    struct tf_frame f;

    if (tf_finder_open(TF_TEST_MODELS "/finder_wide.onnx", 1, NULL, &finder, &err) < 0)
        fail_msg("%s", err.text);
    /* Boxes of 96 pixels whose centres lie two cells, 32 pixels, apart overlap by half; four cells apart by a
     * fifth. */
    f = scene(0, (const float[2][2]){{40, 56}, {72, 56}}, 2);
    assert_true(tf_view_init(&view, &f));
    assert_int_equal(tf_finder_run(finder, &view, &f.radiometry, TF_FINDER_ALL, found), 1);
    f = scene(0, (const float[2][2]){{40, 56}, {104, 56}}, 2);
    assert_int_equal(tf_finder_run(finder, &view, &f.radiometry, TF_FINDER_ALL, found), 2);
    assert_true(found[0].score >= found[1].score);
    assert_float_equal(found[0].box[2], 96, 1);
    assert_float_equal(tf_box_iou(found[0].box, found[1].box), 32.0 / (192 - 32), 0.02);
    tf_finder_close(finder);
    tf_finder_close(NULL);
}

static void the_number_of_faces_has_a_limit(void **state)
{
    struct tf_analyser *a =
        open_with((struct tf_analyser_options){.track = true, .faces_max = 1, .find_every = 1});
    struct tf_faces faces;
    const float both[2][2] = {{35, 60}, {93, 60}};

    for (int i = 0; i < 5; i++) {
        process(a, scene((uint64_t)i * 33, both, 2), &faces);
        assert_int_equal(faces.count, 1);
        assert_int_equal(faces.faces[0].id, 1);
    }
    tf_analyser_destroy(a);
}

static void the_filter_stands_beside_the_raw_points(void **state)
{
    struct tf_analyser *a = open_with((struct tf_analyser_options){.track = true, .filter = true});
    struct tf_faces faces;

    process(a, scene(0, (const float[1][2]){{60, 60}}, 1), &faces);
    assert_true(faces.faces[0].filtered);
    assert_float_equal(faces.faces[0].points_filtered[8].x, faces.faces[0].points[8].x, 0);
    process(a, scene(33, (const float[1][2]){{62, 60}}, 1), &faces);
    assert_face_at(&faces.faces[0], 62, 60);
    assert_true(faces.faces[0].points_filtered[27].x > 60 && faces.faces[0].points_filtered[27].x < 61.95f);
    tf_analyser_destroy(a);
}

static void regions_are_measured(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces;
    const float spot[1][2] = {{60, 60}};

    process(a, scene(0, spot, 1), &faces);
    assert_int_equal(faces.count, 1);
    /* The nose tip is one cell below the spot's centre, the warmest place of the picture. */
    assert_true(faces.faces[0].regions[TF_REGION_NOSE_TIP].max > 36);
    assert_true(faces.faces[0].regions[TF_REGION_NOSE_TIP].max < 39.2f);
    assert_true(faces.faces[0].regions[TF_REGION_CHIN].mean < 23);
    tf_analyser_destroy(a);
}

static void maps_and_coordinates_are_blended(void **state)
{
    struct tf_analyser_options options = {.landmarks = BOTH, .finder = FINDER, .mirror = TF_MIRROR_NO};
    struct tf_analyser *a = NULL;
    struct tf_point points[TF_POINTS];
    struct tf_frame f = scene(0, (const float[1][2]){{61, 57}}, 1);
    struct tf_error err;

    assert_int_equal(tf_analyser_create(&options, &a, &err), 0);
    /* The window's centre is (60, 58) and its side 48, so the coordinates say 6 right of the centre: (66,
     * 58). */
    assert_int_equal(tf_analyser_landmarks(a, &f, (const float[4]){44, 42, 32, 32}, points), 0);
    assert_float_equal(points[30].x, 0.75 * 61 + 0.25 * 66, 0.3);
    assert_float_equal(points[30].y, 0.75 * (57 + 2) + 0.25 * (58 + 2), 0.3);
    assert_float_equal(points[8].x, 0.75 * 61 + 0.25 * 66, 0.3);
    assert_float_equal(points[8].y, 0.75 * (57 + 16) + 0.25 * (58 + 16), 0.3);
    assert_true(points[30].confidence > 0.9f);
    tf_analyser_destroy(a);
}

static void landmarks_of_a_known_box(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_point points[TF_POINTS];
    struct tf_frame f = scene(0, (const float[1][2]){{61, 57}}, 1);

    assert_int_equal(tf_analyser_landmarks(a, &f, (const float[4]){44, 42, 32, 30}, points), 0);
    assert_float_equal(points[27].x, 61, 0.6);
    assert_float_equal(points[27].y, 57 - 8, 0.6);
    assert_true(points[27].confidence > 0.9f);
    assert_int_equal(tf_analyser_landmarks(a, &f, (const float[4]){44, 42, 0, 0}, points), -EINVAL);
    assert_int_equal(tf_analyser_landmarks(a, &f, (const float[4]){NAN, 42, 32, 32}, points), -EINVAL);
    assert_int_equal(tf_analyser_landmarks(a, &f, (const float[4]){5000, 42, 32, 32}, points), -EINVAL);
    tf_analyser_destroy(a);
}

static void threads_do_not_change_a_bit(void **state)
{
    static struct tf_faces one, four;
    struct tf_analyser *a =
        open_with((struct tf_analyser_options){.track = true, .filter = true, .threads = 1});
    struct tf_analyser *b =
        open_with((struct tf_analyser_options){.track = true, .filter = true, .threads = 4});

    for (int i = 0; i < 10; i++) {
        struct tf_frame f =
            scene((uint64_t)i * 40, (const float[2][2]){{40 + (float)i, 50}, {90, 60 + (float)i}}, 2);

        process(a, f, &one);
        process(b, f, &four);
        assert_int_equal(one.count, 2);
        assert_memory_equal(&one, &four, sizeof(one));
    }
    tf_analyser_destroy(a);
    tf_analyser_destroy(b);
}

static void nothing_is_allocated_per_frame(void **state)
{
    struct tf_analyser *a =
        open_with((struct tf_analyser_options){.track = true, .filter = true, .threads = 2});
    struct tf_faces faces;
    unsigned long before = 0;

    for (int i = 0; i < 40; i++) {
        if (i == 5)
            before = allocations;
        process(a, scene((uint64_t)i * 33, (const float[1][2]){{60 + (float)i / 2, 60}}, i % 10 == 9 ? 0 : 1),
                &faces);
    }
    assert_true(before > 0); /* the counter counts */
    assert_int_equal(allocations, before);
    tf_analyser_destroy(a);
}

static void unfit_frames_are_refused(void **state)
{
    struct tf_analyser *a = open_tracking();
    struct tf_faces faces = {.count = 77};
    struct tf_frame f = scene(0, NULL, 0);

    f.width = 31;
    assert_int_equal(tf_analyser_process(a, &f, &faces), -EINVAL);
    f = scene(0, NULL, 0);
    f.pixel = (enum tf_pixel)42;
    assert_int_equal(tf_analyser_process(a, &f, &faces), -EINVAL);
    f = scene(0, NULL, 0);
    f.plane[0] = NULL;
    assert_int_equal(tf_analyser_process(a, &f, &faces), -EINVAL);
    assert_int_equal(faces.count, 77);
    tf_analyser_destroy(a);
    tf_analyser_destroy(NULL);
}

/* A copy of a model in which one text is replaced by another of the same length. */
static void patched(const char *model, const char *from, const char *to, char path[64])
{
    static char data[65536];
    FILE *f = fopen(model, "rb");
    size_t n;
    char *at;
    int fd;

    assert_non_null(f);
    n = fread(data, 1, sizeof(data), f);
    fclose(f);
    assert_int_equal(strlen(from), strlen(to));
    at = memmem(data, n, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    strcpy(path, "/tmp/tf-test-model-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, n), (ssize_t)n);
    close(fd);
}

static void expect_refusal_of(const char *model, bool landmarks, const char *from, const char *to,
                              const char *message)
{
    struct tf_analyser_options options = {.landmarks = LANDMARKS, .finder = FINDER};
    struct tf_analyser *a = NULL;
    struct tf_error err = {0};
    char path[64];

    patched(model, from, to, path);
    if (landmarks)
        options.landmarks = path;
    else
        options.finder = path;
    int r = tf_analyser_create(&options, &a, &err);
    unlink(path);
    assert_int_equal(r, -EINVAL);
    assert_null(a);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, message))
        fail_msg("'%s' does not say '%s'", err.text, message);
}

static void expect_refusal(bool landmarks, const char *from, const char *to, const char *message)
{
    expect_refusal_of(landmarks ? LANDMARKS : FINDER, landmarks, from, to, message);
}

static void metadata_that_does_not_fit_is_named(void **state)
{
    expect_refusal(true, "landmarks", "landmarkz", "tf.task is 'landmarkz'");
    expect_refusal(true, "tf.order", "tf.ordex", "tf.order is missing");
    expect_refusal(true, "ibug68", "ibug86", "tf.order 'ibug86'");
    expect_refusal(true, "scale=1.5", "skale=1.5", "tf.crop: unknown key in 'skale=1.5'");
    expect_refusal(true, "scale=1.5", "scale=x.5", "'scale=x.5' is not a number");
    expect_refusal(true, "scale=1.5", "scale=999", "scale=999 must be from 0.1 to 10");
    expect_refusal(true, "square", "circle", "tf.crop: 'circle scale=1.5' is neither square nor letterbox");
    expect_refusal(true, "hi=100", "hi=000", "lo must be below hi");
    expect_refusal(true, "hi=100", "lo=100", "lo is given twice");
    expect_refusal(true, "percentile", "percentage", "neither percentile nor celsius");
    expect_refusal(true, "window=5", "window=4", "window must be an odd whole number");
    expect_refusal(true, "heatmap beta", "hotmaps beta", "neither heatmap nor points");
    expect_refusal(true, "peak a=1", "peek a=1", "tf.confidence: 'peek a=1 c=-4'");
    expect_refusal_of(BOTH, true, "blend=0.25", "blend=9.25", "blend=9.25 must be from 0.01 to 0.99");
    expect_refusal_of(BOTH, true, " blend=0.25", "  window=05", "window is given twice");
    expect_refusal_of(BOTH, true, "0.1667,0.3750 ", "0.1667;0.3750 ",
                      "tf.mean: value 1 is not one of 136 numbers");
    expect_refusal_of(BOTH, true, "0.1667,0.3750 ", "0.1667,9.3750 ", "tf.mean: value 2");
    expect_refusal_of(BOTH, true, "0.1667,0.3750 ", "0.1667,0.nan0 ", "tf.mean: value 2");
    expect_refusal_of(BOTH, true, " blend=0.25", "           ", "one output is needed, the network has 2");
    expect_refusal(false, "letterbox", "letterbix", "neither square nor letterbox");
    expect_refusal(false, "points68", "points86", "tf.box: 'points86' is not points68");
    expect_refusal(false, "stride=8", "stride=4", "does not cover the 64 x 64 input");
    expect_refusal(false, "center", "corner", "does not begin with center");
    expect_refusal(false, "threshold=0.60", "threshold=6.00", "threshold=6.00 must be from 0.01 to 0.99");
}

static void missing_files_and_bad_options_are_named(void **state)
{
    struct tf_analyser_options options = {.models = "/nonexistent/models"};
    struct tf_analyser *a = NULL;
    struct tf_error err = {0};

    assert_int_equal(tf_analyser_create(&options, &a, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/models/landmarks68.onnx"));
    options = (struct tf_analyser_options){0};
    assert_int_equal(tf_analyser_create(&options, &a, &err), -EINVAL);
    options =
        (struct tf_analyser_options){.landmarks = LANDMARKS, .finder = FINDER, .faces_max = TF_FACES_MAX + 1};
    assert_int_equal(tf_analyser_create(&options, &a, &err), -EINVAL);
    assert_non_null(strstr(err.text, "faces_max"));
    options = (struct tf_analyser_options){.landmarks = LANDMARKS, .finder = FINDER, .score_min = NAN};
    assert_int_equal(tf_analyser_create(&options, &a, &err), -EINVAL);
    /* The networks changed over: each says what it is. */
    options = (struct tf_analyser_options){.landmarks = FINDER, .finder = LANDMARKS};
    assert_int_equal(tf_analyser_create(&options, &a, &err), -EINVAL);
    assert_non_null(strstr(err.text, "tf.task is 'finder'"));
    assert_null(a);
}

static void segmentation_labels_cells(void **state)
{
    struct tf_segmenter *s = NULL;
    struct tf_error err = {0};
    uint8_t labels[24 * 24];
    struct tf_frame f = scene(0, (const float[1][2]){{60, 60}}, 1);
    const float box[4] = {44, 44, 32, 32};
    float x, y;

    if (tf_segmenter_open(SEGMENTATION, 1, NULL, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(tf_segmenter_info(s)->classes, 3);
    assert_string_equal(tf_segmenter_info(s)->names[2], "eyes");
    assert_int_equal(tf_segmenter_run(s, &f, box, labels), 0);
    for (uint32_t row = 0; row < 24; row++) {
        for (uint32_t column = 0; column < 24; column++) {
            tf_segmenter_position(s, box, column, row, &x, &y);
            /* Classes by warmth: hot above 0.5 of the range, cold below 0.25. */
            double warmth =
                (21 + 18 * exp(-(pow((double)x - 60, 2) + pow((double)y - 60, 2)) / 18) - 22) / 18;
            int label = labels[row * 24 + column];

            if (fabs(warmth - 0.25) < 0.05 || fabs(warmth - 0.5) < 0.05)
                continue;
            assert_int_equal(label, warmth > 0.5 ? 2 : warmth > 0.25 ? 1 : 0);
        }
    }
    tf_segmenter_close(s);
    assert_int_equal(tf_segmenter_open(FINDER, 1, NULL, &s, &err), -EINVAL);
}

/* What the segmenter says of a cell by itself is what the face's mask says at that place. */
static void faces_have_masks(void **state)
{
    struct tf_analyser *a = open_with(
                           (struct tf_analyser_options){.track = true, .segmentation = SEGMENTATION}),
                       *b = open_with((struct tf_analyser_options){
                           .track = true, .segmentation = SEGMENTATION, .region_masks = true});
    const float spot[1][2] = {{60, 60}};
    struct tf_faces faces, masked;

    for (int i = 0; i < 3; i++) {
        process(a, scene((uint64_t)i * 33, spot, 1), &faces);
        process(b, scene((uint64_t)i * 33, spot, 1), &masked);
    }
    assert_int_equal(faces.count, 1);
    const struct tf_mask *m = &faces.faces[0].mask;
    assert_int_equal(m->width, 24);
    assert_int_equal(m->height, 24);
    assert_float_equal(m->step_x, 2, 0.1);
    assert_int_equal(tf_mask_at(m, 60, 60), TF_PART_EYES);
    assert_int_equal(tf_mask_at(m, 64, 60), TF_PART_SKIN);
    assert_int_equal(tf_mask_at(m, 75, 60), TF_PART_BACKGROUND);
    assert_int_equal(tf_mask_at(m, 200, 60), TF_PART_BACKGROUND);
    assert_int_equal(tf_mask_at(m, NAN, 60), TF_PART_BACKGROUND);
    /* That network knows no nose and no mouth; the forehead is never bounded. */
    assert_true(faces.faces[0].regions[TF_REGION_NOSE_TIP].n > 0);
    assert_int_equal(masked.faces[0].regions[TF_REGION_NOSE_TIP].n, 0);
    assert_int_equal(masked.faces[0].regions[TF_REGION_FOREHEAD].n,
                     faces.faces[0].regions[TF_REGION_FOREHEAD].n);
    unsigned long before = allocations;
    for (int i = 3; i < 40; i++)
        process(b, scene((uint64_t)i * 33, spot, 1), &masked);
    assert_int_equal(allocations, before);
    tf_analyser_destroy(a);
    tf_analyser_destroy(b);
    /* Without a segmentation network there is no mask, and nothing to bound regions by. */
    a = open_tracking();
    process(a, scene(0, spot, 1), &faces);
    assert_int_equal(faces.faces[0].mask.width, 0);
    assert_int_equal(tf_mask_at(&faces.faces[0].mask, 60, 60), TF_PART_BACKGROUND);
    tf_analyser_destroy(a);

    struct tf_error err = {0};
    struct tf_analyser_options o = {.landmarks = LANDMARKS, .finder = FINDER, .region_masks = true};
    assert_int_equal(tf_analyser_create(&o, &a, &err), -EINVAL);
    assert_non_null(strstr(err.text, "segmentation"));
    o.segmentation = FINDER;
    assert_int_equal(tf_analyser_create(&o, &a, &err), -EINVAL);
    assert_non_null(strstr(err.text, "tf.task"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_is_found_wherever_it_is),
        cmocka_unit_test(every_rotation_reports_upright_points),
        cmocka_unit_test(a_mirrored_picture_reports_the_mirror_image),
        cmocka_unit_test(a_moving_face_keeps_its_id),
        cmocka_unit_test(a_face_that_jumped_is_read_where_it_is),
        cmocka_unit_test(a_second_face_is_noticed_and_gets_its_own_id),
        cmocka_unit_test(a_face_that_comes_back_soon_is_the_same),
        cmocka_unit_test(flagged_frames_are_not_looked_at),
        cmocka_unit_test(one_spot_is_never_two_faces),
        cmocka_unit_test(two_tracks_on_one_face_become_one),
        cmocka_unit_test(a_face_that_the_finder_denies_is_dropped),
        cmocka_unit_test(a_face_below_the_score_is_none),
        cmocka_unit_test(overlapping_boxes_are_thinned),
        cmocka_unit_test(the_number_of_faces_has_a_limit),
        cmocka_unit_test(the_filter_stands_beside_the_raw_points),
        cmocka_unit_test(regions_are_measured),
        cmocka_unit_test(landmarks_of_a_known_box),
        cmocka_unit_test(maps_and_coordinates_are_blended),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(nothing_is_allocated_per_frame),
        cmocka_unit_test(unfit_frames_are_refused),
        cmocka_unit_test(metadata_that_does_not_fit_is_named),
        cmocka_unit_test(missing_files_and_bad_options_are_named),
        cmocka_unit_test(segmentation_labels_cells),
        cmocka_unit_test(faces_have_masks),
    };

    return cmocka_run_group_tests_name("inference face: analyser", tests, NULL, NULL);
}
