/* Operators that move numbers without changing them: Concat, Split, Slice, Pad and Transpose, as boxes. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/move.h"
#include "inference/engine/ops/ops.h"

int tf_axis_of(struct tf_node *node, int64_t axis, int rank, int *ret, struct tf_error *err)
{
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return tf_node_fail(node, err, -EINVAL, "axis %lld of a tensor of %d dimensions", (long long)axis,
                            rank);
    *ret = (int)axis;
    return 0;
}

int tf_list_of(const struct tf_graph *graph, const struct tf_node *node, int input, const char *attribute,
               int64_t *list, int max)
{
    size_t n;

    if (input < node->inputs && node->in[input] >= 0) {
        const struct tf_const *c = graph->values[node->in[input]].constant;
        if (!c || c->count > (size_t)max)
            return -2;
        for (size_t i = 0; i < c->count; i++)
            list[i] = tf_const_int(c, i);
        return (int)c->count;
    }
    if (!tf_attr(node->proto, attribute))
        return -1;
    n = tf_attr_ints(node->proto, attribute, list, (size_t)max);
    return n > (size_t)max ? -2 : (int)n;
}

static int lower_concat(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    const struct tf_value *first;
    struct tf_output output = {.value = node->out[0]};
    bool u8 = true, equal = true;
    int64_t dims[TF_TENSOR_RANK_MAX], at = 0;
    struct tf_move *p;
    struct tf_step *step;
    int *in, rank, axis = 0, out, r;

    in = tf_mem_alloc(&graph->mem, (size_t)node->inputs + 1, sizeof(*in));
    if (!in)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "it has no input");
    for (int i = 0; i < node->inputs; i++) {
        in[i] = tf_value_q(graph, node->in[i], err);
        u8 = u8 && in[i] >= 0;
    }
    first = &graph->values[node->in[0]];
    for (int i = 0; i < node->inputs && u8; i++) {
        const struct tf_value *v = &graph->values[node->in[i]];
        equal = equal && v->scale == first->scale && v->zp == first->zp && v->s8 == first->s8;
    }
    if (u8) {
        r = tf_output_of(graph, node, false, &output, err);
        if (r < 0)
            return r;
        u8 = output.quantised || equal;
    }
    for (int i = 0; i < node->inputs && !u8; i++) {
        in[i] = tf_value_f(graph, node, node->in[i], err);
        if (in[i] < 0)
            return in[i];
    }
    rank = engine->tensors[in[0]].rank;
    memcpy(dims, engine->tensors[in[0]].dims, sizeof(dims));
    r = tf_axis_of(node, tf_attr_int(node->proto, "axis", 1), rank, &axis, err);
    if (r < 0)
        return r;
    dims[axis] = 0;
    for (int i = 0; i < node->inputs; i++) {
        const struct tf_tensor *t = &engine->tensors[in[i]];
        bool fits = t->rank == rank;
        for (int d = 0; d < rank && fits; d++)
            fits = d == axis || t->dims[d] == dims[d];
        if (!fits)
            return tf_node_fail(node, err, -EINVAL, "input %d does not fit input 0", i);
        dims[axis] += t->dims[axis];
    }
    if (output.quantised)
        out = tf_output_tensor(graph, node, &output, rank, dims, err);
    else if (u8)
        out = tf_moved_out(graph, node, node->in[0], node->out[0], rank, dims, err);
    else
        out = tf_output_tensor(graph, node, &(struct tf_output){.value = node->out[0]}, rank, dims, err);
    if (out < 0)
        return out;
    /* Inputs of another scale go through a table on their way. */
    for (int i = 0; i < node->inputs && output.quantised; i++) {
        const struct tf_value *v = &graph->values[node->in[i]];
        struct tf_tensor t = engine->tensors[in[i]];
        int same;

        if (v->scale == output.scale && v->zp == output.q.zp)
            continue;
        same = tf_tensor_new(engine, t.name, TF_U8, t.rank, t.dims, err);
        if (same < 0)
            return same;
        engine->tensors[same].zp = output.q.zp;
        if (tf_step_requantize(engine, node, "Requantize", in[i], same, v->scale, v->zp, output.scale,
                               output.q.zp) < 0)
            return tf_node_fail(node, err, -ENOMEM, "out of memory");
        in[i] = same;
    }
    step = tf_move_step(engine, node, node->op, node->inputs, 1, node->inputs);
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    p = step->params;
    for (int i = 0; i < node->inputs; i++) {
        step->in[i] = in[i];
        p->boxes[i].in = i;
        memcpy(p->boxes[i].dims, engine->tensors[in[i]].dims, sizeof(p->boxes[i].dims));
        p->boxes[i].to[axis] = at;
        at += engine->tensors[in[i]].dims[axis];
    }
    step->out[0] = out;
    step->concat = u8 && rank == 4 && axis == 1;
    return 0;
}

