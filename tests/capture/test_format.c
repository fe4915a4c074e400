/* The table of camera formats. */
#include "base/count.h"
#include "common.h"

#include <linux/videodev2.h>

#include "clip.h"

static void the_rows_that_others_name_are_there(void **state)
{
    static const char *const names[] = {"lepton3-y16", "lepton3-y16-telemetry",
                                        "lepton2-y16", "lepton2-y16-telemetry",
                                        "infiray-256", "boson-y16",
                                        "y16",         "grey",
                                        "visible"};

    for (size_t i = 0; i < TF_COUNT(names); i++)
        if (!tf_format_find(names[i]))
            fail_msg("no row %s", names[i]);
    assert_null(tf_format_find("lepton"));
    assert_null(tf_format_find(""));
    assert_null(tf_format_at(tf_format_count()));
}

static void every_row_is_sound(void **state)
{
    for (size_t i = 0; i < tf_format_count(); i++) {
        const struct tf_format *f = tf_format_at(i);

        assert_ptr_equal(tf_format_find(f->name), f); /* and so no name twice */
        assert_true(f->title && *f->title && f->source && *f->source);
        assert_int_equal(f->width == 0, f->height == 0);
        if (f->raw.w) {
            assert_true(f->raw.x + f->raw.w <= f->width);
            assert_true(f->raw.y + f->raw.h <= f->height);
        }
        assert_true(f->valid_min < f->valid_max);
        assert_true(!f->radiometry.valid || f->radiometry.scale > 0);
        assert_true(!f->radiometry.valid || f->pixel == TF_PIXEL_U16);
    }
}

static void rows_match_by_fourcc_and_size(void **state)
{
    static const struct {
        uint32_t fourcc;
        uint16_t w, h;
        const char *name;
    } cases[] = {
        {V4L2_PIX_FMT_Y16, 160, 120, "lepton3-y16"},  {V4L2_PIX_FMT_Y16, 160, 122, "lepton3-y16-telemetry"},
        {V4L2_PIX_FMT_Y16, 80, 60, "lepton2-y16"},    {V4L2_PIX_FMT_Y16, 80, 63, "lepton2-y16-telemetry"},
        {V4L2_PIX_FMT_YUYV, 256, 384, "infiray-256"}, {V4L2_PIX_FMT_YUYV, 640, 480, "visible"},
        {V4L2_PIX_FMT_Y16, 640, 512, "boson-y16"},    {V4L2_PIX_FMT_Y16, 384, 288, "y16"},
        {V4L2_PIX_FMT_Y16_BE, 384, 288, "y16-be"},    {V4L2_PIX_FMT_GREY, 640, 480, "grey"},
        {V4L2_PIX_FMT_MJPEG, 1280, 720, "visible"},   {V4L2_PIX_FMT_NV12, 640, 480, "visible"},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        const struct tf_format *f = tf_format_match(cases[i].fourcc, cases[i].w, cases[i].h);

        assert_non_null(f);
        assert_string_equal(f->name, cases[i].name);
    }
    assert_null(tf_format_match(V4L2_PIX_FMT_SBGGR8, 640, 480));
}

static float celsius(const char *row, uint16_t raw)
{
    struct tf_radiometry r = tf_format_find(row)->radiometry;

    assert_true(r.valid);
    return raw * r.scale + r.offset;
}

static void counts_become_degrees(void **state)
{
    assert_float_equal(celsius("lepton3-y16", 30715), 34.0f, 0.001);
    assert_float_equal(celsius("infiray-256", 19658), 34.0063f, 0.001);
    assert_float_equal(celsius("decikelvin", 3072), 34.05f, 0.001);
    assert_float_equal(celsius("optris", 1340), 34.0f, 0.001);
    assert_false(tf_format_find("boson-y16")->radiometry.valid);
    assert_false(tf_format_find("y16")->radiometry.valid);
    assert_false(tf_format_find("grey")->radiometry.valid);
}

/* A whole buffer of a row with telemetry: picture of 30000, telemetry where the row has it. */
static uint8_t *buffer_of(const char *row, const struct lepton_words *words, uint32_t stride, size_t *size)
{
    const struct tf_format *f = tf_format_find(row);
    unsigned first = f->raw.y ? 0 : f->raw.h, lines = f->height - f->raw.h;
    uint8_t rows[480 + 160] = {0}, *data;

    *size = (size_t)stride * f->height;
    data = malloc(*size);
    for (size_t i = 0; i + 1 < *size; i += 2) {
        data[i] = 30000 & 255;
        data[i + 1] = 30000 >> 8;
    }
    lepton_rows(words, rows);
    for (unsigned y = 0; y < lines; y++)
        memcpy(data + (size_t)(first + y) * stride, rows + (size_t)y * f->width * 2, (size_t)f->width * 2);
    return data;
}

static const char *const telemetry_rows[] = {"lepton3-y16-telemetry", "lepton3-y16-telemetry-header",
                                             "lepton2-y16-telemetry", "lepton2-y16-telemetry-header"};

