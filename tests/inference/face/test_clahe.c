/* Equalisation against what OpenCV 4.6 gives: cv2.createCLAHE(limit, (tiles, tiles)).apply(picture). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/count.h"
#include "inference/face/clahe.h"

static uint8_t pixels[112 * 96], scratch[TF_CLAHE_TILES_MAX * TF_CLAHE_TILES_MAX * 256];

/* A bright corner, a ramp that saturates, four bits of noise. */
static void picture(uint32_t width, uint32_t height)
{
    uint32_t state = 12345;

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            state = state * 1664525u + 1013904223u;
            uint32_t v = x * y / 48 + (state >> 28);
            pixels[y * width + x] = (uint8_t)(v > 255 ? 255 : v);
        }
    }
}

static uint32_t fnv(size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ pixels[i]) * 16777619u;
    return h;
}

static void equal_to_opencv(void **state)
{
    static const struct {
        uint32_t width, height, tiles;
        float limit;
        uint32_t hash;
        uint8_t at[2]; /* (7, 5) and (60, 50), for a hint when the hash is wrong */
    } cases[] = {{96, 96, 4, 2, 0x03827c12, {5, 98}},
                 {96, 96, 8, 4, 0x00565887, {9, 104}},
                 {96, 96, 1, 40, 0x379a65c8, {1, 180}},
                 {96, 96, 3, 0.5f, 0x2929d050, {3, 82}},
                 {112, 64, 8, 2, 0xfa251976, {55, 95}}};

    picture(96, 96);
    assert_int_equal(fnv(96 * 96), 0x969e091a);
    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        picture(cases[i].width, cases[i].height);
        tf_clahe(pixels, cases[i].width, cases[i].height, cases[i].limit, cases[i].tiles, scratch);
        assert_int_equal(pixels[5 * cases[i].width + 7], cases[i].at[0]);
        assert_int_equal(pixels[50 * cases[i].width + 60], cases[i].at[1]);
        assert_int_equal(fnv((size_t)cases[i].width * cases[i].height), cases[i].hash);
    }
}

static void one_value_stays_one_value(void **state)
{
    memset(pixels, 77, sizeof(pixels));
    tf_clahe(pixels, 96, 96, 2, 4, scratch);
    for (size_t i = 1; i < 96 * 96; i++)
        assert_int_equal(pixels[i], pixels[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_to_opencv),
        cmocka_unit_test(one_value_stays_one_value),
    };

    return cmocka_run_group_tests_name("inference face: clahe", tests, NULL, NULL);
}