static int lower_split(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t sizes[64], sum = 0, dims[TF_TENSOR_RANK_MAX];
    int in = tf_moved_in(graph, node, node->in[0], err), axis = 0, n, r;
    int out[64];
    struct tf_move *p;
    struct tf_step *step;
    struct tf_tensor t;

    if (in < 0)
        return in;
    t = engine->tensors[in];
    r = tf_axis_of(node, tf_attr_int(node->proto, "axis", 0), t.rank, &axis, err);
    if (r < 0)
        return r;
    if (node->outputs > 64)
        return tf_node_fail(node, err, -E2BIG, "%d outputs; at most 64 are made", node->outputs);
    n = tf_list_of(graph, node, 1, "split", sizes, 64);
    if (n == -1) {
        int64_t part = (t.dims[axis] + node->outputs - 1) / node->outputs;
        for (n = 0; n < node->outputs; n++)
            sizes[n] = TF_MIN(part, t.dims[axis] - n * part);
    }
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 1 || sizes[i] > t.dims[axis])
            return tf_node_fail(node, err, -EINVAL, "part %d has %lld elements", i, (long long)sizes[i]);
        sum += sizes[i];
    }
    if (n != node->outputs || sum != t.dims[axis])
        return tf_node_fail(node, err, -EINVAL, "its parts do not make up the axis");
    memcpy(dims, t.dims, sizeof(dims));
    for (int i = 0; i < n; i++) {
        if (node->out[i] < 0)
            return tf_node_fail(node, err, -ENOTSUP, "output %d has no name", i);
        dims[axis] = sizes[i];
        out[i] = tf_moved_out(graph, node, node->in[0], node->out[i], t.rank, dims, err);
        if (out[i] < 0)
            return out[i];
    }
    step = tf_move_step(engine, node, node->op, 1, n, n);
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    p = step->params;
    step->in[0] = in;
    sum = 0;
    for (int i = 0; i < n; i++) {
        step->out[i] = out[i];
        p->boxes[i].out = i;
        memcpy(p->boxes[i].dims, engine->tensors[out[i]].dims, sizeof(p->boxes[i].dims));
        p->boxes[i].from[axis] = sum;
        sum += sizes[i];
    }
    return 0;
}

static int lower_slice(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t starts[TF_TENSOR_RANK_MAX], ends[TF_TENSOR_RANK_MAX], axes[TF_TENSOR_RANK_MAX],
        steps[TF_TENSOR_RANK_MAX] = {1, 1, 1, 1, 1, 1};
    int in = tf_moved_in(graph, node, node->in[0], err), out, n, m, k;
    struct tf_move *p;
    struct tf_step *step;
    struct tf_tensor t;
    struct tf_move_box box = {0};

    if (in < 0)
        return in;
    t = engine->tensors[in];
    n = tf_list_of(graph, node, 1, "starts", starts, t.rank);
    m = tf_list_of(graph, node, 2, "ends", ends, t.rank);
    k = tf_list_of(graph, node, 3, "axes", axes, t.rank);
    if (k == -1)
        for (k = 0; k < n; k++)
            axes[k] = k;
    if (n < 0 || m != n || k != n || tf_list_of(graph, node, 4, "steps", steps, t.rank) == -2)
        return tf_node_fail(node, err, -ENOTSUP,
                            "its starts, ends, axes and steps are not constants of one length");
    for (int d = 0; d < t.rank; d++) {
        box.dims[d] = t.dims[d];
        box.step[d] = 1;
        box.perm[d] = d;
    }
    for (int i = 0; i < n; i++) {
        int64_t size, s, e;
        int d = 0, r = tf_axis_of(node, axes[i], t.rank, &d, err);
        if (r < 0)
            return r;
        size = t.dims[d];
        if (steps[i] == 0 || steps[i] < -INT32_MAX || steps[i] > INT32_MAX)
            return tf_node_fail(node, err, -EINVAL, "step %lld", (long long)steps[i]);
        s = starts[i] < 0 ? TF_MAX(starts[i], -size - 1) + size : TF_MIN(starts[i], size);
        e = ends[i] < 0 ? TF_MAX(ends[i], -size - 1) + size : TF_MIN(ends[i], size);
        if (steps[i] > 0) {
            s = TF_MAX(s, 0);
            box.dims[d] = (TF_MAX(e, s) - s + steps[i] - 1) / steps[i];
        } else {
            s = TF_MIN(s, size - 1);
            e = TF_MAX(e, -1);
            box.dims[d] = s > e ? (s - e + -steps[i] - 1) / -steps[i] : 0;
        }
        box.from[d] = s;
        box.step[d] = steps[i];
    }
    for (int d = 0; d < t.rank; d++)
        if (box.dims[d] < 1)
            return tf_node_fail(node, err, -EINVAL, "dimension %d of its output is empty", d);
    out = tf_moved_out(graph, node, node->in[0], node->out[0], t.rank, box.dims, err);
    if (out < 0)
        return out;
    step = tf_move_step(engine, node, node->op, 1, 1, 1);
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    p = step->params;
    p->boxes[0] = box;
    step->in[0] = in;
    step->out[0] = out;
    return 0;
}

