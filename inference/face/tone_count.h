/* Counting a window's values: between tone.c and survey.c. */
#ifndef TF_INFERENCE_FACE_TONE_COUNT_H
#define TF_INFERENCE_FACE_TONE_COUNT_H

#include "inference/face/tone.h"

/* So many values at a time: enough for the compiler to take several in one instruction. */
#define TF_TONE_BLOCK 32

/* Bins between the smallest and the largest value. */
void tf_tone_count(const float *values, size_t count, size_t inside, struct tf_tone_survey *survey);
/* Counts anew with `min` and `factor` as they stand; what lies beyond falls into the first and last bin. */
void tf_tone_fill(const float *values, size_t count, struct tf_tone_survey *survey);

/*
 * Which bin a value falls into. Monotone in v (subtraction, multiplication by a positive number, limiting and
 * truncation are), so that counting bins orders values exactly.
 */
static inline int tf_tone_bin(float v, float min, float factor)
{
    float at = (v - min) * factor;

    at = at > 0 ? at : 0;
    at = at < TF_TONE_BINS - 1 ? at : TF_TONE_BINS - 1;
    return (int)at;
}

#endif
