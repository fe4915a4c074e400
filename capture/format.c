/* The table of camera formats, and which row fits what a device offers. */
#include <math.h>
#include <string.h>

#include <linux/videodev2.h>

#include "base/count.h"
#include "capture/internal.h"
#include "capture/telemetry.h"

/* °C limits of rows that measure: what the camera can read, not what a face can be. */
#define CENTIKELVIN                                                                                          \
    {                                                                                                        \
        .valid = true, .scale = 0.01f, .offset = -273.15f                                                    \
    }
#define LEPTON_SOURCE                                                                                        \
    "FLIR Lepton engineering datasheet 500-0659-00-09; groupgets/purethermal1-firmware Inc/lepton.h"
#define BOSON_SOURCE "FLIR Boson product page and BosonUSB example; LJMUAstroecology/flirpy#77, #87"

/*
 * Within one fourcc, tf_format_match takes an exact size before "any", and the first of equals: rows that
 * need to be asked for (another scale for the same bytes) come after those that may be guessed.
 */
static const struct tf_format formats[] = {
    {.name = "lepton3-y16",
     .title = "FLIR Lepton 3.x (PureThermal), radiometric",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 160,
     .height = 120,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .source = LEPTON_SOURCE},
    {.name = "lepton3-y16-telemetry",
     .title = "FLIR Lepton 3.x (PureThermal), telemetry below the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 160,
     .height = 122,
     .raw = {0, 0, 160, 120},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .telemetry = tf_telemetry_lepton3_footer,
     .source = LEPTON_SOURCE},
    {.name = "lepton3-y16-telemetry-header",
     .title = "FLIR Lepton 3.x (PureThermal), telemetry above the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 160,
     .height = 122,
     .raw = {0, 2, 160, 120},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .telemetry = tf_telemetry_lepton3_header,
     .source = LEPTON_SOURCE},
    {.name = "lepton2-y16",
     .title = "FLIR Lepton 2.5 (PureThermal), radiometric",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 80,
     .height = 60,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .source = LEPTON_SOURCE},
    {.name = "lepton2-y16-telemetry",
     .title = "FLIR Lepton 2.5 (PureThermal), telemetry below the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 80,
     .height = 63,
     .raw = {0, 0, 80, 60},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .telemetry = tf_telemetry_lepton2_footer,
     .source = LEPTON_SOURCE},
    {.name = "lepton2-y16-telemetry-header",
     .title = "FLIR Lepton 2.5 (PureThermal), telemetry above the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 80,
     .height = 63,
     .raw = {0, 3, 80, 60},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 400,
     .telemetry = tf_telemetry_lepton2_header,
     .source = LEPTON_SOURCE},
    {.name = "infiray-256",
     .title = "InfiRay P2 Pro, TOPDON TC001: picture above, values below",
     .fourcc = V4L2_PIX_FMT_YUYV,
     .width = 256,
     .height = 384,
     .picture = {0, 0, 256, 192},
     .raw = {0, 192, 256, 192},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = {.valid = true, .scale = 0.015625f, .offset = -273.15f},
     .valid_min = -40,
     .valid_max = 600,
     .source = "leswright1977/PyThermalCamera src/tc001v4.2.py"},
    {.name = "tc002c",
     .title = "TOPDON TC002C Duo: values above, two sensor lines to one of the buffer",
     .fourcc = V4L2_PIX_FMT_YUYV,
     .width = 512,
     .height = 484,
     .raw = {0, 0, 256, 192},
     .fold = 2,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = {.valid = true, .scale = 0.0625f, .offset = -273.15f},
     .valid_min = -40,
     .valid_max = 600,
     .source = "leswright1977/PyThermalCamera#29, docs/TC002C-DUO.md"},
    {.name = "ht301",
     .title = "Hti HT-301, Xtherm T3: counts, four lines of the camera's own below the picture",
     .fourcc = V4L2_PIX_FMT_YUYV,
     .width = 384,
     .height = 292,
     .raw = {0, 0, 384, 288},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = "stawel/ht301_hacklib"},
    {.name = "boson-y16",
     .title = "FLIR Boson, counts",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 640,
     .height = 512,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = BOSON_SOURCE},
    {.name = "boson-y16-telemetry",
     .title = "FLIR Boson, counts, two telemetry lines below the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 640,
     .height = 514,
     .raw = {0, 0, 640, 512},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = BOSON_SOURCE},
    {.name = "boson-y16-telemetry-header",
     .title = "FLIR Boson, counts, two telemetry lines above the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 640,
     .height = 514,
     .raw = {0, 2, 640, 512},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = BOSON_SOURCE},
    {.name = "boson-320-y16-telemetry",
     .title = "FLIR Boson 320, counts, two telemetry lines below the picture",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 320,
     .height = 258,
     .raw = {0, 0, 320, 256},
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = BOSON_SOURCE},
    {.name = "boson-320-y16",
     .title = "FLIR Boson 320, counts",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 320,
     .height = 256,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = BOSON_SOURCE},
    {.name = "y16",
     .title = "16 bits little-endian, scale and offset given by the user",
     .fourcc = V4L2_PIX_FMT_Y16,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = "kernel: pixfmt-y16"},
    {.name = "y16-be",
     .title = "16 bits big-endian, scale and offset given by the user",
     .fourcc = V4L2_PIX_FMT_Y16_BE,
     .pixel = TF_PIXEL_U16,
     .big_endian = true,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = "kernel: pixfmt-y16-be"},
    {.name = "boson-y16-tlinear",
     .title = "FLIR Boson radiometric, TLinear at 0.01 K",
     .fourcc = V4L2_PIX_FMT_Y16,
     .width = 640,
     .height = 512,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -40,
     .valid_max = 550,
     .source = BOSON_SOURCE},
    {.name = "centikelvin",
     .title = "16 bits, hundredths of a kelvin, any size",
     .fourcc = V4L2_PIX_FMT_Y16,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = CENTIKELVIN,
     .valid_min = -60,
     .valid_max = 380,
     .source = "FLIR TLinear at 0.01 K; the synthetic subject"},
    {.name = "decikelvin",
     .title = "16 bits, tenths of a kelvin, any size",
     .fourcc = V4L2_PIX_FMT_Y16,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = {.valid = true, .scale = 0.1f, .offset = -273.15f},
     .valid_min = -60,
     .valid_max = 1500,
     .source = "FLIR TLinear at 0.1 K"},
    {.name = "optris",
     .title = "Optris (libirimager recordings)",
     .fourcc = V4L2_PIX_FMT_Y16,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = {.valid = true, .scale = 0.1f, .offset = -100.0f},
     .valid_min = -100,
     .valid_max = 1500,
     .source = "Optris libirimager: C = (raw - 1000) / 10"},
    {.name = "grey",
     .title = "8-bit gray",
     .fourcc = V4L2_PIX_FMT_GREY,
     .pixel = TF_PIXEL_U8,
     .bits = 8,
     .valid_min = 0,
     .valid_max = 255,
     .source = "kernel: pixfmt-grey"},
    {.name = "visible",
     .title = "a visible camera: YUYV, UYVY, NV12, YU12, MJPG or what libv4l2 converts",
     .fourcc = 0,
     .pixel = TF_PIXEL_YUYV,
     .bits = 8,
     .valid_min = 0,
     .valid_max = 255,
     .source = "kernel: packed and planar YUV formats"},
    {.name = "yuyv-y16",
     .title = "16-bit values that a camera calls YUYV, any size; scale and offset from the user",
     .fourcc = V4L2_PIX_FMT_YUYV,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = "kernel: pixfmt-packed-yuv; little-endian values, luma their low byte"},
    {.name = "uyvy-y16",
     .title = "16-bit values that a camera calls UYVY, any size; scale and offset from the user",
     .fourcc = V4L2_PIX_FMT_UYVY,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .valid_min = 0,
     .valid_max = 65535,
     .source = "kernel: pixfmt-packed-yuv; little-endian values, luma their high byte"},
    {.name = "optris-yuyv",
     .title = "Optris recordings (RAVI) and cameras that call their values YUYV",
     .fourcc = V4L2_PIX_FMT_YUYV,
     .pixel = TF_PIXEL_U16,
     .bits = 16,
     .radiometry = {.valid = true, .scale = 0.1f, .offset = -100.0f},
     .valid_min = -100,
     .valid_max = 1500,
     .source = "evocortex/optris_drivers#21: C = (value - 1000) / 10"},
};

