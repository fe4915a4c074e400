/* Activations: a table of 256 where the input is u8 and the output quantised, else f32. PRelu may have one
 * per channel. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/ops.h"
#include "inference/engine/ops/walk.h"

typedef float (*function)(float, const float *);

static float relu(float x, const float *a)
{
    return x > 0 ? x : 0;
}

static float leaky_relu(float x, const float *a)
{
    return x >= 0 ? x : x * a[0];
}

static float clip(float x, const float *a)
{
    x = x < a[0] ? a[0] : x;
    return x > a[1] ? a[1] : x;
}

static float sigmoid(float x, const float *a)
{
    return 1.0f / (1.0f + tf_exp(-x));
}

static float hard_sigmoid(float x, const float *a)
{
    const float limits[] = {0, 1};
    return clip(a[0] * x + a[1], limits);
}

static float hard_swish(float x, const float *a)
{
    const float limits[] = {0, 1};
    return x * clip(x * (1.0f / 6.0f) + 0.5f, limits);
}

static float hyperbolic_tangent(float x, const float *a)
{
    return 1.0f - 2.0f / (tf_exp(2.0f * x) + 1.0f);
}

struct unary_params {
    function f;
    float arguments[2];
    float *slopes; /* PRelu: one per channel */
    int64_t channels;
    uint8_t (*tables)[256];
    struct tf_walk walk;
};

static function function_of(struct tf_graph *graph, const struct tf_node *node, float arguments[2],
                            float **slopes, int64_t *channels, struct tf_error *err)
{
    *slopes = NULL;
    *channels = 0;
    if (strcmp(node->op, "Relu") == 0)
        return relu;
    if (strcmp(node->op, "Sigmoid") == 0)
        return sigmoid;
    if (strcmp(node->op, "Tanh") == 0)
        return hyperbolic_tangent;
    if (strcmp(node->op, "HardSwish") == 0)
        return hard_swish;
    if (strcmp(node->op, "LeakyRelu") == 0) {
        arguments[0] = tf_attr_float(node->proto, "alpha", 0.01f);
        return leaky_relu;
    }
    if (strcmp(node->op, "HardSigmoid") == 0) {
        arguments[0] = tf_attr_float(node->proto, "alpha", 0.2f);
        arguments[1] = tf_attr_float(node->proto, "beta", 0.5f);
        return hard_sigmoid;
    }
    if (strcmp(node->op, "Clip") == 0) {
        arguments[0] = tf_attr_float(node->proto, "min", -INFINITY);
        arguments[1] = tf_attr_float(node->proto, "max", INFINITY);
        for (int i = 1; i < node->inputs && i < 3; i++) {
            const struct tf_const *c = node->in[i] < 0 ? NULL : graph->values[node->in[i]].constant;
            if (node->in[i] >= 0 && (!c || c->count != 1))
                return (void)tf_node_fail(node, err, -ENOTSUP, "its bounds are not constants"), NULL;
            if (c)
                arguments[i - 1] = (float)tf_const_number(c, 0);
        }
        return clip;
    }
    /* PRelu */
    {
        const struct tf_value *v = node->inputs > 1 && node->in[1] >= 0 ? &graph->values[node->in[1]] : NULL;
        const struct tf_const *c = v ? (v->constant ? v->constant : v->q_data) : NULL;
        const struct tf_value *x = &graph->values[node->in[0]];
        int64_t c_dim = x->rank > 1 ? x->dims[1] : 1;

        if (!c || (v->q_data && v->q_scale->count != 1))
            return (void)tf_node_fail(node, err, -ENOTSUP, "its slope is not a constant of one scale"), NULL;
        if (c->count != 1 && ((int64_t)c->count != c_dim ||
                              (c->rank >= 1 && c->dims[TF_MAX(c->rank - (x->rank - 1), 0)] != c_dim)))
            return (void)tf_node_fail(node, err, -ENOTSUP,
                                      "its slope is neither one number nor one per channel"),
                   NULL;
        *channels = (int64_t)c->count;
        *slopes = tf_mem_alloc(&graph->engine->mem, c->count, sizeof(float));
        if (!*slopes)
            return (void)tf_node_fail(node, err, -ENOMEM, "out of memory"), NULL;
        for (size_t i = 0; i < c->count; i++) {
            double n = tf_const_number(c, i);
            if (!v->constant)
                n = (n - (v->q_zero ? tf_const_number(v->q_zero, 0) : 0)) * tf_const_number(v->q_scale, 0);
            (*slopes)[i] = (float)n;
        }
        arguments[0] = (*slopes)[0];
    }
    return leaky_relu;
}

