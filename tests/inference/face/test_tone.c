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
        cmocka_unit_test(celsius_is_absolute),
        cmocka_unit_test(the_inputs_own_quantisation_counts),
    };

    return cmocka_run_group_tests_name("inference face: tone", tests, NULL, NULL);
}