#define COUNT TF_COUNT(formats)

size_t tf_format_count(void)
{
    return COUNT;
}

const struct tf_format *tf_format_at(size_t i)
{
    return i < COUNT ? &formats[i] : NULL;
}

const struct tf_format *tf_format_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

/* What row "visible" takes. */
static bool for_people(uint32_t fourcc)
{
    static const uint32_t codes[] = {V4L2_PIX_FMT_YUYV,   V4L2_PIX_FMT_UYVY,  V4L2_PIX_FMT_NV12,
                                     V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_JPEG};

    for (size_t i = 0; i < TF_COUNT(codes); i++)
        if (fourcc == codes[i])
            return true;
    return false;
}

const struct tf_format *tf_format_match(uint32_t fourcc, uint16_t width, uint16_t height)
{
    const struct tf_format *any = NULL;

    for (size_t i = 0; i < COUNT; i++) {
        const struct tf_format *f = &formats[i];

        if (f->fourcc ? f->fourcc != fourcc : !for_people(fourcc))
            continue;
        if (f->width == width && f->height == height)
            return f;
        if (!f->width && !any)
            any = f;
    }
    return any;
}

struct tf_radiometry tf_format_radiometry(const struct tf_format *row,
                                          const struct tf_source_options *options)
{
    if (options->scale != 0 && row->pixel == TF_PIXEL_U16)
        return (struct tf_radiometry){.valid = true, .scale = options->scale, .offset = options->offset};
    return row->radiometry;
}

