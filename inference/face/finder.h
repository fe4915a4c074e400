/* The face finder: boxes of faces in a whole picture (docs/models.md, `center`). */
#ifndef TF_INFERENCE_FACE_FINDER_H
#define TF_INFERENCE_FACE_FINDER_H

#include <stdint.h>

#include "inference/face/network.h"

/* Candidates before thinning, and boxes after it. Beyond it the weakest are dropped. */
#define TF_FINDER_CANDIDATES 128
#define TF_FINDER_MAX 32
#define TF_FINDER_ANY 0xffff

/* How many parts of the values are looked at (tone.h) where something in the picture stands apart: the one
 * that last showed a face, one more in turn, or all until there is a face. */
enum tf_finder_care { TF_FINDER_ONE, TF_FINDER_ONE_MORE, TF_FINDER_ALL };

struct tf_found {
    float box[4]; /* x, y, w, h of the upright picture: the tight box of the 68 points */
    float score;  /* 0..1 */
};

struct tf_finder {
    struct tf_network net;
    float stride, threshold;
    size_t heat, box; /* output indices */
    uint32_t map_w, map_h;
    float score[256]; /* sigmoid of each heat value */
    float box_scale;
    int32_t box_zero;
    uint16_t kind; /* of the survey's part that last showed a face */
    uint32_t turn; /* which other part is next */
    float scene;   /* median of the last picture's values */
    struct tf_found candidates[TF_FINDER_CANDIDATES];
};

int tf_finder_open(const char *path, int threads, const char *cpu, struct tf_finder **ret,
                   struct tf_error *err);
void tf_finder_close(struct tf_finder *finder);
/*
 * Fills ret, best first; returns how many, at most TF_FINDER_MAX, or a negative errno.
 */
int tf_finder_run(struct tf_finder *finder, const struct tf_view *view,
                  const struct tf_radiometry *radiometry, enum tf_finder_care care,
                  struct tf_found ret[TF_FINDER_MAX]);
/* Forgets which part of the values last showed a face. */
void tf_finder_reset(struct tf_finder *finder);

/* Intersection over union of two boxes (x, y, w, h); 0 when either is empty. */
float tf_box_iou(const float a[4], const float b[4]);

#endif
