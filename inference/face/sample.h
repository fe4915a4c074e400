/*
 * A network's input window, sampled from the frame: docs/models.md, "Input window".
 */
#ifndef TF_INFERENCE_FACE_SAMPLE_H
#define TF_INFERENCE_FACE_SAMPLE_H

#include <stdint.h>

#include "inference/face/view.h"

/* Sub-samples a side, at most, where one input pixel covers several picture pixels (docs/models.md). */
#define TF_SAMPLE_SUB_MAX 8

/* Marks an input pixel outside the picture: camera values are never negative. */
#define TF_SAMPLE_OUTSIDE (-1.0f)

struct tf_window {
    float cx, cy;         /* centre, upright picture pixels */
    float span_x, span_y; /* picture pixels that the input's width and height cover */
    float cos, sin;       /* of its angle: positive turns clockwise, as the picture's y points down */
};

/* Whether a box given from outside has a size and finite sides. */
bool tf_box_usable(const float box[4]);

/* The square of docs/models.md: `scale` times the longer side of the box (x, y, w, h), turned by `angle`
 * radians. */
struct tf_window tf_window_square(const float box[4], float scale, float angle);
/* The whole picture, fitted and centred in width x height input pixels. */
struct tf_window tf_window_letterbox(const struct tf_view *view, uint32_t width, uint32_t height);
/* Window coordinates (0,0 is the centre, ±0.5 the borders) to upright picture pixels. */
void tf_window_to_picture(const struct tf_window *window, float u, float v, float *x, float *y);

/* Memory for sampling, made once for an input of width x height. */
struct tf_sampler;
int tf_sampler_create(uint32_t width, uint32_t height, struct tf_sampler **ret);
void tf_sampler_destroy(struct tf_sampler *sampler);

/*
 * Fills values[height][width] with camera values or TF_SAMPLE_OUTSIDE. Returns how many are inside. A window
 * that is not turned goes through a separable path, whose sums differ from the general path's only in float
 * rounding.
 */
uint32_t tf_sample(struct tf_sampler *sampler, const struct tf_view *view, const struct tf_window *window,
                   float *values);

#endif
