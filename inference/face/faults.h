/*
 * Dead pixels of a detector, learnt from its frames: those that stand out of all their neighbours, frame
 * after frame. Optics spread every point of the scene over more than a pixel, so that nothing in it looks
 * like that for long at one place.
 */
#ifndef TF_INFERENCE_FACE_FAULTS_H
#define TF_INFERENCE_FACE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"

/* So many are known at most; a detector with more is not one to measure with. */
#define TF_FAULTS_MAX 512
/* Pixels looked at in a frame, in rows that take turns: 160x120 whole, 640x512 in five frames. */
#define TF_FAULTS_BUDGET 65536u
/* A pixel stands out when it lies beyond all its neighbours by more than so many times the neighbours' own
 * span, and by at least so much: a kelvin, or without a scale so many times the mean step between pixels. */
#define TF_FAULTS_SPANS 4u
#define TF_FAULTS_KELVIN 1.0f
#define TF_FAULTS_STEPS 8u
/* It is dead once it was seen so that often more than not, a look that finds it weighing GAIN times one that
 * does not; it stays so until as many looks have found nothing, at most LEVEL_MAX. */
#define TF_FAULTS_GAIN 3
#define TF_FAULTS_LEVEL_DEAD 18
#define TF_FAULTS_LEVEL_MAX 60

struct tf_fault {
    uint32_t place; /* y << 16 | x, native pixels */
    uint8_t level;
    bool dead;
};

struct tf_faults {
    uint16_t width, height; /* native, of the frames that it learnt from */
    uint32_t next_row;      /* whose turn it is */
    uint32_t count, dead;   /* entries; how many of them are dead */
    uint64_t steps;         /* mean step between neighbouring pixels of the last rows, 1/256 counts */
    struct tf_fault entries[TF_FAULTS_MAX], fresh[TF_FAULTS_MAX]; /* by place */
};

/* Forgets everything. */
void tf_faults_reset(struct tf_faults *faults);
/* The next rows of a frame of 16-bit values; any other is left alone. Allocates nothing. */
void tf_faults_learn(struct tf_faults *faults, const struct tf_frame *frame);
/* The dead pixels in the frame's upright picture, y << 16 | x, in native order; returns how many. None where
 * the frame is of another size. */
uint32_t tf_faults_upright(const struct tf_faults *faults, const struct tf_frame *frame,
                           uint32_t ret[TF_FAULTS_MAX]);

#endif
