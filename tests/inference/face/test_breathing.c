/* Breathing rates from made-up temperatures of the nostrils. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/count.h"
#include "inference/face/breathing.h"

static uint32_t seed;
static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.f - 1;
}

/* `breaths` a minute for `seconds`, half a degree to each side, seen by a camera of `fps`. */
static void breathe(struct tf_breathing *b, double breaths, double seconds, double fps, float grain,
                    float drift)
{
    tf_breathing_reset(b);
    for (int i = 0; i < (int)(seconds * fps); i++) {
        double t = i / fps;
        float value = 34 + (breaths > 0 ? 0.5f * sinf((float)(2 * M_PI * breaths / 60 * t)) : 0) +
                      grain * noise() + drift * (float)t;

        tf_breathing_step(b, 5000000000ull + (uint64_t)(t * 1e9), value);
    }
}

static void rates_are_found(void **state)
{
    static const double rates[] = {7, 9, 12, 15, 18, 24, 30, 40, 49};
    static const double cameras[] = {8.8, 25, 60};
    struct tf_breathing b;

    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < TF_COUNT(rates); i++) {
            breathe(&b, rates[i], 40, cameras[c], 0.1f, 0.01f);
            if (!(fabs((double)b.rate - rates[i]) < 0.5))
                fail_msg("%g frames/s: %g breaths a minute instead of %g", cameras[c], (double)b.rate,
                         rates[i]);
            assert_true(b.quality > 0.8f && b.quality <= 1);
        }
}

static void noise_has_little_quality(void **state)
{
    struct tf_breathing b;
    float sum = 0, worst = 0;

    for (seed = 1; seed < 60; seed++) {
        uint32_t kept = seed;

        breathe(&b, 0, 40, 30, 0.5f, 0);
        seed = kept;
        assert_true(b.quality >= 0 && b.quality < 0.8f);
        sum += b.quality;
        worst = fmaxf(worst, b.quality);
    }
    print_message("noise: mean quality %.2f, largest %.2f\n", (double)sum / 59, (double)worst);
    assert_true(sum / 59 < 0.5f);
}

static void too_little_says_nothing(void **state)
{
    struct tf_breathing b;

    breathe(&b, 15, 15, 30, 0, 0);
    assert_true(isnan(b.rate) && isnan(b.quality));
    breathe(&b, 15, 25, 30, 0, 0);
    assert_true(fabs((double)b.rate - 15) < 1);
    /* Half of the window missing, and then all of it. */
    tf_breathing_step(&b, 5000000000ull + 50000000000ull, 34);
    assert_true(isnan(b.rate));
    tf_breathing_step(&b, 5000000000ull + 500000000000ull, 34);
    assert_true(isnan(b.rate) && b.bin == 0);
    /* Not a number is no value. */
    breathe(&b, 15, 40, 30, 0, 0);
    tf_breathing_step(&b, 5000000000ull + 41000000000ull, NAN);
    assert_true(fabs((double)b.rate - 15) < 0.5);
}

/* A shutter calibration of 3 s in the middle, left out and not filled in, moves nothing. */
static void gaps_are_left_out(void **state)
{
    struct tf_breathing b;

    tf_breathing_reset(&b);
    for (int i = 0; i < 30 * 40; i++) {
        double t = i / 30.0;

        if (t > 22 && t < 25)
            continue;
        tf_breathing_step(&b, (uint64_t)(t * 1e9), 30 + 0.3f * sinf((float)(2 * M_PI * 0.3 * t)));
    }
    assert_true(fabs((double)b.rate - 18) < 0.7 && b.quality > 0.7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_found),
        cmocka_unit_test(noise_has_little_quality),
        cmocka_unit_test(too_little_says_nothing),
        cmocka_unit_test(gaps_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
