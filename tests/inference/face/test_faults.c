/* Dead pixels: learnt from frames that are made up, each with a noise of its own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/count.h"
#include "inference/face/faults.h"

static uint16_t pixels[640 * 512];
static uint32_t seed = 7, places[TF_FAULTS_MAX];
static struct tf_faults faults;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Noise of some 40 mK over a slope, a warm disc with a soft edge, and a step. */
static struct tf_frame scene(uint16_t w, uint16_t h, float disc_x)
{
    struct tf_frame f = {.plane = {(uint8_t *)pixels},
                         .stride = {(uint32_t)w * 2},
                         .width = w,
                         .height = h,
                         .pixel = TF_PIXEL_U16,
                         .radiometry = {true, 0.01f, -273.15f}};

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float r = hypotf((float)x - disc_x, (float)y - (float)h / 2) - (float)h / 4;
            float v = 29500 + 0.5f * (float)y + 1200 / (1 + expf(r)) + (x > w * 3 / 4 ? 700 : 0);

            pixels[y * w + x] = (uint16_t)(v + (float)draw(9) + (float)draw(9));
        }
    return f;
}

static bool known(const struct tf_frame *f, uint32_t x, uint32_t y)
{
    uint32_t n = tf_faults_upright(&faults, f, places);

    for (uint32_t i = 0; i < n; i++)
        if (places[i] == (y << 16 | x))
            return true;
    return false;
}

static const struct {
    uint16_t x, y;
    int off;
} dead[] = {{31, 20, 150}, {80, 60, -140}, {81, 63, 900}, {0, 77, 400}, {159, 119, -600}, {5, 0, 30000}};
#define DEAD TF_COUNT(dead)

static void put_dead(uint16_t w)
{
    for (size_t i = 0; i < DEAD; i++)
        pixels[dead[i].y * w + dead[i].x] = (uint16_t)(pixels[dead[i].y * w + dead[i].x] + dead[i].off);
}

static void they_are_learnt_and_nothing_else(void **state)
{
    struct tf_frame f;

    tf_faults_reset(&faults);
    for (int i = 0; i < 5; i++) {
        f = scene(160, 120, 60);
        put_dead(160);
        tf_faults_learn(&faults, &f);
        assert_int_equal(tf_faults_upright(&faults, &f, places), 0); /* once or twice is noise */
    }
    for (int i = 0; i < 100; i++) {
        f = scene(160, 120, 60 + 0.3f * (float)i);
        put_dead(160);
        tf_faults_learn(&faults, &f);
    }
    assert_int_equal(tf_faults_upright(&faults, &f, places), DEAD);
    for (size_t i = 0; i < DEAD; i++)
        assert_true(known(&f, dead[i].x, dead[i].y));
}

/* In any turn, by its own coordinates. */
static void they_turn_with_the_picture(void **state)
{
    struct tf_frame f = scene(160, 120, 60);

    f.rotate = 90;
    assert_true(known(&f, 119 - 20, 31));
    f.rotate = 180;
    assert_true(known(&f, 159 - 31, 119 - 20));
    f.rotate = 270;
    assert_true(known(&f, 20, 159 - 31));
    f.flip = true;
    assert_true(known(&f, 119 - 20, 159 - 31));
    f.width = 120; /* another picture has none of them */
    f.height = 160;
    assert_int_equal(tf_faults_upright(&faults, &f, places), 0);
}

static void one_that_heals_is_forgotten(void **state)
{
    struct tf_frame f;

    for (int i = 0; i < TF_FAULTS_LEVEL_MAX; i++) {
        f = scene(160, 120, 60);
        tf_faults_learn(&faults, &f);
    }
    assert_int_equal(tf_faults_upright(&faults, &f, places), 0);
}

/* A pixel that is loud in one frame of four, and a hot spot that wanders: neither stays where it is. */
static void what_comes_and_goes_is_not_dead(void **state)
{
    struct tf_frame f;

    tf_faults_reset(&faults);
    for (int i = 0; i < 400; i++) {
        f = scene(160, 120, 60);
        if (draw(4) == 0)
            pixels[40 * 160 + 40] += 1000;
        pixels[(60 + i / 8 % 40) * 160 + 100] += 1000;
        tf_faults_learn(&faults, &f);
        assert_false(known(&f, 40, 40));
    }
    /* A spot that stood for eight frames is gone again long before the sun has set on it. */
    assert_in_range(tf_faults_upright(&faults, &f, places), 0, 8);
}

/* A warm point of the scene is spread by the lens: that is a thing, however still it stands. */
static void a_small_thing_is_no_dead_pixel(void **state)
{
    struct tf_frame f;

    tf_faults_reset(&faults);
    for (int i = 0; i < 200; i++) {
        f = scene(160, 120, 60);
        for (int y = -3; y <= 3; y++)
            for (int x = -3; x <= 3; x++)
                pixels[(30 + y) * 160 + 90 + x] += (uint16_t)(2000 * expf(-(float)(x * x + y * y) / 1.0f));
        tf_faults_learn(&faults, &f);
    }
    assert_int_equal(tf_faults_upright(&faults, &f, places), 0);
}

/* Larger pictures take a few frames more; without a scale the scene's own steps say what stands out. */
static void large_pictures_and_counts(void **state)
{
    struct tf_frame f;

    for (int celsius = 0; celsius < 2; celsius++) {
        tf_faults_reset(&faults);
        for (int i = 0; i < 70; i++) {
            f = scene(640, 512, 200);
            f.radiometry.valid = celsius;
            pixels[300 * 640 + 201] += 800;
            pixels[511 * 640 + 2] -= 800;
            tf_faults_learn(&faults, &f);
        }
        assert_int_equal(tf_faults_upright(&faults, &f, places), 2);
        assert_true(known(&f, 201, 300) && known(&f, 2, 511));
    }
}

/* A detector full of them: so many are known, and nothing breaks. */
static void more_than_can_be_known(void **state)
{
    struct tf_frame f;

    tf_faults_reset(&faults);
    for (int i = 0; i < 40; i++) {
        f = scene(160, 120, 60);
        for (int y = 1; y < 120; y += 3)
            for (int x = 1; x < 160; x += 3)
                pixels[y * 160 + x] += 2000;
        tf_faults_learn(&faults, &f);
    }
    assert_int_equal(tf_faults_upright(&faults, &f, places), TF_FAULTS_MAX);
}

static void eight_bits_are_left_alone(void **state)
{
    struct tf_frame f = scene(160, 120, 60);

    tf_faults_reset(&faults);
    f.pixel = TF_PIXEL_U8;
    for (int i = 0; i < 30; i++)
        tf_faults_learn(&faults, &f);
    assert_int_equal(tf_faults_upright(&faults, &f, places), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_learnt_and_nothing_else), cmocka_unit_test(they_turn_with_the_picture),
        cmocka_unit_test(one_that_heals_is_forgotten),      cmocka_unit_test(what_comes_and_goes_is_not_dead),
        cmocka_unit_test(a_small_thing_is_no_dead_pixel),   cmocka_unit_test(large_pictures_and_counts),
        cmocka_unit_test(more_than_can_be_known),           cmocka_unit_test(eight_bits_are_left_alone),
    };

    return cmocka_run_group_tests_name("inference face: faults", tests, NULL, NULL);
}
