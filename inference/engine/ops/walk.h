/* Walking tensors whose pixels may lie apart (halos, parts of a concatenation). Private to the engine. */
#ifndef TF_INFERENCE_ENGINE_OPS_WALK_H
#define TF_INFERENCE_ENGINE_OPS_WALK_H

#include "inference/engine/plan.h"

/*
 * Dimensions of one to three tensors of a common shape, outermost first, with neighbours joined where every
 * tensor is contiguous across them; the last one has stride 1 (or 0, for a broadcast one) in each.
 */
struct tf_walk {
    int rank;
    int64_t dims[TF_TENSOR_RANK_MAX];
    int64_t stride[3][TF_TENSOR_RANK_MAX];
    int64_t rows; /* product of all but the last */
};

/* The shape is `dims`; strides[i] are tensor i's by ONNX dimension, 0 where it is broadcast. */
void tf_walk_plan(struct tf_walk *walk, int tensors, int rank, const int64_t *dims,
                  const int64_t *const *strides);
/* Element offsets of row `row` in each tensor. */
static inline void tf_walk_row(const struct tf_walk *walk, int tensors, int64_t row, int64_t at[3])
{
    at[0] = at[1] = at[2] = 0;
    for (int i = walk->rank - 2; i >= 0; i--) {
        int64_t k = row % walk->dims[i];
        row /= walk->dims[i];
        for (int t = 0; t < tensors; t++)
            at[t] += k * walk->stride[t][i];
    }
}

/* A strided walk over n dimensions of elements of `size` bytes, 1 or 4. Strides in elements. */
void tf_copy_strided(uint8_t *out, const int64_t *out_stride, const uint8_t *in, const int64_t *in_stride,
                     const int64_t *dims, int rank, size_t size);

#endif
