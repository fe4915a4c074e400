/*
 * The one-euro filter over a face's points: G. Casiez, N. Roussel, D. Vogel, "1€ Filter: A Simple Speed-based
 * Low-pass Filter for Noisy Input in Interactive Systems", CHI 2012. Speeds are measured in face sizes, so
 * that one setting serves every distance and resolution.
 */
#ifndef TF_INFERENCE_FACE_FILTER_H
#define TF_INFERENCE_FACE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/face/face.h"

#define TF_FILTER_MIN_CUTOFF 0.5f /* Hz; docs/landmarks.md has the measurements behind the defaults */
#define TF_FILTER_BETA 30.0f      /* Hz of cutoff per face size a second */

struct tf_filter {
    bool set;
    uint64_t t_ns;
    float raw[TF_POINTS][2], value[TF_POINTS][2];
    float speed[TF_POINTS][2]; /* low-passed, picture pixels a second */
    float common[2];           /* the whole face's: the mean over the points, low-passed less */
};

/*
 * One step at capture time t_ns; `size` is the face's size in pixels (the longer side of its box). The first
 * step, one after more than a second, and one that goes back in time begin anew. `in` and `out` may be the
 * same.
 */
void tf_filter_step(struct tf_filter *filter, float min_cutoff, float beta, uint64_t t_ns, float size,
                    const struct tf_point in[TF_POINTS], struct tf_point out[TF_POINTS]);

#endif
