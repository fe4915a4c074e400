/*
 * Lepton telemetry. Word numbers are those of the datasheet (500-0659-00-09, "Telemetry") within rows A and
 * C; double words come low word first, as the PureThermal firmware's packed structure (Inc/lepton.h) has
 * them.
 */

#include "capture/telemetry.h"

#define ROW_WORDS 80
#define WORD_REVISION 0
#define WORD_STATUS 3
#define WORD_COUNTER 20
#define WORD_FPA_K100 24
#define WORD_TLINEAR_ENABLE (2 * ROW_WORDS + 48)
#define WORD_TLINEAR_RESOLUTION (2 * ROW_WORDS + 49)
#define WORDS (3 * ROW_WORDS)

#define STATUS_FFC_SHIFT 4 /* bits 4 and 5 */
#define FFC_IMMINENT 1u
#define FFC_IN_PROGRESS 2u

struct view {
    const uint8_t *data;
    uint32_t stride, width; /* bytes, words a line */
};

static uint32_t word(const struct view *v, unsigned i)
{
    const uint8_t *p = v->data + (size_t)(i / v->width) * v->stride + (size_t)(i % v->width) * 2;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t double_word(const struct view *v, unsigned i)
{
    return word(v, i) | word(v, i + 1) << 16;
}

static bool read_lepton(const uint8_t *data, size_t size, uint32_t stride, unsigned width, unsigned lines,
                        unsigned first_line, unsigned rows, struct tf_telemetry *ret)
{
    struct view v = {.data = data + (size_t)first_line * stride, .stride = stride, .width = width};
    struct tf_telemetry t = {.sensor_c = NAN};
    uint32_t fpa, ffc, resolution;

    if (stride < width * 2 || size < (size_t)(lines - 1) * stride + (size_t)width * 2 ||
        first_line + rows > lines)
        return false;
    fpa = word(&v, WORD_FPA_K100);
    resolution = word(&v, WORD_TLINEAR_RESOLUTION);
    /*
     * Lines of picture, or of zeros, where telemetry should be: no Lepton has revision 0, switches other than
     * 0 and 1, or a sensor outside -60 to 150 °C.
     */
    if (word(&v, WORD_REVISION) == 0 || word(&v, WORD_TLINEAR_ENABLE) > 1 || resolution > 1 || fpa < 21315 ||
        fpa > 42315)
        return false;
    t.valid = true;
    t.counter = double_word(&v, WORD_COUNTER);
    t.sensor_c = (float)fpa * 0.01f - 273.15f;
    ffc = double_word(&v, WORD_STATUS) >> STATUS_FFC_SHIFT & 3;
    if (ffc == FFC_IMMINENT)
        t.flags |= TF_FLAG_FFC_IMMINENT;
    else if (ffc == FFC_IN_PROGRESS)
        t.flags |= TF_FLAG_FFC;
    t.has_radiometry = true;
    if (word(&v, WORD_TLINEAR_ENABLE))
        t.radiometry =
            (struct tf_radiometry){.valid = true, .scale = resolution ? 0.01f : 0.1f, .offset = -273.15f};
    *ret = t;
    return true;
}

bool tf_telemetry_lepton2_footer(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret)
{
    return read_lepton(data, size, stride, 80, 63, 60, 3, ret);
}

bool tf_telemetry_lepton2_header(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret)
{
    return read_lepton(data, size, stride, 80, 63, 0, 3, ret);
}

bool tf_telemetry_lepton3_footer(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret)
{
    return read_lepton(data, size, stride, 160, 122, 120, 2, ret);
}

bool tf_telemetry_lepton3_header(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret)
{
    return read_lepton(data, size, stride, 160, 122, 0, 2, ret);
}
