/* From sampled camera values to the network's 0..1 and its u8: docs/models.md, "Tone". */
#ifndef TF_INFERENCE_FACE_TONE_H
#define TF_INFERENCE_FACE_TONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

enum tf_tone_kind { TF_TONE_PERCENTILE, TF_TONE_CELSIUS };

struct tf_tone {
    enum tf_tone_kind kind;
    float lo, hi;     /* percent of the ranks, or °C */
    float min_span_c; /* percentile: the smallest span, °C; 0 = one count */
    float clahe; /* percentile: equalised afterwards (clahe.h) by the network that has the tone; 0 = not */
    float tiles;
};

/*
 * The values of rank `rank_a` and `rank_b` (ascending, from 0, a <= b) among the `inside` values of `values`
 * that are not TF_SAMPLE_OUTSIDE; exact. `scratch` holds `count` floats.
 */
void tf_tone_ranks(const float *values, size_t count, size_t inside, size_t rank_a, size_t rank_b,
                   float *scratch, float *a, float *b);

/*
 * Writes the quantised input: `rint(x / scale) + zero_point`. Pixels outside the picture get x = 0. Values in
 * `values` are left as they are; `scratch` holds `count` floats.
 */
void tf_tone_apply(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                   size_t count, size_t inside, float *scratch, float scale, int zero_point, uint8_t *out);

#endif