/* Boxes of one dimension of a mirrored or repeated border: the middle, then every border line by itself. */
static int pad_lines(const char *mode, int64_t size, int64_t before, int64_t after, int64_t (*lines)[3],
                     int max)
{
    int n = 0;

    lines[n][0] = 0;
    lines[n][1] = before;
    lines[n++][2] = size;
    if (before + after + 1 > max)
        return -1;
    for (int64_t i = 0; i < before + after; i++) {
        int64_t to = i < before ? i : size + i, from = to - before;
        if (*mode == 'e')
            from = TF_MIN(TF_MAX(from, 0), size - 1);
        else
            from = from < 0 ? -from : 2 * (size - 1) - from;
        if (from < 0 || from >= size)
            return -1;
        lines[n][0] = from;
        lines[n][1] = to;
        lines[n++][2] = 1;
    }
    return n;
}

static int lower_pad(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t pads[2 * TF_TENSOR_RANK_MAX], dims[TF_TENSOR_RANK_MAX], (*lines)[64][3], boxes = 1;
    const struct tf_value *x;
    float value = tf_attr_float(node->proto, "value", 0);
    int in = tf_moved_in(graph, node, node->in[0], err), out, n, counts[TF_TENSOR_RANK_MAX];
    struct tf_move *p;
    struct tf_step *step;
    struct tf_tensor t;
    uint32_t bits = 0;
    bool none = true;
    char mode[16];

    if (in < 0)
        return in;
    x = &graph->values[node->in[0]];
    t = engine->tensors[in];
    tf_attr_string(node->proto, "mode", "constant", mode, sizeof(mode));
    n = tf_list_of(graph, node, 1, "pads", pads, 2 * TF_TENSOR_RANK_MAX);
    if (n != 2 * t.rank || (node->inputs > 3 && node->in[3] >= 0))
        return tf_node_fail(node, err, -ENOTSUP, "its pads are not constants, two per dimension");
    if (node->inputs > 2 && node->in[2] >= 0) {
        const struct tf_const *c = graph->values[node->in[2]].constant;
        const struct tf_value *v = &graph->values[node->in[2]];
        if (!c && v->q_data && v->q_data->count == 1)
            value = (float)(tf_const_int(v->q_data, 0) - (v->q_zero ? tf_const_int(v->q_zero, 0) : 0)) *
                    (float)tf_const_number(v->q_scale, 0);
        else if (!c || c->count > 1)
            return tf_node_fail(node, err, -ENOTSUP, "its value is not a constant");
        else if (c->count)
            value = (float)tf_const_number(c, 0);
    }
    for (int d = 0; d < n; d++)
        none = none && !pads[d];
    if (none) {
        /* Exporters leave such ones before AveragePool. */
        tf_moved_tie(graph, node->in[0], node->out[0], in, t.rank, t.dims);
        return 0;
    }
    if (strcmp(mode, "constant") != 0 && strcmp(mode, "edge") != 0 && strcmp(mode, "reflect") != 0)
        return tf_node_fail(node, err, -ENOTSUP, "mode \"%s\" is not run", mode);
    if (t.type == TF_U8 && *mode == 'c') {
        /* The border stays u8 where its value is one of the input's steps, as 0 always is. */
        float q = rintf(value / x->scale) + (float)x->zp;
        if (!(q >= 0 && q <= 255) || (q - (float)x->zp) * x->scale != value) {
            in = x->integer ? -1 : tf_value_f(graph, node, node->in[0], err);
            if (in < 0)
                return tf_node_fail(node, err, -ENOTSUP, "its value %g does not fit the input's scale",
                                    (double)value);
            t = engine->tensors[in];
        } else {
            bits = (uint32_t)q;
        }
    }
    if (t.type == TF_F32)
        memcpy(&bits, &value, 4);
    lines = tf_mem_alloc(&graph->mem, TF_TENSOR_RANK_MAX, sizeof(*lines));
    if (!lines)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (int d = 0; d < t.rank; d++) {
        if (pads[d] < 0 || pads[d + t.rank] < 0 || pads[d] > 1 << 20 || pads[d + t.rank] > 1 << 20)
            return tf_node_fail(node, err, -ENOTSUP,
                                "pads of dimension %d: %lld and %lld; 0 and more are run", d,
                                (long long)pads[d], (long long)pads[d + t.rank]);
        dims[d] = t.dims[d] + pads[d] + pads[d + t.rank];
        if (*mode == 'c') {
            lines[d][0][0] = 0;
            lines[d][0][1] = pads[d];
            lines[d][0][2] = t.dims[d];
            counts[d] = 1;
        } else {
            counts[d] = pad_lines(mode, t.dims[d], pads[d], pads[d + t.rank], lines[d], 64);
        }
        if (counts[d] < 0 || (boxes *= counts[d]) > 4096)
            return tf_node_fail(node, err, -ENOTSUP, "mode \"%s\" with pads this large is not run", mode);
    }
    if (t.type == TF_U8)
        out = tf_moved_out(graph, node, node->in[0], node->out[0], t.rank, dims, err);
    else
        out = tf_output_tensor(graph, node, &(struct tf_output){.value = node->out[0]}, t.rank, dims, err);
    if (out < 0)
        return out;
    step = tf_move_step(engine, node, node->op, 1, 1, (int)boxes);
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    p = step->params;
    p->fill = *mode == 'c';
    p->fill_bits = bits;
    for (int b = 0; b < (int)boxes; b++) {
        int rest = b;
        for (int d = 0; d < t.rank; d++) {
            const int64_t *line = lines[d][rest % counts[d]];
            rest /= counts[d];
            p->boxes[b].from[d] = line[0];
            p->boxes[b].to[d] = line[1];
            p->boxes[b].dims[d] = line[2];
        }
    }
    step->in[0] = in;
    step->out[0] = out;
    return 0;
}

