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

/* Neighbouring dimensions that are one walk in both places become one. The new rank. */
static int merge(const int64_t *dims, const int64_t *const strides[2], int rank, int64_t to_dims[],
                 int64_t to_strides[2][TF_TENSOR_RANK_MAX])
{
    int n = 0;

    for (int i = 0; i < rank; i++) {
        const bool joins = n > 0 && to_strides[0][n - 1] == strides[0][i] * dims[i] &&
                           to_strides[1][n - 1] == strides[1][i] * dims[i];

        to_dims[joins ? n - 1 : n] = joins ? to_dims[n - 1] * dims[i] : dims[i];
        n += joins ? 0 : 1;
        to_strides[0][n - 1] = strides[0][i];
        to_strides[1][n - 1] = strides[1][i];
    }
    return n;
}

void tf_copy_strided(uint8_t *out, const int64_t *all_out_stride, const uint8_t *in,
                     const int64_t *all_in_stride, const int64_t *all_dims, int all, size_t size)
{
    int64_t dims[TF_TENSOR_RANK_MAX], strides[2][TF_TENSOR_RANK_MAX];
    const int rank =
        merge(all_dims, (const int64_t *const[]){all_out_stride, all_in_stride}, all, dims, strides);
    const int64_t *const out_stride = strides[0], *const in_stride = strides[1];
    /* The innermost loop runs along the dimension of the smallest output stride, so that bytes go out in
     * order. */
    int64_t count = 1, at[TF_TENSOR_RANK_MAX] = {0}, n, is, os;
    int inner = rank - 1;

    for (int i = 0; i < rank; i++) {
        count *= dims[i];
        if (dims[i] > 1 && (dims[inner] == 1 || out_stride[i] < out_stride[inner]))
            inner = i;
    }
    n = rank ? dims[inner] : 1;
    is = rank ? in_stride[inner] : 1;
    os = rank ? out_stride[inner] : 1;
    if (count < 1)
        return;
    for (int64_t row = 0; row < count / n; row++) {
        int64_t i = 0, o = 0;
        for (int d = 0; d < rank; d++) {
            i += at[d] * in_stride[d];
            o += at[d] * out_stride[d];
        }
        if (is == 1 && os == 1)
            memcpy(out + o * (int64_t)size, in + i * (int64_t)size, (size_t)n * size);
        else if (size == 1 && is == 0 && os == 1)
            memset(out + o, in[i], (size_t)n);
        else if (size == 1)
            for (int64_t k = 0; k < n; k++)
                out[o + k * os] = in[i + k * is];
        else
            for (int64_t k = 0; k < n; k++)
                memcpy(out + (o + k * os) * 4, in + (i + k * is) * 4, 4);
        for (int d = rank - 1; d >= 0; d--) {
            if (d == inner)
                continue;
            if (++at[d] < dims[d])
                break;
            at[d] = 0;
        }
    }
}
