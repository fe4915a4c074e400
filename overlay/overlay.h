/*
 * From a frame and its faces to the annotated picture: palette, enlargement, points, boxes, regions, scale
 * bar, banner.
 */
#ifndef TF_OVERLAY_OVERLAY_H
#define TF_OVERLAY_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/frame.h"
#include "inference/face/own.h"
#include "overlay/picture.h"

/* "iron", "white-hot", "black-hot", "viridis", …; -EINVAL lists the names. */
int tf_palette_find(const char *name, int *ret, struct tf_error *err);
const char *tf_palette_name(int palette); /* NULL past the last */
/* 256 entries of 0x00RRGGBB. */
const uint32_t *tf_palette_table(int palette);

struct tf_overlay_options {
    enum tf_picture_form form;
    enum tf_cpu_level cpu; /* of what draws planes; tf_overlay_defaults: the machine's */
    int palette;
    bool fixed_range;           /* else the range follows the picture (percentiles, smoothed) */
    float range_min, range_max; /* °C, or counts when the camera is not radiometric */
    uint32_t lines_min;         /* smaller pictures are enlarged to at least so many lines; 0 = 480 */
    bool points, boxes, regions, scale_bar, banner, clock; /* what is drawn */
    bool masks;                                            /* tint the parts of faces that have a mask */
    bool filtered;                                         /* draw points_filtered where there are any */
    bool pose;                                             /* axes of each head */
    bool lines; /* join the points of jaw, brows, nose, eyes and lips by thin lines */
};
/* Everything on but axes and lines, iron, automatic range, RGB. */
struct tf_overlay_options tf_overlay_defaults(void);

/* What the banner says beside the frame's own flags. */
enum tf_banner {
    TF_BANNER_NONE,
    TF_BANNER_NO_SIGNAL, /* the camera is lost since `since_utc_ns` */
    TF_BANNER_STALE,     /* no new frame since then */
    TF_BANNER_SKIPPED,   /* inference is behind */
    TF_BANNER_TURN,      /* the picture stands wrong: `rotate` fits better */
};

struct tf_overlay_note {
    const char *camera;
    uint64_t frame;
    int64_t t_utc_ns;
    enum tf_banner banner;
    int64_t since_utc_ns;
    float fps; /* 0: not shown */
    uint16_t rotate;
    const struct tf_own_result *own; /* the laboratory's own regions; NULL: none */
};

struct tf_overlay;

/*
 * Fixed picture size for frames of one upright geometry: width and height of the upright frame. The frame's
 * part begins at the top left corner; where scale bar or clock are on, room for them is added right and
 * below, so that they hide nothing. Frames of one value a pixel (U16, U8) get the palette, YUV frames keep
 * their colours and have no scale. -EINVAL, -ENOMEM, -ENOENT (no font installed).
 */
int tf_overlay_create(const struct tf_overlay_options *options, uint32_t width, uint32_t height,
                      struct tf_overlay **ret, struct tf_error *err);
void tf_overlay_destroy(struct tf_overlay *overlay);
/* Size of the pictures: even numbers, at least lines_min lines. */
void tf_overlay_size(const struct tf_overlay *overlay, uint32_t *width, uint32_t *height);
/* Pixels of the picture a pixel of the frame: frame point x lies at (x + 0.5) * factor - 0.5 of the picture.
 */
uint32_t tf_overlay_factor(const struct tf_overlay *overlay);
/*
 * Takes new options (SIGHUP) between pictures. Form and size do not change: lines_min is ignored, the room of
 * a scale bar or clock that is turned off stays empty, and one that had no room at the beginning cannot be
 * turned on: -EINVAL.
 */
int tf_overlay_set_options(struct tf_overlay *overlay, const struct tf_overlay_options *options,
                           struct tf_error *err);

/*
 * Draws into the overlay's own picture, valid until the next call. frame NULL: the "no signal" card; faces
 * NULL: none. A frame of another geometry is -EINVAL.
 */
int tf_overlay_draw(struct tf_overlay *overlay, const struct tf_frame *frame, const struct tf_faces *faces,
                    const struct tf_overlay_note *note, const struct tf_picture **ret);

/*
 * The frame number (its low 32 bits) back from the block code that the clock draws in the bottom left corner,
 * also after H.264 (docs/overlay.md). The picture has its original size. -ENOENT: there is none; -EBADMSG:
 * damaged.
 */
int tf_overlay_read_number(const struct tf_picture *picture, uint32_t *ret);

/* A PNG of a picture in memory that the caller frees. */
int tf_picture_png(const struct tf_picture *picture, uint8_t **ret, size_t *size, struct tf_error *err);

#endif
