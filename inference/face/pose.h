/*
 * How a head is turned, from its 68 points: a mean face fitted by least squares (docs/landmarks.md, "Head
 * pose").
 */
#ifndef TF_INFERENCE_FACE_POSE_H
#define TF_INFERENCE_FACE_POSE_H

#include "inference/face/face.h"

/*
 * The pose of the face with these points; its angles are NAN where a point is no number or all points lie on
 * one place. Each point counts by its confidence. Never allocates.
 */
struct tf_pose tf_pose_fit(const struct tf_point points[TF_POINTS]);

/*
 * The cosine of the angle between the line of sight and a direction of the head that stands off straight
 * ahead by `azimuth` (radians, to the subject's left) and `elevation` (upwards): 1 looks at the camera, 0 is
 * seen edge on, below it looks away. NAN where the pose is not known.
 */
float tf_pose_facing(const struct tf_pose *pose, float azimuth, float elevation);

#endif
