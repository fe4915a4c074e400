/*
 * The source contract: where frames come from. open → start → next … → stop → close.
 *
 * A source never retries and never logs: it returns a typed reason, and the supervisor (pipeline/) decides.
 * All calls on one source come from one thread.
 */
#ifndef TF_CAPTURE_SOURCE_H
#define TF_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"
#include "capture/format.h"

enum tf_next {
    TF_NEXT_FRAME = 0,
    TF_NEXT_TIMEOUT,   /* nothing within the time given */
    TF_NEXT_GONE,      /* the camera is gone (ENODEV, EIO): stop, close, open again later */
    TF_NEXT_NO_SIGNAL, /* the device is there and says it has no signal */
    TF_NEXT_END,       /* end of file */
    TF_NEXT_ERROR,     /* err says what; treated as gone */
};
/* A damaged buffer is a frame with TF_FLAG_CORRUPT: every captured frame yields a record. */

enum tf_source_pace {
    TF_PACE_RECORDED, /* a file at its own speed (live) */
    TF_PACE_FAST,     /* as fast as frames are taken (offline) */
};

struct tf_source_options {
    /*
     * What to open: "synthetic" or "synthetic:key=value,…"; a path or glob under /dev (V4L2); "file:PATH" or
     * a path. "recording:STEM": a recording's raw video with its table (STEM_video.mkv,
     * STEM_frames.csv), offline.
     */
    const char *url;
    const char
        *format; /* a row of the camera-format table, or NULL: chosen from what the device or file offers */
    uint16_t width, height; /* asked for; 0 = the row's or the device's own */
    float fps;           /* asked for; 0 = the device's own. Of files: the rate of pictures without times */
    uint16_t rotate;     /* 0, 90, 180, 270 clockwise */
    bool flip;           /* then mirrored, left to right */
    bool accept_size;    /* take the size the driver gives instead of the one asked for */
    uint32_t line_bytes; /* V4L2: bytes of a line to ask the driver for, padding included; 0 = its own */
    float scale, offset; /* of row "y16": °C = value * scale + offset; scale 0 = not radiometric */
    uint16_t limits[2];  /* smallest and largest value that is a measurement, counts; 0, 0 = the row's */
    enum tf_source_pace pace;
    bool loop;          /* a file starts again at its end */
    uint64_t limit;     /* frames, 0 = no limit */
    size_t frames;      /* frames that may be out at once (pool, V4L2 buffers); 0 = default 12 */
    uint64_t settle_ns; /* length of ffc_settling after a shutter calibration; 0 = 10 s */
    /* Of V4L2 cameras; NULL = nothing. Set whenever the camera is opened: "name=value,name=value". */
    const char *controls;
    /* What moves the shutter: "CONTROL=VALUE" or "xu:UNIT:SELECTOR=HEX"; NULL = what is known of the camera.
     */
    const char *ffc, *ffc_hold, *ffc_release;
    bool frozen; /* a thermal camera without telemetry: repeated pictures tell of a closed shutter */
    /* Of files; "WIDTHxHEIGHT:PIXELFORMAT@RATE" of headerless ones, NULL = they say themselves. */
    const char *raw;
    const char *stream; /* number of the file's stream, as FFmpeg counts; NULL = the one that fits */
};

/* What can be done to the shutter. */
enum tf_ffc {
    TF_FFC_TRIGGER, /* calibrate now */
    TF_FFC_HOLD,    /* no calibration by itself until released */
    TF_FFC_RELEASE,
};
#define TF_FFC_ACTIONS 3

struct tf_source_info {
    const char *kind;   /* "v4l2", "file", "synthetic", "recording" */
    char name[128];     /* card, file or variant, for people */
    char identity[256]; /* what finds it again: the /dev/v4l/by-id path, or the url */
    const struct tf_format *format;
    uint16_t width, height; /* of the frames, native orientation */
    uint16_t rotate;
    bool flip;
    enum tf_pixel pixel;
    bool full_range; /* as tf_frame's */
    float fps;       /* nominal; 0 = unknown */
    bool live;       /* frames come by the clock; false: the source waits for us */
    uint64_t frames; /* total if known, else 0 */
    struct tf_radiometry radiometry;
    bool ffc[TF_FFC_ACTIONS]; /* which of them the camera can do */
};

