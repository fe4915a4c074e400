/* Counting a window's values: between tone.c and survey.c. */
#ifndef TF_INFERENCE_FACE_TONE_COUNT_H
#define TF_INFERENCE_FACE_TONE_COUNT_H

#include "inference/face/tone.h"

/* Bins between the smallest and the largest value. */
void tf_tone_count(const float *values, size_t count, size_t inside, struct tf_tone_survey *survey);
/* Counts anew with `min` and `factor` as they stand; what lies beyond falls into the first and last bin. */
void tf_tone_fill(const float *values, size_t count, struct tf_tone_survey *survey);

#endif
