/* Controls and the shutter: of V4L2 cameras by the fake driver, of cameras without telemetry by what they
 * show. */
#include "base/clock.h"
#include "base/count.h"
#include "common.h"

#include <errno.h>

#include "fake_v4l2.h"

static int reset(void **state)
{
    fake_reset();
    fake.controls = true;
    fake.brightness = 128;
    return 0;
}

static void controls_are_set_whenever_a_camera_is_opened(void **state)
{
    const struct tf_source_options o = {.url = FAKE_PATH,
                                        .controls = "brightness=0x4d,power_line_frequency=50_hz,shutter=1"};
    struct tf_source *s = open_source(&o);

    assert_int_equal(fake.brightness, 77);
    assert_int_equal(fake.mode, 1);
    assert_int_equal(fake.shutters, 1);
    tf_source_close(s);
    fake.brightness = 128; /* as after unplugging */
    s = open_source(&o);
    assert_int_equal(fake.brightness, 77);
    tf_source_close(s);
}

static void controls_that_do_not_fit_are_named(void **state)
{
    static const struct {
        const char *controls, *word;
    } cases[] = {
        {"contrast=1", "no control \"contrast\""},
        {"brightness=256", "0 to 255, not 256"},
        {"brightness=high", "does not take \"high\""},
        {"power_line_frequency=60_hz", "does not take \"60_hz\""},
        {"locked=1", "can only be read"},
        {"brightness", "write name=value"},
        {"brightness=1,,", "write name=value"},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        reset(NULL);
        assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .controls = cases[i].controls},
                          -EINVAL, WORDS(cases[i].word, FAKE_PATH));
        assert_int_equal(fake.closes, fake.opens);
    }
}

static void a_shutter_moves_by_a_control_or_a_unit(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s = open_source(
        &(struct tf_source_options){.url = FAKE_PATH, .ffc = "shutter=1", .ffc_hold = "brightness=5"});

    assert_true(tf_source_info(s)->ffc[TF_FFC_TRIGGER]);
    assert_false(tf_source_info(s)->ffc[TF_FFC_RELEASE]);
    assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), 0);
    assert_int_equal(fake.shutters, 1);
    assert_int_equal(tf_source_ffc(s, TF_FFC_HOLD, &err), 0);
    assert_int_equal(fake.brightness, 5);
    assert_int_equal(tf_source_ffc(s, TF_FFC_RELEASE, &err), -ENOTSUP);
    tf_source_close(s);

    reset(NULL);
    fake.unit_size = 4;
    s = open_source(
        &(struct tf_source_options){.url = FAKE_PATH, .ffc = "xu:6:17=01fe", .ffc_hold = "xu:5:1="});
    assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), 0);
    assert_int_equal(fake.unit_sets, 1);
    assert_memory_equal(fake.unit_bytes, "\x01\xfe\0\0", 4);
    assert_int_equal(tf_source_ffc(s, TF_FFC_HOLD, &err), -ENOTSUP); /* no such unit */
    fake.unit_size = 65;                                             /* longer than anything that is sent */
    assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), -EPROTO);
    fake.unit_size = 1; /* shorter than what was configured */
    assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), -EPROTO);
    assert_int_equal(fake.unit_sets, 1);
    tf_source_close(s);

    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .ffc = "xu:6"}, -EINVAL,
                      WORDS("xu:UNIT"));
    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .ffc = "xu:6:17=0g"}, -EINVAL,
                      WORDS("hex"));
    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .ffc = "shutter"}, -EINVAL,
                      WORDS("CONTROL"));
}

static void a_device_is_found_by_its_bus(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = FAKE_PATH "#test:1"});

    assert_string_equal(tf_source_info(s)->identity, FAKE_PATH "#test:1");
    tf_frame_unref(next_frame(s));
    tf_source_close(s);
    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH "#test:2"}, -ENOENT,
                      WORDS("bus or serial"));
    assert_int_equal(fake.closes, fake.opens);
}

static void same_picture(uint8_t *data, size_t size, unsigned n)
{
    /* Frozen from 10 to 149: 0.7 s at 200 frames a second. */
    memset(data, n >= 10 && n < 150 ? 10 : (int)n + 1, size);
    data[0] = (uint8_t)(n >= 10 && n < 150 ? 99 : n >> 8);
}

