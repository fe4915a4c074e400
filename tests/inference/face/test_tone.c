/* Tone: exact ranks whatever the distribution, and the u8 that docs/models.md prescribes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inference/face/sample.h"
#include "inference/face/tone.h"

#define N 5000

static uint32_t seed = 7;

static float draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 16777216.0f;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Each kind stresses another way of counting wrong: ties, outliers, narrow and wide ranges. */
static float value_of(int kind)
{
    switch (kind) {
    case 0:
        return 29000 + 2000 * draw();
    case 1:
        return 30000;
    case 2:
        return draw() < 0.999f ? 30000 + draw() : 65535; /* one hot pixel squeezes all others into a bin */
    case 3:
        return floorf(5 * draw());
    case 4:
        return expf(20 * draw());
    case 5:
        return draw() < 0.5f ? 0 : 255;
    default:
        return 30000 + 1e-2f * draw();
    }
}

static void ranks_are_exact(void **state)
{
    static float values[N], sorted[N], scratch[N];

    for (int kind = 0; kind < 7; kind++) {
        for (size_t count = 1; count <= N; count = count * 3 + 2) {
            size_t inside = 0;

            for (size_t i = 0; i < count; i++) {
                values[i] = i > 0 && draw() < 0.2f ? TF_SAMPLE_OUTSIDE : value_of(kind);
                if (values[i] >= 0)
                    sorted[inside++] = values[i];
            }
            qsort(sorted, inside, sizeof(float), by_value);
            for (int i = 0; i < 20; i++) {
                size_t a = (size_t)(draw() * (float)inside), b = a + (size_t)(draw() * (float)(inside - a));
                float lo = -1, hi = -1;

                tf_tone_ranks(values, count, inside, a, b, scratch, &lo, &hi);
                assert_float_equal(lo, sorted[a], 0);
                assert_float_equal(hi, sorted[b], 0);
            }
        }
    }
}

static void percentile_spans_lo_to_hi(void **state)
{
    const struct tf_tone tone = {TF_TONE_PERCENTILE, 10, 90, 0};
    const struct tf_radiometry none = {0};
    float values[12], scratch[12];
    uint8_t out[12];

    /* Ranks 1 and 9 of 11 values 100 … 110. */
    for (int i = 0; i < 11; i++)
        values[i] = 100 + (float)i;
    values[11] = TF_SAMPLE_OUTSIDE;
    tf_tone_apply(&tone, &none, values, 12, 11, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 32);  /* 255 / 8 = 31.875 */
    assert_int_equal(out[5], 128); /* 127.5: ties to even */
    assert_int_equal(out[9], 255);
    assert_int_equal(out[10], 255);
    assert_int_equal(out[11], 0);
}

static void flat_pictures_are_not_blown_up(void **state)
{
    const struct tf_radiometry centikelvin = {true, 0.01f, -273.15f}, none = {0};
    struct tf_tone tone = {TF_TONE_PERCENTILE, 1, 99, 2};
    float values[100], scratch[100];
    uint8_t out[100];

    /* 0.5 °C of noise under a smallest span of 2 °C fills a quarter of the range. */
    for (int i = 0; i < 100; i++)
        values[i] = 30000 + (float)(i % 51);
    tf_tone_apply(&tone, &centikelvin, values, 100, 100, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[50], 64);
    tf_tone_apply(&tone, &none, values, 100, 100, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[50], 255);
    /* All equal: one count is the smallest span, and nothing is above lo. */
    for (int i = 0; i < 100; i++)
        values[i] = 30000;
    tf_tone_apply(&tone, &none, values, 100, 100, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[0], 0);
}

static uint8_t gray(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                    size_t count, size_t which)
{
    static float scratch[N];
    static uint8_t out[N];

    tf_tone_apply(tone, radiometry, values, count, count, scratch, 1.0f / 255, 0, out);
    return out[which];
}

/* A scene of 20 to 36 °C in centikelvin, and `things` values of something else. */
static void scene(float *values, size_t things, float celsius)
{
    for (size_t i = 0; i < N; i++)
        values[i] = i < things ? 27315 + 100 * celsius + 20 * draw() : 29315 + 1600 * draw();
}

static void what_stands_apart_is_left_out(void **state)
{
    const struct tf_radiometry centikelvin = {true, 0.01f, -273.15f}, none = {0};
    const struct tf_tone plain = {.lo = 1, .hi = 99}, face = {.lo = 1, .hi = 99, .apart = 20, .face = true};
    static const float temperatures[] = {-20, 5, 60, 120};
    static float values[N];
    float mean = 30115;

    for (int i = 0; i < 4; i++) {
        for (size_t things = N / 50; things <= N * 19 / 100; things += N * 17 / 100) {
            scene(values, things, temperatures[i]);
            values[N - 1] = mean;
            for (int c = 0; c < 2; c++) {
                const struct tf_radiometry *r = c ? &centikelvin : &none;

                /* The scene's middle is gray, and what was left out looks like the outside. */
                assert_in_range(gray(&face, r, values, N, N - 1), 124, 132);
                assert_int_equal(gray(&face, r, values, N, 0), 0);
                if (temperatures[i] < 0 || temperatures[i] > 100)
                    assert_false(abs(gray(&plain, r, values, N, N - 1) - 128) < 40);
            }
        }
    }
    /* More than `apart` is the scene itself, and so is what lies near it. */
    scene(values, N / 3, 60);
    values[N - 1] = mean;
    assert_int_equal(gray(&face, &none, values, N, N - 1), gray(&plain, &none, values, N, N - 1));
    scene(values, N / 10, 38);
    values[N - 1] = mean;
    assert_int_equal(gray(&face, &none, values, N, N - 1), gray(&plain, &none, values, N, N - 1));
}

