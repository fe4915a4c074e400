/* Operators that move numbers, and what layout.c asks of a Concat step. Private to the engine. */
#ifndef TF_INFERENCE_ENGINE_OPS_MOVE_H
#define TF_INFERENCE_ENGINE_OPS_MOVE_H

#include "inference/engine/plan.h"

/* A box: `dims` numbers go from `from` (step by step) of one tensor to `to` of another; perm names the
 * input's dimension of every output dimension. */
struct tf_move_box {
    int in, out; /* index into the step's tensors */
    int64_t dims[TF_TENSOR_RANK_MAX], from[TF_TENSOR_RANK_MAX], step[TF_TENSOR_RANK_MAX],
        to[TF_TENSOR_RANK_MAX];
    int perm[TF_TENSOR_RANK_MAX];
    bool plain; /* the numbers in ONNX order, shapes differ */
    bool skip;  /* already in place */
};

struct tf_move {
    struct tf_move_box *boxes;
    int count;
    bool fill; /* Pad: the whole output first */
    uint32_t fill_bits;
};

/* A step of so many boxes, in place and in steps of 1; NULL: out of memory. */
struct tf_step *tf_move_step(struct tf_engine *engine, const struct tf_node *node, const char *op, int inputs,
                             int outputs, int boxes);

/* Ties value `to` to a tensor that holds it as value `from` is held: its quantised one as well where `from`
 * has one. */
void tf_moved_tie(struct tf_graph *graph, int from, int to, int tensor, int rank, const int64_t *dims);

/* An axis of a tensor of `rank` dimensions; below 0 it counts from the last. */
int tf_axis_of(struct tf_node *node, int64_t axis, int rank, int *ret, struct tf_error *err);
/* A list from an input (where the operator set has it there) or an attribute. -1: neither; -2: not constant.
 */
int tf_list_of(const struct tf_graph *graph, const struct tf_node *node, int input, const char *attribute,
               int64_t *list, int max);

/* Tells a Concat that input `input` is written in its place already. False where it cannot be. */
bool tf_concat_place(struct tf_engine *engine, struct tf_step *step, int input);
int64_t tf_concat_channel(const struct tf_step *step, int input);

#endif
