/* Walking tensors whose pixels may lie apart. */
#include <string.h>

#include "inference/engine/ops/walk.h"

void tf_walk_plan(struct tf_walk *walk, int tensors, int rank, const int64_t *dims,
                  const int64_t *const *strides)
{
    int order[TF_TENSOR_RANK_MAX], n = 0;

    /* Channels-last: dimension 1 of four is the innermost. Dimensions of 1 vanish. */
    for (int i = 0; i < rank; i++)
        if (!(rank == 4 && i == 1) && dims[i] > 1)
            order[n++] = i;
    if (rank == 4 && dims[1] > 1)
        order[n++] = 1;
    *walk = (struct tf_walk){.rank = 0, .rows = 1};
    for (int i = 0; i < n; i++) {
        int64_t d = dims[order[i]];
        bool joins = walk->rank > 0;

        for (int t = 0; t < tensors && joins; t++)
            joins = walk->stride[t][walk->rank - 1] == strides[t][order[i]] * d;
        if (joins) {
            walk->dims[walk->rank - 1] *= d;
        } else {
            walk->dims[walk->rank++] = d;
        }
        for (int t = 0; t < tensors; t++)
            walk->stride[t][walk->rank - 1] = strides[t][order[i]];
    }
    if (walk->rank)
        for (int t = 0; t < tensors; t++)
            if (walk->stride[t][walk->rank - 1] > 1 && walk->rank < TF_TENSOR_RANK_MAX) {
                /* The innermost dimension is not contiguous everywhere: rows of one element. */
                walk->dims[walk->rank] = 1;
                for (int k = 0; k < tensors; k++)
                    walk->stride[k][walk->rank] = 1;
                walk->rank++;
                break;
            }
    if (!walk->rank) {
        walk->rank = 1;
        walk->dims[0] = 1;
        for (int t = 0; t < tensors; t++)
            walk->stride[t][0] = 1;
    }
    for (int i = 0; i + 1 < walk->rank; i++)
        walk->rows *= walk->dims[i];
}