static void skins_range_counts_where_it_is_known(void **state)
{
    const struct tf_radiometry centikelvin = {true, 0.01f, -273.15f}, none = {0};
    const struct tf_tone picture = {.lo = 1, .hi = 99, .apart = 20, .skin_max_c = 42};
    static float values[N];

    /* A heater without an edge to the scene, 36 to 70 °C on a third of the picture. */
    for (size_t i = 0; i < N; i++)
        values[i] = i < N / 3 ? 30915 + 3400 * draw() : 29315 + 1600 * draw();
    values[N - 1] = 30115;
    assert_in_range(gray(&picture, &centikelvin, values, N, N - 1), 85, 132);
    assert_in_range(gray(&picture, &none, values, N, N - 1), 30, 50);
    /* Everything is warmer: nothing is left out. */
    for (size_t i = 0; i < N; i++)
        values[i] = 32315 + 1600 * draw();
    values[N - 1] = 33115;
    assert_in_range(gray(&picture, &centikelvin, values, N, N - 1), 124, 132);
    /* Saturated and dead pixels among few counts: the bins are laid where the scene is. */
    for (size_t i = 0; i < N; i++)
        values[i] = i < N / 100 ? 65535 : i < N / 50 ? 0 : 2750 + 100 * draw();
    values[N - 1] = 2800;
    struct tf_tone face = picture;
    face.face = true;
    assert_in_range(gray(&face, &none, values, N, N - 1), 122, 134);
}

static void a_picture_has_several_parts(void **state)
{
    const struct tf_radiometry centikelvin = {true, 0.01f, -273.15f}, none = {0};
    const struct tf_tone plain = {.lo = 1, .hi = 99},
                         picture = {.lo = 1, .hi = 99, .apart = 20, .skin_max_c = 42};
    static struct tf_tone_survey survey;
    static float values[N], scratch[N];

    /* Nothing stands apart: one part, the span of before. */
    scene(values, 0, 0);
    tf_tone_survey(&picture, &none, values, N, N, &survey);
    assert_int_equal(survey.parts, 1);
    struct tf_tone_span a = tf_tone_span(&picture, &none, &survey, &survey.part[0], values, N, scratch);
    tf_tone_survey(&plain, &none, values, N, N, &survey);
    struct tf_tone_span b = tf_tone_span(&plain, &none, &survey, &survey.part[0], values, N, scratch);
    assert_float_equal(a.lo, b.lo, 0);
    assert_float_equal(a.span, b.span, 0);
    /* In counts a hot thing may be the face: first with it, then without. */
    scene(values, N / 20, 60);
    tf_tone_survey(&picture, &none, values, N, N, &survey);
    assert_int_equal(survey.parts, 2);
    a = tf_tone_span(&picture, &none, &survey, &survey.part[0], values, N, scratch);
    b = tf_tone_span(&picture, &none, &survey, &survey.part[1], values, N, scratch);
    assert_true(a.span > 3500 && b.span < 1700);
    /* In °C it is not, and what is cold is not either. */
    tf_tone_survey(&picture, &centikelvin, values, N, N, &survey);
    a = tf_tone_span(&picture, &centikelvin, &survey, &survey.part[0], values, N, scratch);
    assert_true(a.span < 1700);
    scene(values, N / 20, 0);
    tf_tone_survey(&picture, &centikelvin, values, N, N, &survey);
    a = tf_tone_span(&picture, &centikelvin, &survey, &survey.part[0], values, N, scratch);
    assert_true(a.span < 1700);
}

static void celsius_is_absolute(void **state)
{
    const struct tf_tone tone = {TF_TONE_CELSIUS, 20, 40, 0};
    const struct tf_radiometry centikelvin = {true, 0.01f, -273.15f}, none = {0};
    float values[4] = {29315, 30315, 31315, 40000}, scratch[4];
    uint8_t out[4];

    tf_tone_apply(&tone, &centikelvin, values, 4, 4, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[0], 0);
    assert_in_range(out[1], 127, 128);
    assert_int_equal(out[2], 255);
    assert_int_equal(out[3], 255);
    /* Without °C the percentile rule takes over: rank floor(0.99 * 3) = 2 is white. */
    tf_tone_apply(&tone, &none, values, 4, 4, scratch, 1.0f / 255, 0, out);
    assert_int_equal(out[0], 0);
    assert_in_range(out[1], 127, 128);
    assert_int_equal(out[2], 255);
}

static void the_inputs_own_quantisation_counts(void **state)
{
    const struct tf_tone tone = {TF_TONE_CELSIUS, 0, 10, 0};
    const struct tf_radiometry celsius = {true, 1, 0};
    float values[4] = {0, 5, 10, TF_SAMPLE_OUTSIDE}, scratch[4];
    uint8_t out[4];

    tf_tone_apply(&tone, &celsius, values, 4, 3, scratch, 1.0f / 64, 100, out);
    assert_int_equal(out[0], 100);
    assert_int_equal(out[1], 132);
    assert_int_equal(out[2], 164);
    assert_int_equal(out[3], 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_exact),
        cmocka_unit_test(percentile_spans_lo_to_hi),
        cmocka_unit_test(flat_pictures_are_not_blown_up),
        cmocka_unit_test(what_stands_apart_is_left_out),
        cmocka_unit_test(skins_range_counts_where_it_is_known),
        cmocka_unit_test(a_picture_has_several_parts),
        cmocka_unit_test(celsius_is_absolute),
        cmocka_unit_test(the_inputs_own_quantisation_counts),
    };

    return cmocka_run_group_tests_name("inference face: tone", tests, NULL, NULL);
}
