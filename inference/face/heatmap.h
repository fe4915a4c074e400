/*
 * A landmark network of any number of points: heat maps or coordinates to points of the picture
 * (docs/models.md, "Outputs").
 */
#ifndef TF_INFERENCE_FACE_HEATMAP_H
#define TF_INFERENCE_FACE_HEATMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/face/network.h"
#include "inference/landmarks.h"

#define TF_HEATMAP_SIDE_MAX 256

struct tf_landmarks {
    struct tf_network net;
    char order[32];
    uint32_t points;
    bool heatmap;    /* else coordinates */
    uint32_t window; /* cells a side; 0 = the whole map */
    bool margin;     /* confidence from the margin over the map's mean, else from the peak alone */
    float conf_a, conf_c;
    size_t output; /* its index in the engine */
    float scale;   /* of the output */
    int32_t zero;
    uint32_t map_w, map_h;
    /* exp(beta * scale * -d) for d steps below the peak; a logit's distance is a whole number of steps. */
    float weight[256];
    uint8_t peak[TF_LANDMARKS_MAX];
    uint32_t sum[TF_LANDMARKS_MAX];
};

/* Decodes the network's last run, whose window is given. */
void tf_landmarks_decode(struct tf_landmarks *landmarks, const struct tf_window *window,
                         struct tf_point *points);

/* Samples, runs and decodes. */
int tf_landmarks_run_window(struct tf_landmarks *landmarks, const struct tf_view *view,
                            const struct tf_radiometry *radiometry, const struct tf_window *window,
                            struct tf_point *points);

#endif
