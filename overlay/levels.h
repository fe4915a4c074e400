/* A frame's values as upright planes of places on a palette. Private to overlay/. */
#ifndef TF_OVERLAY_LEVELS_H
#define TF_OVERLAY_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"
#include "inference/face/face.h"

/* A palette's entry is this many steps, so that enlargement between two entries stays smooth. */
#define TF_LEVEL_STEPS 32
#define TF_LEVEL_TOP (255 * TF_LEVEL_STEPS)
/* Values out of the range keep some of their distance, or enlargement would bend edges at its ends. */
#define TF_LEVEL_MIN (-128 * TF_LEVEL_STEPS)
#define TF_LEVEL_MAX (384 * TF_LEVEL_STEPS)

struct tf_range {
    float low, high; /* in the picture's values: counts, or 8-bit gray */
};

static inline bool tf_pixel_is_colour(enum tf_pixel pixel)
{
    return pixel != TF_PIXEL_U16 && pixel != TF_PIXEL_U8;
}

/* One plane of a U16 or U8 frame: 0 at range low, TF_LEVEL_TOP at high. `levels` has upright width * height
 * values. */
void tf_levels_gray(const struct tf_frame *frame, const struct tf_range *range, int16_t *levels);
/* Three planes (R, G, B; 0..TF_LEVEL_TOP) of a YUV frame, ITU-R BT.601 limited range. */
void tf_levels_colour(const struct tf_frame *frame, int16_t *const planes[3]);
/* Where upright pixels of a native plane lie: x + upright x * across_x + upright y * down_x, and so on. */
struct tf_walk {
    int32_t x, y, across_x, across_y, down_x, down_y;
};
struct tf_walk tf_walk_of(int32_t width, int32_t height, uint16_t rotate, bool flip);
/* Where an upright pixel lies in the native picture. */
void tf_levels_native(const struct tf_frame *frame, uint32_t x, uint32_t y, uint32_t *native_x,
                      uint32_t *native_y);

/* range.c */
/*
 * The values of the skin of all faces, from their cooler parts to their warmest. False without faces in the
 * picture.
 */
bool tf_range_skin(const struct tf_frame *frame, const struct tf_faces *faces, struct tf_range *ret);
/*
 * The range that fits a U16 or U8 frame: the 1st to the 99.5th percentile of a sample, with a twentieth of it
 * added on both sides and at least `span_min` wide. What is far hotter or colder than the rest does not
 * stretch it: with `skin`, the faces' values, it ends near them, else near the middle four fifths of the
 * picture. False when the frame has no pixels that count.
 */
bool tf_range_fit(const struct tf_frame *frame, const struct tf_range *skin, float span_min,
                  struct tf_range *ret);

#endif
