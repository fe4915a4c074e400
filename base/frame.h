/*
 * A captured frame and the fixed pool that frames come from.
 *
 * A frame is filled once, in capture, and is read-only from the moment it leaves there. It is reference
 * counted: it is passed on by reference, never copied, and returns to its pool when the last reference is
 * dropped, from any thread.
 */
#ifndef TF_BASE_FRAME_H
#define TF_BASE_FRAME_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock_sync.h"

#include "base/error.h"

enum tf_pixel {
    TF_PIXEL_U16,    /* one 16-bit value a pixel, host byte order */
    TF_PIXEL_U8,     /* 8-bit gray */
    TF_PIXEL_YUYV,   /* packed 4:2:2, Y first */
    TF_PIXEL_UYVY,   /* packed 4:2:2, U first */
    TF_PIXEL_NV12,   /* 4:2:0, plane Y, plane UV interleaved */
    TF_PIXEL_YUV420, /* 4:2:0, planes Y, U, V */
};

/* Where t_mono_ns came from; the record's t_from. */
enum tf_stamp {
    TF_STAMP_ARRIVAL,    /* "arrival": read by us when the frame reached us */
    TF_STAMP_DRIVER_EOF, /* "driver-eof": the driver's stamp, end of frame */
    TF_STAMP_DRIVER_SOE, /* "driver-soe": the driver's stamp, start of exposure */
    TF_STAMP_FILE,       /* "file": derived from a recording's time stamps */
};
const char *tf_stamp_name(enum tf_stamp stamp);

enum tf_frame_flag {
    TF_FLAG_FFC_IMMINENT = 1u << 0, /* shutter calibration is about to start */
    TF_FLAG_FFC = 1u << 1,          /* shutter closed: the picture is not the scene */
    TF_FLAG_FFC_SETTLING = 1u << 2, /* just after it: temperatures step */
    TF_FLAG_CORRUPT = 1u << 3,      /* the driver or decoder marked the buffer as damaged */
    TF_FLAG_DUPLICATE = 1u << 4,    /* same camera counter as the frame before */
    TF_FLAG_GAP = 1u << 5,          /* one or more frames are missing before this one */
    TF_FLAG_REOPENED = 1u << 6,     /* the first one after the camera was lost and opened again */
};
#define TF_FLAG_COUNT 7
/* "ffc_imminent", "ffc", "ffc_settling", "corrupt", "duplicate", "gap", "reopened", by bit number. */
const char *tf_flag_name(unsigned bit);

/* Counts to degrees Celsius: °C = value * scale + offset. `valid` false: the camera is not radiometric. */
struct tf_radiometry {
    bool valid;
    float scale;
    float offset;
};

/* An option's value in place of a turn: told from the faces that are seen. Never a frame's. */
#define TF_ROTATE_AUTO 0xffff

#define TF_FRAME_DIM_MAX 4096
#define TF_FRAME_PLANES 3

/* What a frame's record said when it was recorded: of recordings that are played again (capture/replay.c). */
struct tf_past {
    bool valid;
    bool skipped; /* inference had no time for it, or its picture is not there: it is not looked at */
    uint64_t frame, dropped_capture, dropped_inference;
    int64_t latency_us;  /* -1: not known */
    int64_t video_frame; /* -1: none */
    struct tf_clock_sync clock;
};

struct tf_pool;

struct tf_frame {
    /* The picture as captured, before rotation. Planes beyond the format's are NULL. */
    uint8_t *plane[TF_FRAME_PLANES];
    uint32_t stride[TF_FRAME_PLANES]; /* bytes */
    uint16_t width, height;           /* pixels, native orientation */
    enum tf_pixel pixel;
    bool full_range; /* of colours: 0..255, as JPEG has them, not 16..235 (Y) and 16..240 (U, V) */
    uint16_t rotate; /* degrees clockwise (0, 90, 180, 270) that make the picture upright */
    bool flip;       /* and then mirrored, left to right: the camera looks into a mirror */

    uint64_t number;         /* 0, 1, 2 … of the frames this source delivered */
    uint64_t sequence;       /* the source's own sequence number (V4L2's; a file's frame index) */
    uint64_t camera_counter; /* the camera's own counter, from telemetry */
    bool has_camera_counter;

    uint64_t t_mono_ns; /* CLOCK_MONOTONIC of capture */
    int64_t t_utc_ns;   /* the same instant, nanoseconds since 1970 UTC */
    enum tf_stamp stamp;

    uint32_t flags; /* enum tf_frame_flag */
    struct tf_radiometry radiometry;
    /* What the camera can measure, in counts: what lies outside is no measurement. 0, 0: not known. */
    uint16_t value_min, value_max;
    float sensor_c;          /* NAN when unknown */
    uint64_t dropped_driver; /* frames lost before us so far: sequence or camera counter gaps */

    struct tf_past past;

    void *priv; /* the source's (an mmap buffer's index, a decoder's frame); not for readers */

    /* Owned by the pool. */
    struct tf_pool *pool;
    _Atomic uint32_t references;
    uint32_t index;
};

/* Width and height of the upright picture. */
static inline uint32_t tf_frame_upright_width(const struct tf_frame *f)
{
    return f->rotate % 180 ? f->height : f->width;
}
static inline uint32_t tf_frame_upright_height(const struct tf_frame *f)
{
    return f->rotate % 180 ? f->width : f->height;
}

/* The smallest and the largest value that count. 0 and 65535 of 16 bits are what dead and saturated pixels
 * read, whatever the camera's limits. */
static inline void tf_frame_limits(const struct tf_frame *f, uint16_t *min, uint16_t *max)
{
    uint16_t lowest = f->pixel == TF_PIXEL_U16 ? 1 : 0, highest = f->pixel == TF_PIXEL_U16 ? 65534 : 255;
    bool known = f->value_min < f->value_max;

    *min = known && f->value_min > lowest ? f->value_min : lowest;
    *max = known && f->value_max < highest ? f->value_max : highest;
}

struct tf_pool_options {
    size_t frames; /* fixed number, 1 to 1024 */
    /* Largest picture. The pool owns one 64-byte aligned buffer a frame, rows padded to 64 bytes; 0 x 0 makes
     * frames without pixel memory, for sources that lend their own (mmap). */
    uint16_t width, height;
    enum tf_pixel pixel;
    /* Called when the last reference goes, before the frame is free again (a source re-queues its buffer
     * here). May run in any thread. NULL: nothing. */
    void (*released)(void *context, struct tf_frame *frame);
    void *context;
};

/* Errors: -EINVAL (a limit), -ENOMEM. */
int tf_pool_create(const struct tf_pool_options *options, struct tf_pool **ret);
/*
 * Frees the pool once every frame has come back; frames still out keep it alive, and `released` is no longer
 * called after this returns.
 */
void tf_pool_destroy(struct tf_pool *pool);
/* A free frame with one reference and every descriptive field zeroed, or NULL when all are out. Never blocks,
 * never allocates. */
struct tf_frame *tf_pool_get(struct tf_pool *pool);
size_t tf_pool_free_count(const struct tf_pool *pool);

struct tf_frame *tf_frame_ref(struct tf_frame *frame);
/* Accepts NULL. */
void tf_frame_unref(struct tf_frame *frame);

#endif