static int lower_transpose(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t perm[TF_TENSOR_RANK_MAX], dims[TF_TENSOR_RANK_MAX];
    int in = tf_moved_in(graph, node, node->in[0], err), out;
    struct tf_move *p;
    struct tf_step *step;
    struct tf_tensor t;
    unsigned seen = 0;

    if (in < 0)
        return in;
    t = engine->tensors[in];
    if (!tf_attr(node->proto, "perm"))
        for (int d = 0; d < t.rank; d++)
            perm[d] = t.rank - 1 - d;
    else if (tf_attr_ints(node->proto, "perm", perm, TF_TENSOR_RANK_MAX) != (size_t)t.rank)
        return tf_node_fail(node, err, -EINVAL, "perm does not name %d dimensions", t.rank);
    for (int d = 0; d < t.rank; d++) {
        if (perm[d] < 0 || perm[d] >= t.rank || (seen & 1u << perm[d]))
            return tf_node_fail(node, err, -EINVAL, "perm is not a permutation");
        seen |= 1u << perm[d];
        dims[d] = t.dims[perm[d]];
    }
    out = tf_moved_out(graph, node, node->in[0], node->out[0], t.rank, dims, err);
    if (out < 0)
        return out;
    step = tf_move_step(engine, node, node->op, 1, 1, 1);
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    p = step->params;
    for (int d = 0; d < t.rank; d++) {
        p->boxes[0].perm[d] = (int)perm[d];
        p->boxes[0].dims[d] = dims[d];
    }
    step->in[0] = in;
    step->out[0] = out;
    return 0;
}

int tf_lower_move(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    if (strcmp(node->op, "Concat") == 0)
        return lower_concat(graph, node, err);
    if (strcmp(node->op, "Split") == 0)
        return lower_split(graph, node, err);
    if (strcmp(node->op, "Slice") == 0)
        return lower_slice(graph, node, err);
    if (strcmp(node->op, "Pad") == 0)
        return lower_pad(graph, node, err);
    return lower_transpose(graph, node, err);
}