struct tf_source;

/* Whether a url names a V4L2 device: what is under /dev, but files there (/dev/shm, pipes) are files. */
bool tf_source_is_device(const char *url);

/*
 * Errors: -ENOENT, -EACCES, -EBUSY, -ENODEV (device), -EINVAL (options, or a format row that does not fit
 * what the device or file delivers; both are named), -ENOTSUP, -EIO (unreadable video). The strings in
 * options need not outlive the call.
 */
int tf_source_open(const struct tf_source_options *options, struct tf_source **ret, struct tf_error *err);
/* Stops if need be. Frames still out stay valid until unreferenced. Accepts NULL. */
void tf_source_close(struct tf_source *source);
const struct tf_source_info *tf_source_info(const struct tf_source *source);

/* From the next frame on another turn (0, 90, 180, 270) makes the picture upright. */
void tf_source_turn(struct tf_source *source, uint16_t rotate);
/*
 * What a reader of the results should know of this source ("values do not look like …"), or "". Set by open
 * or by the first frames; asked for in the thread that calls tf_source_next.
 */
const char *tf_source_notice(const struct tf_source *source);

int tf_source_start(struct tf_source *source, struct tf_error *err);
int tf_source_stop(struct tf_source *source);

/*
 * The next frame, with one reference for the caller. timeout_ms < 0 waits without end. No allocation once it
 * runs. When every frame of the pool is out, a live source loses the frame and counts it (dropped), any other
 * waits.
 */
enum tf_next tf_source_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                            struct tf_error *err);

/* Counters that only grow: frames lost by the driver (sequence gaps) and by us (no free frame). */
struct tf_source_drops {
    uint64_t driver, capture;
};
struct tf_source_drops tf_source_drops(const struct tf_source *source);

/* Moves the shutter. -ENOTSUP: not of this camera; -EIO, -ENODEV: it refused, or is gone. */
int tf_source_ffc(struct tf_source *source, enum tf_ffc action, struct tf_error *err);

/* A file descriptor that another thread makes readable to end a wait in tf_source_next (which then returns
 * TIMEOUT). */
void tf_source_wake(struct tf_source *source);

/*
 * What a synthetic subject knows about the frame it rendered: truth for tests. Fills up to `max` faces;
 * returns how many, or -ENOTSUP for other sources. Call with the frame that tf_source_next gave.
 */
struct tf_truth {
    float points[68][2];
    bool glasses;
    float nose_tip_c, forehead_c, canthus_c, cheek_c,
        chin_c;             /* rendered temperature at the regions' centres */
    float nostrils_c;       /* without breath */
    float breath;           /* -1 (in) .. 1 (out): adds up to half a degree at the nostrils */
    float yaw, pitch, roll; /* degrees, as a record's pose (docs/landmarks.md) */
};
int tf_source_truth(const struct tf_source *source, const struct tf_frame *frame, struct tf_truth *ret,
                    int max);

/* One V4L2 capture device, for `thermoface devices`. */
struct tf_device {
    char path[256];     /* /dev/videoN */
    char identity[256]; /* /dev/v4l/by-id/… (or by-path), else the path */
    char by_path[256];  /* its /dev/v4l/by-path link, or empty */
    bool twin;          /* another camera here has the same name and serial number, or neither has one */
    char serial[64];    /* of its USB device, or empty */
    char card[64], bus[64], driver[32];
    char row[32];        /* the format row that fits best, or empty */
    char formats[2048];  /* "Y16 160x120@9 160x122@9, UYVY …" for people */
    char controls[4096]; /* "brightness=128 (0..255), …" for people */
    char problem[128];   /* why it could not be asked (permission, busy), or empty */
};
/* Lists at most `max` devices; returns how many, or a negative errno. */
int tf_devices_list(struct tf_device *devices, int max, struct tf_error *err);

#endif
