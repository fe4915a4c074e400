/* Which of a face's regions cannot be trusted although their pixels can: docs/regions.md, "Why not". */
#ifndef TF_INFERENCE_FACE_JUDGE_H
#define TF_INFERENCE_FACE_JUDGE_H

#include "inference/face/face.h"

/*
 * Fits the pose to the points that the face's regions follow, tells glasses where the picture is a thermal
 * one, and marks the regions that hang on doubtful points, lie behind glasses or are turned away. The regions
 * have been measured. Never allocates.
 */
void tf_face_judge(struct tf_face *face, bool thermal);

/* Whether a frame's values can be temperatures, whatever their scale: pictures in colour are not. */
bool tf_face_can_be_thermal(const struct tf_frame *frame);

/* The same of an own region in face coordinates, which hangs on the eyes' points and looks straight ahead. */
void tf_face_judge_own(const struct tf_face *face, struct tf_region_stats *stats);

#endif