static int prepare_unary(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    struct unary_params *p = step->params;
    const int64_t *strides[] = {in->stride, out->stride};

    tf_walk_plan(&p->walk, 2, in->rank, in->dims, strides);
    return 0;
}

static void run_f32(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct unary_params *p = step->params;
    const float *in = (const float *)(const void *)engine->tensors[step->in[0]].data;
    float *out = (float *)(void *)engine->tensors[step->out[0]].data;
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        tf_walk_row(&p->walk, 2, row, at);
        for (int64_t i = 0; i < p->walk.dims[p->walk.rank - 1]; i++)
            out[at[1] + i] = p->f(in[at[0] + i], p->arguments);
    }
}

/* One slope (f32) or one table (u8) per channel. */
static void run_channels(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct unary_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int64_t outer = in->dims[0], inner = 1;

    for (int d = 2; d < in->rank; d++)
        inner *= in->dims[d];
    for (int64_t n = 0; n < outer; n++)
        for (int64_t c = 0; c < in->dims[1]; c++)
            for (int64_t k = 0; k < inner; k++) {
                int64_t i = n * in->stride[0] + c * in->stride[1],
                        o = n * out->stride[0] + c * out->stride[1], rest = k;
                for (int d = in->rank - 1; d >= 2; d--) {
                    i += rest % in->dims[d] * in->stride[d];
                    o += rest % in->dims[d] * out->stride[d];
                    rest /= in->dims[d];
                }
                if (out->type == TF_U8)
                    out->data[o] = p->tables[c][in->data[i]];
                else
                    ((float *)(void *)out->data)[o] =
                        leaky_relu(((const float *)(const void *)in->data)[i], &p->slopes[c]);
            }
}

int tf_lower_unary(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    const struct tf_value *x;
    struct unary_params p = {0};
    struct tf_output output = {0};
    struct tf_step *step;
    struct tf_tensor t;
    int in, out, r;

    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    x = &graph->values[node->in[0]];
    in = tf_value_q(graph, node->in[0], err);
    p.f = function_of(graph, node, p.arguments, &p.slopes, &p.channels, err);
    if (!p.f)
        return -ENOTSUP;
    if (in >= 0) {
        r = tf_output_of(graph, node, true, &output, err);
        if (r < 0)
            return r;
    }
    if (output.quantised) {
        size_t tables = p.channels > 1 ? (size_t)p.channels : 1;

        t = engine->tensors[in];
        out = tf_output_tensor(graph, node, &output, t.rank, t.dims, err);
        if (out < 0)
            return out;
        p.tables = tf_mem_alloc(&engine->mem, tables, 256);
        if (!p.tables)
            return tf_node_fail(node, err, -ENOMEM, "out of memory");
        for (size_t c = 0; c < tables; c++) {
            tf_fill_table(p.tables[c], x->scale, x->zp, output.scale, output.q.zp, p.f,
                          p.slopes ? &p.slopes[c] : p.arguments);
            for (int i = 0; i < 256; i++)
                p.tables[c][i] = (uint8_t)TF_MIN(TF_MAX(p.tables[c][i], (int)output.q.lo + output.q.zp),
                                                 (int)output.q.hi + output.q.zp);
        }
        if (p.channels <= 1)
            return tf_step_table(engine, node, output.op, in, out, p.tables[0]) < 0
                       ? tf_node_fail(node, err, -ENOMEM, "out of memory")
                       : 0;
    } else {
        in = tf_value_f(graph, node, node->in[0], err);
        if (in < 0)
            return in;
        t = engine->tensors[in];
        out = tf_tensor_new(engine, graph->values[node->out[0]].name, TF_F32, t.rank, t.dims, err);
        if (out < 0)
            return out;
        graph->values[node->out[0]].f = out;
        graph->values[node->out[0]].rank = t.rank;
        memcpy(graph->values[node->out[0]].dims, t.dims, sizeof(t.dims));
    }
    step = tf_step_new(engine, node, output.quantised ? output.op : node->op, 1, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in;
    step->out[0] = out;
    step->prepare = prepare_unary;
    step->run = p.channels > 1 ? run_channels : run_f32;
    step->parallel = p.channels <= 1;
    return 0;
}