/* Of a row that says nothing of temperatures when the user gave a scale: what cameras for people measure. */
#define USER_MIN_C (-40.0f)
#define USER_MAX_C 550.0f

void tf_format_limits(const struct tf_format *row, const struct tf_radiometry *radiometry, uint16_t ret[2])
{
    double low = (double)row->valid_min, high = (double)row->valid_max, scale = (double)radiometry->scale;

    ret[0] = ret[1] = 0;
    if (row->radiometry.valid != radiometry->valid) {
        if (!radiometry->valid)
            return;
        low = (double)USER_MIN_C;
        high = (double)USER_MAX_C;
    }
    if (radiometry->valid) {
        low = (low - (double)radiometry->offset) / scale;
        high = (high - (double)radiometry->offset) / scale;
        if (scale < 0) {
            double swap = low;

            low = high;
            high = swap;
        }
    }
    /* A value that is exactly the limit counts, whatever a float made of the scale. */
    low = ceil(low - 1e-3);
    high = floor(high + 1e-3);
    if (!(low < 65535) || !(high > 0) || !(low < high))
        return;
    ret[0] = (uint16_t)(low > 0 ? low : 0);
    ret[1] = (uint16_t)(high < 65535 ? high : 65535);
}

struct tf_rect tf_format_raw(const struct tf_format *row, uint16_t width, uint16_t height)
{
    /* A row of another geometry comes as its raw part only: a recording of what an earlier run delivered. */
    if (row->raw.w && row->width == width && row->height == height)
        return row->raw;
    return (struct tf_rect){0, 0, width, height};
}

/* How many of some high bytes are 0x80, as the chroma of a gray picture is: of 64. */
static int gray_chroma(const struct tf_frame *f, const struct tf_rect *half)
{
    int n = 0;

    for (unsigned i = 0; i < 64; i++) {
        size_t x = half->x + (i % 8 * half->w + half->w / 2u) / 8;
        size_t y = half->y + (i / 8 * half->h + half->h / 2u) / 8;

        n += f->plane[0][y * f->stride[0] + x * 2 + 1] == 0x80;
    }
    return n;
}

void tf_format_cut(const struct tf_format *row, const struct tf_rect *raw, struct tf_frame *f)
{
    struct tf_rect at = *raw;

    if (row->fold > 1 && f->width == row->width && f->height == row->height) {
        f->stride[0] /= row->fold;
        f->width = raw->w;
        f->height = raw->h;
        return;
    }
    if (raw->w == f->width && raw->h == f->height)
        return;
    /* Values with a high byte of 0x80 in row infiray-256 are those of 239 °C: no whole picture of them. */
    if (row->picture.w && gray_chroma(f, raw) > 58) {
        if (gray_chroma(f, &row->picture) <= 58)
            at = row->picture;
        else
            f->flags |= TF_FLAG_CORRUPT;
    }
    f->plane[0] += (size_t)at.y * f->stride[0] + (size_t)at.x * 2;
    f->width = raw->w;
    f->height = raw->h;
}

void tf_format_telemetry(const struct tf_format *row, const uint8_t *data, size_t size, uint32_t stride,
                         bool fixed, struct tf_frame *f)
{
    struct tf_telemetry t;

    if (!row->telemetry || !row->telemetry(data, size, stride, &t))
        return;
    f->camera_counter = t.counter;
    f->has_camera_counter = true;
    f->sensor_c = t.sensor_c;
    f->flags |= t.flags;
    if (t.has_radiometry && !fixed)
        f->radiometry = t.radiometry;
}
