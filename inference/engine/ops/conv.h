/* A convolution-like step: Conv, ConvTranspose, Gemm and MatMul all become units of it. Private to the
 * engine. */
#ifndef TF_INFERENCE_ENGINE_OPS_CONV_H
#define TF_INFERENCE_ENGINE_OPS_CONV_H

#include "inference/engine/kernels/pack.h"
#include "inference/engine/ops/ops.h"

/* One matrix product: a group of a convolution, or a group and phase of a transposed one. */
struct tf_conv_unit {
    struct tf_conv_args args;
    struct tf_conv_packed packed;
    const int32_t *residual_off;
    int m;
};

struct tf_conv_params {
    /* The node, as the file has it. */
    bool transposed, depthwise;
    int32_t kernel[2], stride[2], dilation[2], pad[4]; /* pad: top, left, bottom, right */
    int32_t group, ic, oc;                             /* channels in all */
    const struct tf_const *weights;
    int32_t *bias; /* [oc] at sx * sw */
    int8_t *w;     /* as in the file, signs of a folded BatchNormalization applied */
    float *scale;  /* [oc] sx * sw / sy, or sx * sw when the result is float */
    int32_t in_zp;
    bool f32;
    struct tf_requant q;
    /* What follows in the same registers: a residual Add (the other summand is the step's second input), or
     * only a change of scale (no second input, its ratio is 0). */
    bool joined;
    struct tf_conv_residual residual;
    /* Made by prepare. */
    struct tf_conv_unit *units;
    int unit_count;
    struct tf_dw_args dw;
    bool panels_outside; /* loop order: weights stay in cache, pixels stream */
};

/* Weights of a node: s8 numbers and one scale per output channel; out_axis is their dimension. Copies into
 * params. */
int tf_conv_weights(struct tf_graph *graph, const struct tf_node *node, int value, int out_axis, int64_t oc,
                    int8_t **w, float **scale, struct tf_error *err);
/* Bias at sx * sw; value may be -1. */
int tf_conv_bias(struct tf_graph *graph, const struct tf_node *node, int value, int64_t oc,
                 const float *acc_scale, float factor, int32_t **bias, struct tf_error *err);
/* Whether another step's arithmetic may still join this one: a convolution with a u8 result, nothing joined
 * yet. */
bool tf_conv_is_open(const struct tf_step *step);
void tf_conv_join(struct tf_step *step, const struct tf_conv_residual *residual, bool add);
void tf_conv_run(struct tf_engine *engine, const struct tf_step *step, int part, int parts);
/* Before packing: takes another kernel than that of tiles where these would mostly be empty. run: input bytes
 * of a pixel's window that lie in one piece. */
void tf_conv_choose(struct tf_step *step, int run, int channels, int64_t pixels);
/* Cuts a unit's work, sets what all units share. */
int tf_conv_finish(struct tf_engine *engine, struct tf_step *step, struct tf_conv_params *params);

#endif
