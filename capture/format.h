/*
 * The table of camera formats: what a camera's bytes mean. Data, not code paths; docs/cameras.md gives each
 * row's source.
 */
#ifndef TF_CAPTURE_FORMAT_H
#define TF_CAPTURE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

struct tf_rect {
    uint16_t x, y, w, h; /* w = 0: the whole buffer */
};

struct tf_telemetry {
    bool valid;
    uint64_t counter;
    float sensor_c;      /* NAN when unknown */
    uint32_t flags;      /* TF_FLAG_FFC_IMMINENT, TF_FLAG_FFC */
    bool has_radiometry; /* the camera said whether and how it is linear in temperature */
    struct tf_radiometry radiometry;
};

struct tf_format {
    const char *name;       /* "lepton3-y16" */
    const char *title;      /* "FLIR Lepton 3.x (PureThermal), radiometric" */
    uint32_t fourcc;        /* V4L2_PIX_FMT_*; 0 = any that `pixel` covers */
    uint16_t width, height; /* of the buffer; 0 = any */
    struct tf_rect
        picture; /* where the picture for people is (InfiRay's upper half), when it is not the raw one */
    struct tf_rect raw;  /* where the measured values are */
    enum tf_pixel pixel; /* of the frame delivered */
    uint8_t fold;        /* lines of the raw picture in one of the buffer's, side by side; 0: one */
    bool big_endian;
    uint8_t bits; /* significant bits of a value */
    struct tf_radiometry radiometry;
    float valid_min, valid_max; /* sane values in the row's unit; outside: not counted in a region */
    /* Reads the telemetry rows of a whole buffer; NULL if the row has none. */
    bool (*telemetry)(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret);
    const char *source; /* where these facts come from */
};

/* The values that a row's limits allow under the radiometry in use, in counts (inclusive). 0, 0: it sets
 * none, as where the camera's telemetry says that its values are no temperatures. */
void tf_format_limits(const struct tf_format *row, const struct tf_radiometry *radiometry, uint16_t ret[2]);

size_t tf_format_count(void);
const struct tf_format *tf_format_at(size_t i);
/* By name; NULL if there is none. */
const struct tf_format *tf_format_find(const char *name);
/* The row that fits a fourcc and a buffer geometry best; NULL if none does. */
const struct tf_format *tf_format_match(uint32_t fourcc, uint16_t width, uint16_t height);

#endif
