/*
 * Glasses, told from the temperatures of a face's regions: on the synthetic subject with and without, on
 * cameras that know °C and on such that do not.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/count.h"
#include "capture/source.h"
#include "inference/face/covering.h"
#include "inference/face/judge.h"

static void play(const char *url, bool glasses)
{
    const struct tf_analyser_options options = {.models = TF_TEST_SHIPPED, .track = true};
    const struct tf_source_options source_options = {
        .url = url, .pace = TF_PACE_FAST, .limit = 20, .frames = 4};
    static struct tf_faces faces;
    struct tf_analyser *analyser = NULL;
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    struct tf_error err = {0};
    unsigned seen = 0;

    if (tf_analyser_create(&options, &analyser, &err) < 0 ||
        tf_source_open(&source_options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
        fail_msg("%s", err.text);
    for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame)) {
        assert_int_equal(tf_analyser_process(analyser, frame, &faces), 0);
        if (faces.count == 0)
            continue;
        const struct tf_face *f = &faces.faces[0];
        seen++;
        if ((f->glasses >= TF_COVERED) != glasses)
            fail_msg("%s: frame %u: glasses %.3f", url, seen, (double)f->glasses);
        for (int i = TF_REGION_PERIORBITAL_RIGHT; i <= TF_REGION_CANTHUS_LEFT; i++) {
            assert_int_equal((f->regions[i].why & TF_WHY_COVERED) != 0, glasses);
            assert_false(glasses && f->regions[i].valid);
        }
        assert_false(f->regions[TF_REGION_FOREHEAD].why & TF_WHY_COVERED);
        assert_false(f->regions[TF_REGION_NOSE_TIP].why & TF_WHY_COVERED);
        assert_true(isnan(f->covered));
    }
    assert_true(seen >= 15);
    tf_source_close(source);
    tf_analyser_destroy(analyser);
}

static void glasses_are_told(void **state)
{
    static const char *const urls[] = {"synthetic:fps=9,size=160x120,noise=50,seed=%d,glasses=%d",
                                       "synthetic:fps=9,size=320x240,noise=50,seed=%d,glasses=%d",
                                       "synthetic:fps=9,size=320x240,kind=counts,seed=%d,glasses=%d"};
    char url[128];

    for (size_t i = 0; i < TF_COUNT(urls); i++)
        for (int seed = 1; seed <= 3; seed++)
            for (int glasses = 0; glasses <= 1; glasses++) {
                snprintf(url, sizeof(url), urls[i], seed, glasses);
                play(url, glasses);
            }
}

static void make(struct tf_face *face, float skin, float eyes, float sd)
{
    memset(face, 0, sizeof(*face));
    for (int i = 0; i < TF_REGIONS; i++)
        face->regions[i] = (struct tf_region_stats){.mean = skin, .sd = sd, .n = 20, .valid = true};
    for (int i = TF_REGION_PERIORBITAL_RIGHT; i <= TF_REGION_CANTHUS_LEFT; i++)
        face->regions[i].mean = eyes;
    for (int k = 0; k < TF_POINTS; k++)
        face->points[k].confidence = 1;
}

/* Neither unit nor level matter, and what was not measured is not guessed at. */
static void no_scale_is_needed(void **state)
{
    struct tf_face face;
    float celsius, counts;

    make(&face, 33, 31, 0.5f);
    celsius = tf_covering_glasses(face.regions);
    make(&face, 33 * 40 + 7000, 31 * 40 + 7000, 20);
    counts = tf_covering_glasses(face.regions);
    assert_true(fabsf(celsius - counts) < 0.01f);
    assert_true(celsius > 0.5f);
    make(&face, 33, 33.4f, 0.5f);
    assert_true(tf_covering_glasses(face.regions) < 0.1f);

    make(&face, 33, 31, 0.5f);
    face.regions[TF_REGION_CANTHUS_LEFT] = face.regions[TF_REGION_CANTHUS_RIGHT] =
        (struct tf_region_stats){.mean = NAN, .sd = NAN};
    assert_true(tf_covering_glasses(face.regions) > 0.5f);
    face.regions[TF_REGION_PERIORBITAL_LEFT] = face.regions[TF_REGION_PERIORBITAL_RIGHT] =
        (struct tf_region_stats){.mean = NAN, .sd = NAN};
    assert_true(isnan(tf_covering_glasses(face.regions)));
    make(&face, 33, 33, 0);
    assert_true(isnan(tf_covering_glasses(face.regions)));
    memset(&face, 0, sizeof(face));
    assert_true(isnan(tf_covering_glasses(face.regions)));
}

/* A colour picture's brightness is no temperature. */
static void visible_cameras_are_not_asked(void **state)
{
    struct tf_frame frame = {.pixel = TF_PIXEL_U16};
    struct tf_face face;

    assert_true(tf_face_can_be_thermal(&frame));
    frame.pixel = TF_PIXEL_U8;
    assert_true(tf_face_can_be_thermal(&frame));
    frame.pixel = TF_PIXEL_YUYV;
    assert_false(tf_face_can_be_thermal(&frame));
    frame.pixel = TF_PIXEL_NV12;
    assert_false(tf_face_can_be_thermal(&frame));
    make(&face, 33, 30, 0.3f);
    tf_face_judge(&face, false);
    assert_true(isnan(face.glasses));
    assert_int_equal(face.regions[TF_REGION_CANTHUS_LEFT].why, 0);
    tf_face_judge(&face, true);
    assert_int_equal(face.regions[TF_REGION_CANTHUS_LEFT].why, TF_WHY_COVERED);
    assert_false(face.regions[TF_REGION_CANTHUS_LEFT].valid);
    assert_int_equal(face.regions[TF_REGION_CHIN].why, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glasses_are_told),
        cmocka_unit_test(no_scale_is_needed),
        cmocka_unit_test(visible_cameras_are_not_asked),
    };

    return cmocka_run_group_tests_name("inference face covering", tests, NULL, NULL);
}
