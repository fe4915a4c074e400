/* How many frames may be out, and which of them become pictures under a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../capture/fake_v4l2.h"
#include "base/count.h"
#include "pipeline/internal.h"

/* V4L2 gives 32 buffers: the frames on their way, the recording's, and three that stay with the driver. */
static void v4l2_buffers(void **state)
{
    static const struct {
        uint32_t asked;
        bool recordable;
        unsigned buffers, waiting;
    } rows[] = {
        {0, true, 32, 13}, {32, true, 32, 13}, {64, true, 32, 13}, {28, true, 28, 9},
        {4, true, 24, 5},  {12, true, 24, 5},  {12, false, 18, 0},
    };

    for (size_t i = 0; i < TF_COUNT(rows); i++) {
        const struct tf_pipeline_options options = {
            .camera = "thermal",
            .source = {.url = FAKE_PATH, .frames = rows[i].asked},
            .recordable = rows[i].recordable,
            .retry = true,
        };
        struct tf_pipeline *p = NULL;
        struct tf_error err = {0};
        unsigned in_flight = TF_FRAMES_OUT - 3;

        fake_reset();
        assert_int_equal(tf_pipeline_create(&options, &p, &err), 0);
        assert_int_equal(tf_pipeline_start(p, &err), 0);
        for (int k = 0; k < 500 && !__atomic_load_n(&fake.dequeues, __ATOMIC_RELAXED); k++)
            usleep(10000);
        tf_pipeline_stop(p, &err);
        assert_int_equal(fake.maps, rows[i].buffers);
        assert_int_equal(p->setup.recording_wait, rows[i].waiting);
        /* With all of them taken, and one in the encoder's hands, three are still the driver's. */
        assert_true(in_flight + p->setup.recording_wait + (rows[i].recordable ? 1 : 0) + 3 <= fake.maps);
        tf_pipeline_destroy(p);
    }
}

static void limit_of_pictures(void **state)
{
    static const struct {
        double camera, limit, expect;
    } rows[] = {{30, 25, 25},   {30, 15, 15}, {25, 30, 25}, {60, 25, 25},
                {8.7, 25, 8.7}, {9, 5, 5},    {30, 30, 30}};

    for (size_t i = 0; i < TF_COUNT(rows); i++) {
        uint64_t due = 0, start = 5000000000u;
        unsigned n = 0;

        for (unsigned k = 0; k < (unsigned)(rows[i].camera * 20); k++) {
            uint64_t jitter = k * 7919 % 5 * 400000;

            n += tf_picture_due(&due, (float)rows[i].limit,
                                start + (uint64_t)((double)k * 1e9 / rows[i].camera) + jitter);
        }
        if (n < rows[i].expect * 20 * 0.97 || n > rows[i].expect * 20 * 1.02)
            fail_msg("camera %g, limit %g: %u pictures in 20 s", rows[i].camera, rows[i].limit, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4l2_buffers),
        cmocka_unit_test(limit_of_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