static void telemetry_is_read_above_and_below(void **state)
{
    const struct lepton_words words = {
        .counter = 0x00018042, .status = 2u << 4, .fpa_k100 = 30415, .tlinear = 1, .resolution = 1};

    for (int i = 0; i < 4; i++)
        for (int padded = 0; padded < 2; padded++) {
            const struct tf_format *f = tf_format_find(telemetry_rows[i]);
            uint32_t stride = f->width * 2u + (padded ? 64 : 0);
            size_t size;
            uint8_t *data = buffer_of(telemetry_rows[i], &words, stride, &size);
            struct tf_telemetry t = {0};

            assert_true(f->telemetry(data, size, stride, &t));
            assert_true(t.valid);
            assert_int_equal(t.counter, 0x18042);
            assert_float_equal(t.sensor_c, 31.0f, 0.001);
            assert_int_equal(t.flags, TF_FLAG_FFC);
            assert_true(t.has_radiometry && t.radiometry.valid);
            assert_float_equal(t.radiometry.scale, 0.01f, 1e-6);
            free(data);
        }
}

static void telemetry_tells_shutter_and_tlinear(void **state)
{
    static const struct {
        uint32_t status, flags;
    } shutter[] = {
        {0, 0}, {1u << 4, TF_FLAG_FFC_IMMINENT}, {2u << 4, TF_FLAG_FFC}, {3u << 4, 0}, {0xffff0008, 0}};
    const struct tf_format *f = tf_format_find("lepton3-y16-telemetry");

    for (size_t i = 0; i < TF_COUNT(shutter); i++) {
        struct lepton_words words = {.status = shutter[i].status, .fpa_k100 = 30000, .tlinear = 1};
        struct tf_telemetry t;
        size_t size;
        uint8_t *data = buffer_of(f->name, &words, 320, &size);

        assert_true(f->telemetry(data, size, 320, &t));
        assert_int_equal(t.flags, shutter[i].flags);
        assert_float_equal(t.radiometry.scale, 0.1f, 1e-6);
        free(data);
        words.tlinear = 0;
        data = buffer_of(f->name, &words, 320, &size);
        assert_true(f->telemetry(data, size, 320, &t));
        assert_true(t.has_radiometry && !t.radiometry.valid);
        free(data);
    }
}

static void what_is_no_telemetry_is_refused(void **state)
{
    const struct lepton_words good = {.fpa_k100 = 30000, .tlinear = 1, .resolution = 1};
    struct tf_telemetry t = {.counter = 77};
    struct lepton_words bad;
    size_t size;
    uint8_t *data;

    for (int i = 0; i < 4; i++) {
        const struct tf_format *f = tf_format_find(telemetry_rows[i]);
        uint32_t stride = f->width * 2u;

        data = buffer_of(f->name, &good, stride, &size);
        assert_false(f->telemetry(data, size - 1, stride, &t)); /* short buffer */
        assert_false(f->telemetry(data, 0, stride, &t));
        assert_false(f->telemetry(data, size, stride - 2, &t));
        memset(data, 0, size); /* dark lines */
        assert_false(f->telemetry(data, size, stride, &t));
        for (size_t k = 0; k < size; k++) /* picture where telemetry should be */
            data[k] = k & 1 ? 30000 >> 8 : 30000 & 255;
        assert_false(f->telemetry(data, size, stride, &t));
        free(data);
        bad = good;
        bad.fpa_k100 = 100;
        data = buffer_of(f->name, &bad, stride, &size);
        assert_false(f->telemetry(data, size, stride, &t));
        free(data);
    }
    assert_int_equal(t.counter, 77);
}

/* A row's limits in counts; they mean nothing where the values are no temperatures. */
static void limits_in_counts(void **state)
{
    static const struct {
        const char *row;
        bool celsius; /* 0.01 K when the row is without a scale */
        uint16_t min, max;
    } cases[] = {{"lepton3-y16", true, 23315, 65535},
                 {"infiray-256", true, 14922, 55881},
                 {"optris", true, 0, 16000},
                 {"decikelvin", true, 2132, 17731},
                 {"y16", true, 23315, 65535},
                 {"y16", false, 0, 65535},
                 {"boson-y16", false, 0, 65535},
                 {"lepton3-y16-telemetry", false, 0, 0},
                 {"grey", false, 0, 255}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        const struct tf_format *f = tf_format_find(cases[i].row);
        struct tf_radiometry radiometry = f->radiometry;
        uint16_t limits[2];

        if (cases[i].celsius && !radiometry.valid)
            radiometry = (struct tf_radiometry){true, 0.01f, -273.15f};
        radiometry.valid = cases[i].celsius;
        tf_format_limits(f, &radiometry, limits);
        assert_int_equal(limits[0], cases[i].min);
        assert_int_equal(limits[1], cases[i].max);
    }
    /* A value falls as the temperature rises. */
    {
        const struct tf_radiometry turned = {true, -0.01f, 400};
        uint16_t limits[2];

        tf_format_limits(tf_format_find("lepton3-y16"), &turned, limits);
        assert_int_equal(limits[0], 0);
        assert_int_equal(limits[1], 44000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_that_others_name_are_there),
        cmocka_unit_test(every_row_is_sound),
        cmocka_unit_test(rows_match_by_fourcc_and_size),
        cmocka_unit_test(counts_become_degrees),
        cmocka_unit_test(telemetry_is_read_above_and_below),
        cmocka_unit_test(telemetry_tells_shutter_and_tlinear),
        cmocka_unit_test(what_is_no_telemetry_is_refused),
        cmocka_unit_test(limits_in_counts),
    };

    return cmocka_run_group_tests_name("capture format", tests, NULL, NULL);
}
