/* The face finder: boxes of faces in a whole picture (docs/models.md, `center`). */
#ifndef TF_INFERENCE_FACE_FINDER_H
#define TF_INFERENCE_FACE_FINDER_H

#include <stdint.h>

#include "inference/face/network.h"

/* Candidates before thinning, and boxes after it. Beyond it the weakest are dropped. */
#define TF_FINDER_CANDIDATES 128
#define TF_FINDER_MAX 32

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
    struct tf_found candidates[TF_FINDER_CANDIDATES];
};

int tf_finder_open(const char *path, int threads, const char *cpu, struct tf_finder **ret,
                   struct tf_error *err);
void tf_finder_close(struct tf_finder *finder);
/* Fills ret, best first; returns how many, at most TF_FINDER_MAX, or a negative errno. */
int tf_finder_run(struct tf_finder *finder, const struct tf_view *view,
                  const struct tf_radiometry *radiometry, struct tf_found ret[TF_FINDER_MAX]);

/* Intersection over union of two boxes (x, y, w, h); 0 when either is empty. */
float tf_box_iou(const float a[4], const float b[4]);

#endif
