/* Add, Sub, Mul, Div with broadcasting: u8 by kernel where both sides are quantised, f32 otherwise. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/ops.h"
#include "inference/engine/ops/walk.h"

struct binary_params {
    char op;
    struct tf_add_args add;
    struct tf_mul_args mul;
    struct tf_walk walk;
    uint8_t *spread; /* [parts][2][row]: a broadcast side of the innermost dimension, written out */
    size_t spread_bytes;
};

static int broadcast(const struct tf_tensor *a, const struct tf_tensor *b, int64_t *dims)
{
    int rank = TF_MAX(a->rank, b->rank);

    for (int d = 0; d < rank; d++) {
        int64_t x = d < rank - a->rank ? 1 : a->dims[d - (rank - a->rank)],
                y = d < rank - b->rank ? 1 : b->dims[d - (rank - b->rank)];
        if (x != y && x != 1 && y != 1)
            return -1;
        dims[d] = TF_MAX(x, y);
    }
    return rank;
}

static void broadcast_strides(const struct tf_tensor *t, int rank, int64_t *stride)
{
    for (int d = 0; d < rank; d++) {
        int own = d - (rank - t->rank);
        stride[d] = own >= 0 && t->dims[own] > 1 ? t->stride[own] : 0;
    }
}

static int prepare_binary(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    struct binary_params *p = step->params;
    const struct tf_tensor *out = &engine->tensors[step->out[0]];
    int64_t s[3][TF_TENSOR_RANK_MAX];
    const int64_t *strides[] = {s[0], s[1], s[2]};
    int last;

    broadcast_strides(&engine->tensors[step->in[0]], out->rank, s[0]);
    broadcast_strides(&engine->tensors[step->in[1]], out->rank, s[1]);
    memcpy(s[2], out->stride, sizeof(s[2]));
    tf_walk_plan(&p->walk, 3, out->rank, out->dims, strides);
    last = p->walk.rank - 1;
    if (out->type == TF_U8 && p->walk.dims[last] > 1 &&
        (!p->walk.stride[0][last] || !p->walk.stride[1][last])) {
        p->spread_bytes = (size_t)p->walk.dims[last];
        p->spread = tf_mem_alloc(&engine->mem, p->spread_bytes, 2 * (size_t)engine->parts_max);
        if (!p->spread)
            return tf_fail(err, -ENOMEM, "node \"%s\" (%s): out of memory", step->name, step->op);
    }
    return 0;
}

static void run_u8(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct binary_params *p = step->params;
    const uint8_t *base[2] = {engine->tensors[step->in[0]].data, engine->tensors[step->in[1]].data};
    uint8_t *out = engine->tensors[step->out[0]].data;
    size_t n = (size_t)p->walk.dims[p->walk.rank - 1];
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        const uint8_t *side[2];
        tf_walk_row(&p->walk, 3, row, at);
        for (int i = 0; i < 2; i++) {
            side[i] = base[i] + at[i];
            if (n > 1 && !p->walk.stride[i][p->walk.rank - 1]) {
                uint8_t *spread = p->spread + (size_t)(part * 2 + i) * p->spread_bytes;
                memset(spread, *side[i], n);
                side[i] = spread;
            }
        }
        if (p->op == 'M')
            step->kernel->mul(&p->mul, side[0], side[1], out + at[2], n);
        else
            step->kernel->add(&p->add, side[0], side[1], out + at[2], n);
    }
}

static void run_f32(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct binary_params *p = step->params;
    const float *a = (const float *)(const void *)engine->tensors[step->in[0]].data,
                *b = (const float *)(const void *)engine->tensors[step->in[1]].data;
    float *out = (float *)(void *)engine->tensors[step->out[0]].data;
    int last = p->walk.rank - 1;
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        tf_walk_row(&p->walk, 3, row, at);
        for (int64_t i = 0; i < p->walk.dims[last]; i++) {
            float x = a[at[0] + i * p->walk.stride[0][last]], y = b[at[1] + i * p->walk.stride[1][last]];
            out[at[2] + i] = p->op == 'A' ? x + y : p->op == 'S' ? x - y : p->op == 'M' ? x * y : x / y;
        }
    }
}

/* x op c or c op x with a single constant c: what fills a table. */
static float scalar_function(float x, const float *arguments)
{
    float c = arguments[1], a = arguments[2] != 0 ? c : x, b = arguments[2] != 0 ? x : c;

    switch ((int)arguments[0]) {
    case 'A':
        return a + b;
    case 'S':
        return a - b;
    case 'M':
        return a * b;
    default:
        return a / b;
    }
}

/* Whether a value is one constant number. */
static bool single(const struct tf_value *v, float *number)
{
    const struct tf_const *c = v->constant ? v->constant : v->q_data;

    if (!c || c->count != 1)
        return false;
    *number = v->constant ? (float)tf_const_number(c, 0)
                          : (float)(tf_const_int(c, 0) - (v->q_zero ? tf_const_int(v->q_zero, 0) : 0)) *
                                (float)tf_const_number(v->q_scale, 0);
    return true;
}

