/* The one-euro filter: quiet on a still face, close behind a moving one, and true to time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "inference/face/filter.h"

#define MS 1000000ull
#define SIZE 100.0f /* face size, pixels */

static uint32_t seed = 5;

/* Roughly normal with deviation 1. */
static float noise(void)
{
    float sum = 0;

    for (int i = 0; i < 12; i++) {
        seed = seed * 1664525u + 1013904223u;
        sum += (float)(seed >> 8) / 16777216.0f;
    }
    return sum - 6;
}

static void place(struct tf_point p[TF_POINTS], float x, float y, float jitter)
{
    for (int k = 0; k < TF_POINTS; k++)
        p[k] = (struct tf_point){x + (float)k + jitter * noise(), y - (float)k + jitter * noise(), 0.5f};
}

static void step(struct tf_filter *f, uint64_t t, const struct tf_point *in, struct tf_point *out)
{
    tf_filter_step(f, TF_FILTER_MIN_CUTOFF, TF_FILTER_BETA, t, SIZE, in, out);
}

static void a_still_face_stays(void **state)
{
    struct tf_filter f = {0};
    struct tf_point in[TF_POINTS], out[TF_POINTS];

    place(in, 50, 80, 0);
    for (uint64_t i = 0; i < 100; i++) {
        step(&f, i * 33 * MS, in, out);
        for (int k = 0; k < TF_POINTS; k++) {
            assert_float_equal(out[k].x, in[k].x, 1e-4);
            assert_float_equal(out[k].y, in[k].y, 1e-4);
            assert_float_equal(out[k].confidence, 0.5, 0);
        }
    }
}

static void noise_is_reduced(void **state)
{
    struct tf_filter f = {0};
    struct tf_point in[TF_POINTS], out[TF_POINTS], still[TF_POINTS];
    double raw = 0, filtered = 0;

    place(still, 50, 80, 0);
    for (uint64_t i = 0; i < 600; i++) {
        place(in, 50, 80, 0.3f);
        step(&f, i * 33 * MS, in, out);
        for (int k = 0; k < TF_POINTS && i > 100; k++) {
            raw += pow(in[k].x - still[k].x, 2) + pow(in[k].y - still[k].y, 2);
            filtered += pow(out[k].x - still[k].x, 2) + pow(out[k].y - still[k].y, 2);
        }
    }
    assert_true(sqrt(filtered / raw) < 0.5);
}

/* A face that moves at `speed` face sizes a second: how many seconds the filtered points are behind, at
 * worst. */
static double lag(double fps, double speed)
{
    struct tf_filter f = {0};
    struct tf_point in[TF_POINTS], out[TF_POINTS];
    double worst = 0;

    for (int i = 0; i < 60; i++) {
        double t = i / fps, x = t < 0.5 ? 0 : (t - 0.5) * speed * SIZE;

        place(in, (float)x, 80, 0);
        step(&f, (uint64_t)(t * 1e9), in, out);
        if (t >= 0.5)
            worst = fmax(worst, (in[0].x - out[0].x) / (speed * SIZE));
    }
    return worst;
}

static void a_head_turn_lags_less_than_a_frame(void **state)
{
    /* A quick turn of the head moves the nose by about a face's size in a second. */
    assert_true(lag(30, 1) < 1 / 30.0);
    assert_true(lag(30, 2) < 1 / 30.0);
    assert_true(lag(9, 1) < 1 / 9.0);
    assert_true(lag(60, 1) < 1 / 30.0);
    /* The face's common speed is known sooner than each point's own: without it the start of a turn is late.
     */
    assert_true(lag(30, 0.5) < 0.5 / 30);
}

static void a_frame_of_the_same_time_changes_nothing(void **state)
{
    struct tf_filter f = {0};
    struct tf_point in[TF_POINTS], a[TF_POINTS], b[TF_POINTS];

    place(in, 0, 0, 0);
    step(&f, 0, in, a);
    place(in, 3, 0, 0);
    step(&f, 33 * MS, in, a);
    place(in, 40, 0, 0);
    step(&f, 33 * MS, in, b);
    assert_memory_equal(a, b, sizeof(a));
}

static void a_gap_begins_anew(void **state)
{
    struct tf_filter f = {0};
    struct tf_point in[TF_POINTS], out[TF_POINTS];

    place(in, 0, 0, 0);
    step(&f, 5000 * MS, in, out);
    place(in, 30, 0, 0);
    step(&f, 6100 * MS, in, out);
    assert_float_equal(out[0].x, 30, 0);
    place(in, 70, 0, 0);
    step(&f, 100 * MS, in, out); /* back in time */
    assert_float_equal(out[0].x, 70, 0);
}

/* Only the time between frames counts, not their number: at twice the rate the same path comes out. */
static void time_not_frames_decides(void **state)
{
    struct tf_filter slow = {0}, fast = {0};
    struct tf_point in[TF_POINTS], a[TF_POINTS], b[TF_POINTS];

    for (int i = 0; i <= 120; i++) {
        place(in, 20 * sinf((float)i / 20), 0, 0);
        step(&fast, (uint64_t)i * 10 * MS, in, b);
        if (i % 2 == 0)
            step(&slow, (uint64_t)i * 10 * MS, in, a);
    }
    assert_float_equal(a[0].x, b[0].x, 0.6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_still_face_stays),
        cmocka_unit_test(noise_is_reduced),
        cmocka_unit_test(a_head_turn_lags_less_than_a_frame),
        cmocka_unit_test(a_frame_of_the_same_time_changes_nothing),
        cmocka_unit_test(a_gap_begins_anew),
        cmocka_unit_test(time_not_frames_decides),
    };

    return cmocka_run_group_tests_name("inference face: filter", tests, NULL, NULL);
}