static void a_frozen_picture_is_a_closed_shutter(void **state)
{
    const struct tf_source_options o = {.url = FAKE_PATH, .frozen = true, .settle_ns = TF_NS_PER_S};
    unsigned closed = 0, twice = 0, settling = 0;
    uint64_t frozen_ns = 0, first_closed_ns = 0;
    struct tf_source *s;
    struct tf_frame *f;

    fake.fill = same_picture;
    s = open_source(&o);
    for (;;) {
        f = next_frame(s);
        if (f->sequence == 10)
            frozen_ns = f->t_mono_ns;
        if (f->flags & TF_FLAG_FFC && !closed)
            first_closed_ns = f->t_mono_ns;
        closed += (f->flags & TF_FLAG_FFC) != 0;
        twice += (f->flags & TF_FLAG_DUPLICATE) != 0;
        settling += (f->flags & TF_FLAG_FFC_SETTLING) != 0;
        if (f->sequence < 10 || f->sequence >= 150)
            assert_false(f->flags & (TF_FLAG_FFC | TF_FLAG_DUPLICATE));
        if (f->sequence > 150 && !(f->flags & TF_FLAG_FFC_SETTLING))
            break;
        tf_frame_unref(f);
    }
    tf_frame_unref(f);
    tf_source_close(s);
    assert_true(closed > 0 && settling > 0);
    assert_true(twice > closed); /* the first quarter of a second is duplicates only */
    assert_true(first_closed_ns - frozen_ns >= 250000000u);

    /* Not asked for: nothing is said. */
    reset(NULL);
    fake.fill = same_picture;
    s = open_source(&(struct tf_source_options){.url = FAKE_PATH});
    for (unsigned i = 0; i < 100; i++) {
        f = next_frame(s);
        assert_false(f->flags & (TF_FLAG_FFC | TF_FLAG_DUPLICATE));
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

/* The synthetic camera's shutter: with and without telemetry. Frames of no clock, so the numbers are exact.
 */
static void the_synthetic_shutter_follows(void **state)
{
    for (int telemetry = 0; telemetry < 2; telemetry++) {
        const struct tf_source_options o = {.url = telemetry
                                                       ? "synthetic:size=64x48,fps=30,ffc=5"
                                                       : "synthetic:size=64x48,fps=30,ffc=5,telemetry=0",
                                            .pace = TF_PACE_FAST,
                                            .frozen = true,
                                            .settle_ns = TF_NS_PER_S};
        struct tf_source *s = open_source(&o);
        struct tf_error err = {0};
        unsigned closed = 0, settling = 0, imminent = 0;

        for (unsigned i = 0; i < 600; i++) {
            struct tf_frame *f;

            if (i == 10)
                assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), 0);
            if (i == 100) /* before the one that is planned for 150 */
                assert_int_equal(tf_source_ffc(s, TF_FFC_HOLD, &err), 0);
            if (i == 340)
                assert_int_equal(tf_source_ffc(s, TF_FFC_RELEASE, &err), 0);
            f = next_frame(s);
            assert_int_equal(f->has_camera_counter, telemetry);
            if (f->flags & TF_FLAG_FFC) {
                closed++;
                /* Asked for at 10, planned for 450; 150 and 300 were held. */
                assert_true((i >= 10 && i < 40) || (i >= 450 && i < 480));
            }
            settling += (f->flags & TF_FLAG_FFC_SETTLING) != 0;
            imminent += (f->flags & TF_FLAG_FFC_IMMINENT) != 0;
            tf_frame_unref(f);
        }
        /* One second each; without telemetry the first quarter of it passes before it is known. */
        assert_in_range(closed, telemetry ? 60 : 44, telemetry ? 60 : 48);
        assert_in_range(settling, 56, 60);
        assert_true(telemetry ? imminent > 0 : imminent == 0);
        tf_source_close(s);
    }
}

static void others_have_no_shutter(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s = open_source(&(struct tf_source_options){.url = FAKE_PATH});

    assert_int_equal(tf_source_ffc(s, TF_FFC_TRIGGER, &err), -ENOTSUP);
    assert_non_null(strstr(err.text, "cannot be moved"));
    tf_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(controls_are_set_whenever_a_camera_is_opened, reset),
        cmocka_unit_test_setup(controls_that_do_not_fit_are_named, reset),
        cmocka_unit_test_setup(a_shutter_moves_by_a_control_or_a_unit, reset),
        cmocka_unit_test_setup(a_device_is_found_by_its_bus, reset),
        cmocka_unit_test_setup(a_frozen_picture_is_a_closed_shutter, reset),
        cmocka_unit_test_setup(the_synthetic_shutter_follows, reset),
        cmocka_unit_test_setup(others_have_no_shutter, reset),
    };

    return cmocka_run_group_tests_name("capture controls", tests, NULL, NULL);
}
