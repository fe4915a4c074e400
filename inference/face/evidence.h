/*
 * How far what was found can be a face, from how firmly its points are read: docs/landmarks.md, "Second
 * look".
 *
 * A face's points stay where they are when it is looked at otherwise; what a network makes of a door or of
 * grass does not. A logistic of a few such measures, fitted by training/evidence.py, stands in the landmark
 * model's tf.evidence (docs/models.md).
 */
#ifndef TF_INFERENCE_FACE_EVIDENCE_H
#define TF_INFERENCE_FACE_EVIDENCE_H

#include <stdbool.h>

#include "base/error.h"
#include "inference/engine/engine.h"
#include "inference/face/face.h"
#include "inference/face/view.h"

struct tf_landmarks;

enum tf_evidence_term {
    TF_EVIDENCE_MIRROR, /* ln of how far the points of the mirror image lie apart from them, a common shift
                           taken out; as a share of the face's size, as the next two */
    TF_EVIDENCE_TILT,   /* ln of how far they lie apart when the window is tilted by 17 degrees */
    TF_EVIDENCE_SHIFT,  /* ln of the same when it lies a tenth to the side */
    TF_EVIDENCE_WARMER, /* °C that the warmest tenth is warmer than what is around, from -1 to 2.5, less 2; 0
                           where the camera cannot tell, or its surroundings are as warm as skin */
    TF_EVIDENCE_FINDER, /* log odds of the finder's score */
};
#define TF_EVIDENCE_TERMS 5
/* "mirror", "tilt", …: the keys of tf.evidence. */
const char *tf_evidence_term_name(enum tf_evidence_term term);

struct tf_evidence {
    float term[TF_EVIDENCE_TERMS];
};

struct tf_evidence_weights {
    bool there; /* the model says nothing of it: nothing is doubted */
    float bias, weight[TF_EVIDENCE_TERMS];
};

/* tf.evidence, optional. -EINVAL, with file, key and value named. */
int tf_evidence_read_weights(const struct tf_engine *engine, const char *path,
                             struct tf_evidence_weights *ret, struct tf_error *err);

/*
 * Measures what was found: four readings of the landmark network, which keeps mirrored pictures. -EINVAL: no
 * pixel of the window lies in the picture.
 */
int tf_evidence_measure(struct tf_landmarks *landmarks, const struct tf_view *view,
                        const struct tf_radiometry *radiometry, const struct tf_point points[TF_POINTS],
                        float score, struct tf_evidence *ret);

/* Log odds that it is a face. */
float tf_evidence_odds(const struct tf_evidence_weights *weights, const struct tf_evidence *evidence);

#endif
