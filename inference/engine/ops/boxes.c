/* The step of all operators that move numbers: boxes copied from one place to another. */
#include <errno.h>
#include <string.h>

#include "inference/engine/ops/move.h"
#include "inference/engine/ops/ops.h"
#include "inference/engine/ops/walk.h"

static void run_box(const struct tf_engine *engine, const struct tf_step *step, const struct tf_move_box *box)
{
    const struct tf_tensor *in = &engine->tensors[step->in[box->in]],
                           *out = &engine->tensors[step->out[box->out]];
    int64_t is[TF_TENSOR_RANK_MAX], os[TF_TENSOR_RANK_MAX], size = in->type == TF_F32 ? 4 : 1, i = 0, o = 0;

    for (int d = 0; d < out->rank; d++) {
        is[d] = in->stride[box->perm[d]] * box->step[d];
        os[d] = out->stride[d];
        i += box->from[d] * in->stride[box->perm[d]];
        o += box->to[d] * out->stride[d];
    }
    tf_copy_strided(out->data + o * size, os, in->data + i * size, is, box->dims, out->rank, (size_t)size);
}

/* Same numbers, other shape; one side at least is plain. */
static void run_reshape(const struct tf_engine *engine, const struct tf_step *step)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    const struct tf_tensor *shape = out->rank == 4 ? out : in;
    int64_t plain[TF_TENSOR_RANK_MAX], s = 1;

    for (int i = shape->rank - 1; i >= 0; i--) {
        plain[i] = s;
        s *= shape->dims[i];
    }
    tf_copy_strided(out->data, shape == out ? out->stride : plain, in->data,
                    shape == out ? plain : in->stride, shape->dims, shape->rank, in->type == TF_F32 ? 4 : 1);
}

static void run_move(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct tf_move *p = step->params;

    if (p->fill) {
        const struct tf_tensor *out = &engine->tensors[step->out[0]];
        static const int64_t none[TF_TENSOR_RANK_MAX];
        tf_copy_strided(out->data, out->stride, (const uint8_t *)&p->fill_bits, none, out->dims, out->rank,
                        out->type == TF_F32 ? 4 : 1);
    }
    for (int i = 0; i < p->count; i++) {
        if (p->boxes[i].skip)
            continue;
        if (p->boxes[i].plain)
            run_reshape(engine, step);
        else
            run_box(engine, step, &p->boxes[i]);
    }
}

int tf_moved_in(struct tf_graph *graph, const struct tf_node *node, int index, struct tf_error *err)
{
    const struct tf_value *value = index < 0 ? NULL : &graph->values[index];
    int t;

    if (!value)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    if (value->q >= 0)
        return value->q;
    t = tf_value_q(graph, index, err);
    return t >= 0 ? t : tf_value_f(graph, node, index, err);
}

void tf_moved_tie(struct tf_graph *graph, int from, int to, int tensor, int rank, const int64_t *dims)
{
    const struct tf_value *in = &graph->values[from];
    struct tf_value *out = &graph->values[to];

    if (graph->engine->tensors[tensor].type == TF_U8) {
        out->q = tensor;
        out->scale = in->scale;
        out->zp = in->zp;
        out->s8 = in->s8;
        out->integer = in->integer;
    } else {
        out->f = tensor;
    }
    out->rank = rank;
    memcpy(out->dims, dims, (size_t)rank * sizeof(*dims));
}

int tf_moved_out(struct tf_graph *graph, const struct tf_node *node, int from, int to, int rank,
                 const int64_t *dims, struct tf_error *err)
{
    bool u8 = graph->values[from].q >= 0;
    int t = tf_tensor_new(graph->engine, graph->values[to].name, u8 ? TF_U8 : TF_F32, rank, dims, err);

    if (t < 0) {
        tf_error_prefix(err, "node \"%s\" (%s)", node->name, node->op);
        return t;
    }
    graph->engine->tensors[t].zp = u8 ? graph->values[from].zp : 0;
    tf_moved_tie(graph, from, to, t, rank, dims);
    return t;
}

struct tf_step *tf_move_step(struct tf_engine *engine, const struct tf_node *node, const char *op, int inputs,
                             int outputs, int boxes)
{
    struct tf_step *step = tf_step_new(engine, node, op, inputs, outputs, sizeof(struct tf_move));
    struct tf_move *p;

    if (!step)
        return NULL;
    p = step->params;
    p->boxes = tf_mem_alloc(&engine->mem, (size_t)boxes + 1, sizeof(*p->boxes));
    p->count = boxes;
    step->run = run_move;
    for (int i = 0; i < boxes && p->boxes; i++)
        for (int d = 0; d < TF_TENSOR_RANK_MAX; d++) {
            p->boxes[i].step[d] = 1;
            p->boxes[i].perm[d] = d;
        }
    return p->boxes ? step : NULL;
}

static bool same_shape(const struct tf_tensor *a, const struct tf_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(*a->dims)) == 0;
}

int tf_step_copy(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out)
{
    struct tf_tensor a = engine->tensors[in], b = engine->tensors[out];
    struct tf_step *step;
    struct tf_move *p;

    /* Two channels-last shapes meet in a plain one between them. */
    if (a.rank == 4 && b.rank == 4 && !same_shape(&a, &b)) {
        int64_t count = (int64_t)a.count;
        int plain = tf_tensor_new(engine, a.name, a.type, 1, &count, NULL), r;
        if (plain < 0)
            return plain;
        engine->tensors[plain].zp = a.zp;
        r = tf_step_copy(engine, node, op, in, plain);
        return r ? r : tf_step_copy(engine, node, op, plain, out);
    }
    step = tf_move_step(engine, node, op, 1, 1, 1);
    if (!step)
        return -ENOMEM;
    p = step->params;
    p->boxes[0].plain = !same_shape(&a, &b);
    memcpy(p->boxes[0].dims, b.dims, sizeof(b.dims));
    step->in[0] = in;
    step->out[0] = out;
    return 0;
}

bool tf_concat_place(struct tf_engine *engine, struct tf_step *step, int input)
{
    struct tf_move *p = step->params;

    if (!step->concat)
        return false;
    p->boxes[input].skip = true;
    return true;
}

int64_t tf_concat_channel(const struct tf_step *step, int input)
{
    const struct tf_move *p = step->params;
    return p->boxes[input].to[1];
}
