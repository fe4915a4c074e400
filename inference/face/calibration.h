/*
 * What a point's confidence means: from clues of a reading to the probability that the point lies within 10 %
 * of the eye distance (docs/landmarks.md, "Confidence"). Numbers come with the model (docs/models.md).
 */
#ifndef TF_INFERENCE_FACE_CALIBRATION_H
#define TF_INFERENCE_FACE_CALIBRATION_H

#include "inference/engine/engine.h"
#include "inference/face/face.h"

#define TF_SHAPE_MODES_MAX 16

/* What is known of each point of one reading beside its place. */
enum tf_clue {
    TF_CLUE_FIRM,   /* how far the map's peak stands over its mean, as the network's own logit */
    TF_CLUE_SPREAD, /* logarithm of the map's variance around the point, cells squared */
    TF_CLUE_SPLIT,  /* between map and coordinate */
    TF_CLUE_MIRROR, /* between both readings of a face that is read twice */
    TF_CLUE_SHAPE,  /* from the nearest usual face (a low-rank model of shapes) */
};
#define TF_CLUES 5

struct tf_clues {
    float of[TF_CLUES][TF_POINTS]; /* the last three: distances in the picture's pixels; in a fit, their
                                      logarithms in eye distances */
};

/* Of a clue's values, and their means over the face; then how unusual the face's shape is and how large the
 * face. */
#define TF_CALIBRATION_WEIGHTS (2 * TF_CLUES + 2)

struct tf_calibration_fit {
    float bias[TF_POINTS], weight[TF_CALIBRATION_WEIGHTS];
};

struct tf_calibration {
    bool known;
    uint32_t modes;
    float mean[2 * TF_POINTS]; /* x y x y …: centred, eye distance 1, eyes level */
    float deviation[TF_SHAPE_MODES_MAX];
    float mode[TF_SHAPE_MODES_MAX][2 * TF_POINTS]; /* orthonormal */
    struct tf_calibration_fit once, twice;         /* of faces read once, and twice */
};

/* Reads tf.confidence.shape, .once and .twice; a model without them has none. -EINVAL: they do not fit. */
int tf_calibration_read(const struct tf_engine *engine, const char *path, struct tf_calibration *ret,
                        struct tf_error *err);

/*
 * Makes clues comparable between faces, adds TF_CLUE_SHAPE, and fills `face` with the face's own: the clues'
 * means, the shape, the size. False: the points are no face's.
 */
bool tf_calibration_clues(const struct tf_calibration *calibration, const struct tf_point points[TF_POINTS],
                          struct tf_clues *clues, float face[TF_CLUES + 2]);

/* Each point's confidence. Clues and `face` are those of tf_calibration_clues. */
void tf_calibration_apply(const struct tf_calibration *calibration, bool twice, const struct tf_clues *clues,
                          const float face[TF_CLUES + 2], struct tf_point points[TF_POINTS]);

#endif
