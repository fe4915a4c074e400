/* From nodes to steps: each operator to its family; the engine's inputs and outputs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/ops/ops.h"
#include "inference/engine/plan.h"

static int lower_dequantize(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_value *to = &graph->values[node->out[0]], *from;
    int r;

    if (node->inputs < 2 || node->in[0] < 0 || node->in[1] < 0)
        return tf_node_fail(node, err, -EINVAL, "an input is missing");
    from = &graph->values[node->in[0]];
    if (from->constant) {
        const struct tf_const *z = node->inputs > 2 && node->in[2] >= 0 ? graph->values[node->in[2]].constant
                                                                        : NULL,
                              *s = graph->values[node->in[1]].constant;
        int64_t axis = tf_attr_int(node->proto, "axis", 1);

        if (from->constant->type != TF_C_U8 && from->constant->type != TF_C_S8 &&
            from->constant->type != TF_C_S32)
            return tf_node_fail(node, err, -ENOTSUP, "element type %d is not dequantised",
                                (int)from->constant->type);
        if (!s || s->count < 1 || (z && z->count != s->count) || (node->inputs > 2 && node->in[2] >= 0 && !z))
            return tf_node_fail(node, err, -EINVAL, "scale and zero point are not constants of one length");
        axis = axis < 0 ? axis + from->rank : axis;
        if (s->count > 1 && (axis < 0 || axis >= from->rank || from->dims[axis] != (int64_t)s->count))
            return tf_node_fail(node, err, -EINVAL, "%zu scales do not fit its axis", s->count);
        for (size_t i = 0; i < s->count; i++)
            if (!isfinite(tf_const_number(s, i)) || tf_const_number(s, i) < 0)
                return tf_node_fail(node, err, -EINVAL, "scale %zu is %g", i, tf_const_number(s, i));
        to->q_data = from->constant;
        to->q_scale = s;
        to->q_zero = z;
        to->q_axis = s->count > 1 ? axis : 0;
    } else {
        float scale;
        int32_t zp;
        bool s8;

        if (from->q < 0 || !from->integer)
            return tf_node_fail(node, err, -EINVAL, "its input \"%s\" is not quantised", from->name);
        r = tf_quant_params(graph, node, &scale, &zp, &s8, err);
        if (r < 0)
            return r;
        if (scale != from->scale || zp != from->zp || s8 != from->s8)
            return tf_node_fail(node, err, -ENOTSUP,
                                "it reads \"%s\" with another scale or zero point than it was written with",
                                from->name);
        to->q = from->q;
        to->scale = scale;
        to->zp = zp;
        to->s8 = s8;
    }
    to->rank = from->rank;
    memcpy(to->dims, from->dims, sizeof(to->dims));
    return 0;
}

/* A QuantizeLinear that no step took along: of an f32 tensor, or from one scale to another. */
static int lower_quantize(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_value *to = &graph->values[node->out[0]], *from;
    float scale;
    int32_t zp;
    bool s8;
    int r, t, in;

    if (node->inputs < 2 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "an input is missing");
    from = &graph->values[node->in[0]];
    r = tf_quant_params(graph, node, &scale, &zp, &s8, err);
    if (r < 0)
        return r;
    if (from->q >= 0 && !from->integer && from->scale == scale && from->zp == zp && from->s8 == s8) {
        tf_value_tie(to, from->q, scale, zp, s8, from->rank, from->dims);
        return 0;
    }
    in = from->q >= 0 && !from->integer ? from->q : tf_value_f(graph, node, node->in[0], err);
    if (in < 0)
        return in;
    from = &graph->values[node->in[0]];
    t = tf_tensor_new(graph->engine, to->name, TF_U8, graph->engine->tensors[in].rank,
                      graph->engine->tensors[in].dims, err);
    if (t < 0)
        return t;
    graph->engine->tensors[t].zp = zp;
    if (graph->engine->tensors[in].type == TF_U8)
        r = tf_step_requantize(graph->engine, node, "QuantizeLinear", in, t, from->scale, from->zp, scale,
                               zp);
    else
        r = tf_step_quantize(graph->engine, node, in, t, scale, zp);
    if (r < 0)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    tf_value_tie(to, t, scale, zp, s8, graph->engine->tensors[in].rank, graph->engine->tensors[in].dims);
    return 0;
}

