/* Steps that planning puts in by itself, and what the operator families share. Private to the engine. */
#ifndef TF_INFERENCE_ENGINE_OPS_OPS_H
#define TF_INFERENCE_ENGINE_OPS_OPS_H

#include "inference/engine/kernels/kernels.h"
#include "inference/engine/plan.h"

/* f32 = (u8 - zp) * scale */
int tf_step_dequantize(struct tf_engine *engine, const struct tf_node *node, int in, int out, float scale,
                       int32_t zp);
/* u8 = rint(f32 / scale) + zp */
int tf_step_quantize(struct tf_engine *engine, const struct tf_node *node, int in, int out, float scale,
                     int32_t zp);
/* From one scale to another, through a table. */
int tf_step_requantize(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out,
                       float in_scale, int32_t in_zp, float scale, int32_t zp);
/* Through a table that is already there. */
int tf_step_table(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out,
                  const uint8_t table[256]);
/*
 * For fusion: a step that only changes the scale, as a ratio that gives its table bit for bit; an Add of
 * equal shapes, with its first summand in the convolution's place. False where the step is neither. Fills all
 * but the tables.
 */
bool tf_step_as_ratio(const struct tf_step *step, struct tf_conv_residual *ret);
bool tf_step_as_residual(const struct tf_engine *engine, const struct tf_step *step,
                         struct tf_conv_residual *ret);
/* The caller's floats (ONNX layout) into a tensor, and back. */
int tf_step_load(struct tf_engine *engine, int port, int tensor, float scale, int32_t zp);
int tf_step_store(struct tf_engine *engine, int port, int tensor, float scale, int32_t zp);
/*
 * An operator that only moves or picks numbers keeps the input's own scale: its result is u8 as the input was
 * (a QuantizeLinear behind it costs nothing, or a table where the scale differs), else f32. tf_moved_in gives
 * the tensor to read; tf_moved_out makes the one to write and ties it to the value.
 */
int tf_moved_in(struct tf_graph *graph, const struct tf_node *node, int value, struct tf_error *err);
int tf_moved_out(struct tf_graph *graph, const struct tf_node *node, int from, int to, int rank,
                 const int64_t *dims, struct tf_error *err);

/* The same numbers, laid out another way. */
int tf_step_copy(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out);

/* table[i] = the quantised function of the dequantised i. */
void tf_fill_table(uint8_t table[256], float in_scale, int32_t in_zp, float scale, int32_t zp,
                   float (*function)(float, const float *), const float *arguments);

/* e^x, the same bits on every machine (libm's differ between processors). */
float tf_exp(float x);

/* Part `part` of `parts` of n things. */
static inline void tf_share(int n, int part, int parts, int *from, int *to)
{
    *from = (int)((int64_t)n * part / parts);
    *to = (int)((int64_t)n * (part + 1) / parts);
}

#endif
