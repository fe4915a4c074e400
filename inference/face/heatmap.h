/*
 * A landmark network of any number of points: heat maps, coordinates or both to points of the picture
 * (docs/models.md, "Outputs").
 */
#ifndef TF_INFERENCE_FACE_HEATMAP_H
#define TF_INFERENCE_FACE_HEATMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/face/calibration.h"
#include "inference/face/evidence.h"
#include "inference/face/network.h"
#include "inference/face/landmarks.h"

#define TF_HEATMAP_SIDE_MAX 256

struct tf_landmarks {
    struct tf_network net;
    char order[32];
    uint32_t points;
    bool margin; /* confidence from the margin over the map's mean, else from the peak alone */
    float conf_a, conf_c;
    struct tf_evidence_weights evidence;
    float blend; /* share of the coordinates: 0 has only maps, 1 only coordinates */

    /* Coordinates: index of the output in the engine, its scale and zero point, and what its values are added
     * to. */
    size_t points_output;
    float points_scale;
    int32_t points_zero;
    float mean[2 * TF_LANDMARKS_MAX];

    /* Heat maps, likewise. */
    size_t output;
    float scale;
    int32_t zero;
    uint32_t map_w, map_h;
    uint32_t window; /* cells a side; 0 = the whole map */
    /* exp(beta * scale * -d) for d steps below the peak; a logit's distance is a whole number of steps. */
    float weight[256];
    bool mirror; /* read twice */
    /* Of the last reading: the mean of the maps' own confidences, by which faces are followed, whatever the
     * calibration makes of each point. */
    float firmness;
    struct tf_clues clues, clues_first;
    struct tf_calibration calibration;
    int told; /* below TF_CLUES: points have that clue in their confidences' place, for whoever fits anew */
    struct tf_point second[TF_POINTS];
    uint8_t peak[TF_LANDMARKS_MAX];
    uint32_t sum[TF_LANDMARKS_MAX];
};

/* Decodes the network's last run, whose window is given. */
void tf_landmarks_decode(struct tf_landmarks *landmarks, const struct tf_window *window,
                         struct tf_point *points);

/* Reads the last window's mirror image, of a network in ibug68 that keeps mirrored pictures. */
int tf_landmarks_run_mirrored(struct tf_landmarks *landmarks, const struct tf_window *window,
                              struct tf_point *points);

/* Samples, runs and decodes. */
int tf_landmarks_run_window(struct tf_landmarks *landmarks, const struct tf_view *view,
                            const struct tf_radiometry *radiometry, const struct tf_window *window,
                            struct tf_point *points);

#endif
