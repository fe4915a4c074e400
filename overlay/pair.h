/* The picture of a pair of cameras: the thermal one annotated, the visible one beside it or in a corner of
 * it. */
#ifndef TF_OVERLAY_PAIR_H
#define TF_OVERLAY_PAIR_H

#include "overlay/overlay.h"

enum tf_pair_layout {
    TF_PAIR_SIDE_BY_SIDE,
    TF_PAIR_INSET, /* picture in picture */
};

struct tf_pair_overlay;

/* For frames of these upright sizes. Errors as tf_overlay_create. */
int tf_pair_overlay_create(const struct tf_overlay_options *options, enum tf_pair_layout layout,
                           uint32_t thermal_width, uint32_t thermal_height, uint32_t visible_width,
                           uint32_t visible_height, struct tf_pair_overlay **ret, struct tf_error *err);
void tf_pair_overlay_destroy(struct tf_pair_overlay *overlay);
void tf_pair_overlay_size(const struct tf_pair_overlay *overlay, uint32_t *width, uint32_t *height);

struct tf_pair_view {
    /* The thermal frame, as for tf_overlay_draw: NULL frame for "no signal". */
    const struct tf_frame *thermal;
    const struct tf_faces *thermal_faces;
    const struct tf_overlay_note *note;
    /* The visible frame with its own faces; NULL: there is none. */
    const struct tf_frame *visible;
    const struct tf_faces *visible_faces;
    const char *visible_camera;
    uint64_t visible_number; /* its record's frame */
    double skew_ms;          /* its stamp less the thermal frame's */
};

/*
 * Draws into the overlay's own picture, valid until the next call. The thermal part has its usual marks and,
 * as rings, the mapped points of faces that both cameras see; the visible part has its camera's boxes and
 * points. A visible frame of another size counts as none; a thermal one is -EINVAL.
 */
int tf_pair_overlay_draw(struct tf_pair_overlay *overlay, const struct tf_pair_view *view,
                         const struct tf_picture **ret);

#endif