static const struct {
    const char *op;
    int (*lower)(struct tf_graph *, struct tf_node *, struct tf_error *);
} families[] = {
    {"QuantizeLinear", lower_quantize},
    {"DequantizeLinear", lower_dequantize},
    {"Conv", tf_lower_conv},
    {"ConvTranspose", tf_lower_conv},
    {"Gemm", tf_lower_gemm},
    {"MatMul", tf_lower_gemm},
    {"Add", tf_lower_binary},
    {"Mul", tf_lower_binary},
    {"Sub", tf_lower_binary},
    {"Div", tf_lower_binary},
    {"Relu", tf_lower_unary},
    {"LeakyRelu", tf_lower_unary},
    {"PRelu", tf_lower_unary},
    {"Clip", tf_lower_unary},
    {"Sigmoid", tf_lower_unary},
    {"HardSigmoid", tf_lower_unary},
    {"HardSwish", tf_lower_unary},
    {"Tanh", tf_lower_unary},
    {"MaxPool", tf_lower_pool},
    {"AveragePool", tf_lower_pool},
    {"GlobalAveragePool", tf_lower_pool},
    {"ReduceMean", tf_lower_pool},
    {"Resize", tf_lower_resize},
    {"Softmax", tf_lower_softmax},
    {"Concat", tf_lower_move},
    {"Pad", tf_lower_move},
    {"Slice", tf_lower_move},
    {"Split", tf_lower_move},
    {"Flatten", tf_lower_reshape},
    {"Reshape", tf_lower_reshape},
    {"Transpose", tf_lower_move},
    {"Squeeze", tf_lower_reshape},
    {"Unsqueeze", tf_lower_reshape},
};

static int lower_node(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    for (size_t i = 0; i < TF_COUNT(families); i++)
        if (strcmp(node->op, families[i].op) == 0)
            return families[i].lower(graph, node, err);
    return tf_node_fail(node, err, -ENOTSUP, "this operator is not run");
}

static void describe(struct tf_port *port, const struct tf_value *value, const char *name)
{
    port->info.name = name;
    port->info.rank = value->rank;
    port->info.count = 1;
    for (int i = 0; i < value->rank; i++) {
        port->info.dims[i] = value->dims[i];
        port->info.count *= (size_t)value->dims[i];
    }
}

static int lower_inputs(struct tf_graph *graph, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;

    for (int i = 0; i < graph->input_count; i++) {
        struct tf_value *value = &graph->values[graph->inputs[i]];
        struct tf_port *port = &engine->inputs[i];
        int32_t zp = 0;
        float scale = 0;
        bool quantised, s8 = false;
        char *name;
        int r, t;

        r = tf_quantised_by(graph, value, &quantised, &scale, &zp, &s8, err);
        if (r < 0)
            return r;
        t = tf_tensor_new(engine, value->name, quantised ? TF_U8 : TF_F32, value->rank, value->dims, err);
        if (t < 0)
            return t;
        name = tf_mem_strdup(&engine->mem, value->name);
        engine->tensors[t].zp = zp;
        engine->tensors[t].dense = true;
        engine->tensors[t].persistent = true;
        if (!name || tf_step_load(engine, i, t, scale, zp) < 0)
            return tf_fail(err, -ENOMEM, "out of memory");
        describe(port, value, name);
        port->tensor = t;
        port->info.quantised = quantised;
        port->info.scale = scale;
        port->info.zero_point = zp;
        if (!quantised) {
            value->f = t;
            continue;
        }
        for (int k = 0; k < value->reader_count; k++) {
            struct tf_node *q = &graph->nodes[value->readers[k]];
            if (strcmp(q->op, "QuantizeLinear") != 0)
                continue;
            q->done = true;
            tf_value_tie(&graph->values[q->out[0]], t, scale, zp, s8, value->rank, value->dims);
        }
    }
    return 0;
}

static int lower_outputs(struct tf_graph *graph, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;

    for (int i = 0; i < graph->output_count; i++) {
        struct tf_value *value = &graph->values[graph->outputs[i]];
        struct tf_port *port = &engine->outputs[i];
        char *name = tf_mem_strdup(&engine->mem, value->name);
        int t = value->q >= 0 ? value->q : value->f;

        if (!name)
            return tf_fail(err, -ENOMEM, "out of memory");
        if (t < 0 || value->integer)
            return tf_fail(err, -ENOTSUP, "graph output \"%s\": %s", value->name,
                           value->integer ? "it is an integer; outputs are float32, add a DequantizeLinear"
                                          : "it is a constant");
        engine->tensors[t].dense = true;
        engine->tensors[t].persistent = true;
        describe(port, value, name);
        port->tensor = t;
        port->info.quantised = value->q >= 0;
        if (value->q >= 0) {
            port->info.scale = value->scale;
            port->info.zero_point = value->zp;
        }
        if (tf_step_store(engine, i, t, value->scale, value->zp) < 0)
            return tf_fail(err, -ENOMEM, "out of memory");
    }
    return 0;
}

int tf_lower(struct tf_graph *graph, struct tf_error *err)
{
    int r = lower_inputs(graph, err);

    for (int i = 0; !r && i < graph->node_count; i++) {
        struct tf_node *node = &graph->nodes[i];
        bool folded;

        if (node->done)
            continue;
        r = tf_fold(graph, node, &folded, err);
        if (!r && !folded)
            r = lower_node(graph, node, err);
    }
    return r ? r : lower_outputs(graph, err);
}
