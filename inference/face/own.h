/*
 * Own regions, measured: those in face coordinates for each face, those in pixels once for each frame. Same
 * rules as for the built-in ones (inference/face/face.h).
 */
#ifndef TF_INFERENCE_FACE_OWN_H
#define TF_INFERENCE_FACE_OWN_H

#include "base/own_region.h"
#include "inference/face/face.h"

/* Names by kind, in the definitions' order; both counts together are at most TF_OWN_MAX. */
struct tf_own_names {
    uint32_t faces, areas;
    char face[TF_OWN_MAX][TF_OWN_NAME_MAX + 1], area[TF_OWN_MAX][TF_OWN_NAME_MAX + 1];
};
void tf_own_names_of(const struct tf_own_regions *regions, struct tf_own_names *ret);

struct tf_own_result {
    struct tf_own_names names;
    /* By face, as in tf_faces; only as many as there are faces and names. */
    struct tf_region_stats face[TF_FACES_MAX][TF_OWN_MAX];
    struct tf_outline face_outlines[TF_FACES_MAX][TF_OWN_MAX];
    struct tf_region_stats area[TF_OWN_MAX];
    struct tf_outline area_outlines[TF_OWN_MAX];
};

/* Where a frame was not looked at: areas without a value that are neither valid nor have a reason why not. */
void tf_own_unseen(struct tf_own_result *ret);
static inline bool tf_own_is_looked_at(const struct tf_region_stats *area)
{
    return area->valid || area->why;
}

/*
 * Measures; ret->names are those of `regions` (tf_own_names_of). Faces are measured along the points that
 * their regions follow. `faults` may be NULL. Never allocates.
 */
void tf_own_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                    const struct tf_own_regions *regions, const struct tf_faces *faces,
                    struct tf_own_result *ret);

#endif