static int lower_scalar(struct tf_graph *graph, struct tf_node *node, int variable, float c, bool *ret,
                        struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    const struct tf_value *x = &graph->values[node->in[variable]];
    const float arguments[] = {(float)node->op[0], c, variable == 1 ? 1.0f : 0.0f};
    int in = tf_value_q(graph, node->in[variable], err), out, r;
    struct tf_output output;
    struct tf_tensor t;
    uint8_t table[256];

    *ret = false;
    if (in < 0 || graph->values[node->in[1 - variable]].rank > x->rank)
        return 0;
    r = tf_output_of(graph, node, true, &output, err);
    if (r < 0 || !output.quantised)
        return r;
    *ret = true;
    tf_fill_table(table, x->scale, x->zp, output.scale, output.q.zp, scalar_function, arguments);
    for (int i = 0; i < 256; i++)
        table[i] =
            (uint8_t)TF_MIN(TF_MAX(table[i], (int)output.q.lo + output.q.zp), (int)output.q.hi + output.q.zp);
    t = engine->tensors[in];
    out = tf_output_tensor(graph, node, &output, t.rank, t.dims, err);
    if (out < 0)
        return out;
    return tf_step_table(engine, node, output.op, in, out, table) < 0
               ? tf_node_fail(node, err, -ENOMEM, "out of memory")
               : 0;
}

bool tf_step_as_residual(const struct tf_engine *engine, const struct tf_step *step,
                         struct tf_conv_residual *ret)
{
    const struct binary_params *p = step->params;
    const struct tf_tensor *out;

    if (step->run != run_u8 || p->op == 'M')
        return false;
    out = &engine->tensors[step->out[0]];
    for (int i = 0; i < 2; i++) {
        const struct tf_tensor *in = &engine->tensors[step->in[i]];
        if (in->rank != 4 || out->rank != 4 || memcmp(in->dims, out->dims, 4 * sizeof(*in->dims)) != 0)
            return false;
    }
    *ret = (struct tf_conv_residual){.conv_zp = p->add.a_zp,
                                     .in_zp = p->add.b_zp,
                                     .conv_ratio = p->add.a_ratio,
                                     .in_ratio = p->add.b_ratio,
                                     .q = p->add.q};
    return true;
}

int tf_lower_binary(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    struct binary_params p = {.op = node->op[0]};
    int64_t dims[TF_TENSOR_RANK_MAX];
    struct tf_output output = {0};
    const struct tf_value *va, *vb;
    struct tf_step *step;
    int in[2], rank, out, r;
    bool u8, done;
    float c;

    if (node->inputs != 2 || node->in[0] < 0 || node->in[1] < 0)
        return tf_node_fail(node, err, -EINVAL, "it needs two inputs");
    va = &graph->values[node->in[0]];
    vb = &graph->values[node->in[1]];
    for (int i = 0; i < 2; i++)
        if (single(i ? va : vb, &c)) {
            r = lower_scalar(graph, node, i, c, &done, err);
            if (r < 0 || done)
                return r;
        }
    in[0] = tf_value_q(graph, node->in[0], err);
    in[1] = tf_value_q(graph, node->in[1], err);
    u8 = in[0] >= 0 && in[1] >= 0 && p.op != 'D';
    if (u8) {
        r = tf_output_of(graph, node, true, &output, err);
        if (r < 0)
            return r;
        u8 = output.quantised;
    }
    for (int i = 0; i < 2 && !u8; i++) {
        in[i] = tf_value_f(graph, node, node->in[i], err);
        if (in[i] < 0)
            return in[i];
    }
    rank = broadcast(&engine->tensors[in[0]], &engine->tensors[in[1]], dims);
    if (rank < 0)
        return tf_node_fail(node, err, -EINVAL, "its inputs do not fit each other");
    /* A side of lower rank lies in another order than channels-last. */
    for (int i = 0; i < 2; i++) {
        struct tf_tensor t = engine->tensors[in[i]];
        int64_t full[TF_TENSOR_RANK_MAX];
        int grown;

        if (rank != 4 || t.rank == rank)
            continue;
        for (int d = 0; d < rank; d++)
            full[d] = d < rank - t.rank ? 1 : t.dims[d - (rank - t.rank)];
        grown = tf_tensor_new(engine, t.name, t.type, rank, full, err);
        if (grown < 0)
            return grown;
        engine->tensors[grown].zp = t.zp;
        if (tf_step_copy(engine, node, "Reshape", in[i], grown) < 0)
            return tf_node_fail(node, err, -ENOMEM, "out of memory");
        in[i] = grown;
    }
    if (u8) {
        float ra = va->scale / output.scale, rb = vb->scale / output.scale;
        p.add = (struct tf_add_args){
            .a_zp = va->zp, .b_zp = vb->zp, .a_ratio = ra, .b_ratio = p.op == 'S' ? -rb : rb, .q = output.q};
        p.mul = (struct tf_mul_args){
            .a_zp = va->zp, .b_zp = vb->zp, .ratio = va->scale * vb->scale / output.scale, .q = output.q};
        if (!isfinite(ra) || !isfinite(rb) || !isfinite(p.mul.ratio))
            return tf_node_fail(node, err, -EINVAL, "its scales have no finite ratio");
        out = tf_output_tensor(graph, node, &output, rank, dims, err);
    } else {
        out = tf_tensor_new(engine, graph->values[node->out[0]].name, TF_F32, rank, dims, err);
        graph->values[node->out[0]].f = out;
        graph->values[node->out[0]].rank = rank;
        memcpy(graph->values[node->out[0]].dims, dims, sizeof(dims));
    }
    if (out < 0)
        return out;
    step = tf_step_new(engine, node, u8 ? output.op : node->op, 2, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in[0];
    step->in[1] = in[1];
    step->out[0] = out;
    step->prepare = prepare_binary;
    step->run = u8 ? run_u8 : run_f32;
    step->kernel = u8 ? tf_kernel_select(p.op == 'M' ? TF_KERNEL_MUL : TF_KERNEL_ADD, engine->level) : NULL;
    step->parallel = true;
    return 0;
}
