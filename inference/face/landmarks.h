/*
 * One landmark network by itself, with any number of points: what the evaluation of such a network needs. The
 * service uses inference/face/face.h, which finds and follows faces around it.
 */
#ifndef TF_INFERENCE_FACE_LANDMARKS_H
#define TF_INFERENCE_FACE_LANDMARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"
#include "inference/face/face.h"

#define TF_LANDMARKS_MAX 256 /* points of one network */

struct tf_landmarks;

struct tf_landmarks_info {
    uint32_t points;
    const char *order;      /* tf.order: "ibug68" … */
    const char *from68;     /* tf.from68: how the points follow from the 68, or NULL; owned by the network */
    uint32_t width, height; /* of the network's input */
    float crop_scale;       /* window side over the longer side of the face box */
};

/* Opens a model of tf.task "landmarks". threads 0 = 1; cpu NULL = best. Errors: as tf_analyser_create. */
int tf_landmarks_open(const char *path, int threads, const char *cpu, struct tf_landmarks **ret,
                      struct tf_error *err);
void tf_landmarks_close(struct tf_landmarks *landmarks);
struct tf_landmarks_info tf_landmarks_info(const struct tf_landmarks *landmarks);

/*
 * On: every face is read twice, as it is and mirrored, and the points and confidences are the means of both.
 * Doubles the work. -ENOTSUP: the network's order is not ibug68, whose mirrored order is known; -ENOMEM.
 */
int tf_landmarks_set_mirror(struct tf_landmarks *landmarks, bool on);

/*
 * The points of the face whose tight box is x, y, w, h, in the network's order; `points` holds info.points of
 * them. Allocates nothing. -EINVAL: a frame without luminance, or a box that is empty or wholly outside the
 * picture.
 */
int tf_landmarks_run(struct tf_landmarks *landmarks, const struct tf_frame *frame, const float box[4],
                     struct tf_point *points);

#endif
