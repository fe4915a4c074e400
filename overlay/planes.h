/*
 * The frame's part of a picture of planes: palette, range, turn and enlargement in one pass over the frame,
 * without a picture in between. Private to overlay/.
 */
#ifndef TF_OVERLAY_PLANES_H
#define TF_OVERLAY_PLANES_H

#include "overlay/kernels/kernels.h"
#include "overlay/levels.h"
#include "overlay/picture.h"

struct tf_planes;

/* For upright frames of that size; -ENOMEM. */
int tf_planes_create(uint32_t width, uint32_t height, uint32_t factor, const struct tf_paint *paint,
                     struct tf_planes **ret);
void tf_planes_destroy(struct tf_planes *planes);
/* The colours: 256 of 0x00RRGGBB. */
void tf_planes_set_palette(struct tf_planes *planes, const uint32_t *table);
/* From the top left corner of the picture on: a frame of one value a pixel … */
void tf_planes_gray(struct tf_planes *planes, const struct tf_frame *frame, const struct tf_range *range,
                    const struct tf_picture *picture);
/* … and one of colours (ITU-R BT.601, of either range). -ENOMEM, at the first one only. */
int tf_planes_colour(struct tf_planes *planes, const struct tf_frame *frame,
                     const struct tf_picture *picture);

#endif
