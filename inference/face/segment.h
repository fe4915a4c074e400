/*
 * One segmentation network by itself: a class for every cell of a face's window.
 */
#ifndef TF_INFERENCE_FACE_SEGMENT_H
#define TF_INFERENCE_FACE_SEGMENT_H

#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"

#define TF_SEGMENT_CLASSES_MAX 32

struct tf_segmenter;

struct tf_segmenter_info {
    uint32_t width, height; /* cells of the class map */
    uint32_t classes;
    const char *names[TF_SEGMENT_CLASSES_MAX]; /* tf.classes; class 0 first */
};

/*
 * Opens a model of tf.task "segmentation" whose tf.decode is "argmax": one output [1, classes, height, width]
 * of logits, the classes named in tf.classes, separated by spaces. Errors: as tf_landmarks_open.
 */
int tf_segmenter_open(const char *path, int threads, const char *cpu, struct tf_segmenter **ret,
                      struct tf_error *err);
void tf_segmenter_close(struct tf_segmenter *segmenter);
const struct tf_segmenter_info *tf_segmenter_info(const struct tf_segmenter *segmenter);

/*
 * Classes of the window around the face whose tight box is x, y, w, h: labels[height][width]. Of equal logits
 * the first class wins. Allocates nothing. Errors: as tf_landmarks_run.
 */
int tf_segmenter_run(struct tf_segmenter *segmenter, const struct tf_frame *frame, const float box[4],
                     uint8_t *labels);
/* Where the centre of a cell lies in the picture, for the window of that box. */
void tf_segmenter_position(const struct tf_segmenter *segmenter, const float box[4], uint32_t column,
                           uint32_t row, float *x, float *y);

#endif
