/* Flatten, Reshape, Squeeze and Unsqueeze: no step at all between layouts of one order. */
#include <errno.h>
#include <string.h>

#include "inference/engine/ops/move.h"
#include "inference/engine/ops/ops.h"

/* The shape that Reshape, Flatten, Squeeze or Unsqueeze gives. */
static int new_shape(struct tf_graph *graph, struct tf_node *node, const struct tf_tensor *t, int64_t *dims,
                     int *rank, struct tf_error *err)
{
    int64_t list[TF_TENSOR_RANK_MAX], known = 1;
    int n, axis = 0, r, open = -1;
    unsigned marked = 0;

    *rank = 0;
    if (strcmp(node->op, "Flatten") == 0) {
        int64_t a = tf_attr_int(node->proto, "axis", 1);
        a = a < 0 ? a + t->rank : a;
        if (a < 0 || a > t->rank)
            return tf_node_fail(node, err, -EINVAL, "its axis is out of range");
        dims[0] = dims[1] = 1;
        for (int d = 0; d < t->rank; d++)
            dims[d < a ? 0 : 1] *= t->dims[d];
        *rank = 2;
        return 0;
    }
    if (strcmp(node->op, "Reshape") == 0) {
        n = tf_list_of(graph, node, 1, "shape", list, TF_TENSOR_RANK_MAX);
        if (n < 0)
            return tf_node_fail(node, err, -ENOTSUP, "its shape is not a constant of at most %d dimensions",
                                TF_TENSOR_RANK_MAX);
        for (int d = 0; d < n; d++) {
            dims[d] = list[d] == 0 && d < t->rank && !tf_attr_int(node->proto, "allowzero", 0) ? t->dims[d]
                                                                                               : list[d];
            if (dims[d] == -1 && open < 0)
                open = d;
            else if (dims[d] < 1 || __builtin_mul_overflow(known, dims[d], &known))
                return tf_node_fail(node, err, -EINVAL, "dimension %d of its shape is %lld", d,
                                    (long long)dims[d]);
        }
        if (open >= 0)
            dims[open] = (int64_t)t->count / known;
        if (known * (open >= 0 ? dims[open] : 1) != (int64_t)t->count)
            return tf_node_fail(node, err, -EINVAL,
                                "its shape has another number of elements than its input");
        *rank = n;
        return 0;
    }
    n = tf_list_of(graph, node, 1, "axes", list, TF_TENSOR_RANK_MAX);
    if (n == -2 || (n < 0 && *node->op == 'U'))
        return tf_node_fail(node, err, -ENOTSUP, "its axes are not constants");
    if (*node->op == 'U' && t->rank + n > TF_TENSOR_RANK_MAX)
        return tf_node_fail(node, err, -E2BIG, "it would have %d dimensions", t->rank + n);
    for (int i = 0; i < n; i++) {
        r = tf_axis_of(node, list[i], *node->op == 'U' ? t->rank + n : t->rank, &axis, err);
        if (r < 0)
            return r;
        if (marked & 1u << axis || (*node->op == 'S' && t->dims[axis] != 1))
            return tf_node_fail(node, err, -EINVAL, "axis %d cannot be taken", axis);
        marked |= 1u << axis;
    }
    if (*node->op == 'U') {
        for (int d = 0, from = 0; d < t->rank + n; d++)
            dims[(*rank)++] = marked & 1u << d ? 1 : t->dims[from++];
    } else {
        for (int d = 0; d < t->rank; d++)
            if (n < 0 ? t->dims[d] != 1 : !(marked & 1u << d))
                dims[(*rank)++] = t->dims[d];
    }
    return 0;
}

static bool plain_order(int rank, const int64_t *dims)
{
    return rank != 4 || dims[1] == 1 || dims[2] * dims[3] == 1;
}

int tf_lower_reshape(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t dims[TF_TENSOR_RANK_MAX];
    int in, out, rank, r;
    struct tf_tensor t;

    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    in = tf_moved_in(graph, node, node->in[0], err);
    if (in < 0)
        return in;
    t = engine->tensors[in];
    r = new_shape(graph, node, &t, dims, &rank, err);
    if (r < 0)
        return r;
    out = tf_moved_out(graph, node, node->in[0], node->out[0], rank, dims, err);
    if (out < 0)
        return out;
    if (plain_order(t.rank, t.dims) && plain_order(rank, dims) && !t.constant) {
        engine->tensors[out].parent = in;
        engine->tensors[out].shares = true;
        engine->tensors[out].dense = engine->tensors[in].dense = true;
        return 0;
    }
    return tf_step_copy(engine, node, node->op, in, out) < 0
               ? tf_node_fail(node, err, -ENOMEM, "out of memory")
               : 0;
}
