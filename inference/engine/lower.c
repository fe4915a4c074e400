/*
 * From nodes to steps: quantisation is recognised here. A value is known as a u8 tensor (with scale and zero
 * point), as an f32 tensor, or both; an operator family takes what it can run on. An integer operator's
 * result is followed through Relu and Clip to its QuantizeLinear, which become the step's clamp.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/ops/ops.h"
#include "inference/engine/plan.h"

int tf_tensor_new(struct tf_engine *engine, const char *name, enum tf_dtype type, int rank,
                  const int64_t *dims, struct tf_error *err)
{
    struct tf_tensor *t;
    size_t bytes = type == TF_F32 ? 4 : 1;

    if (rank > TF_TENSOR_RANK_MAX)
        return tf_fail(err, -E2BIG, "tensor \"%s\": %d dimensions; at most %d are planned", name, rank,
                       TF_TENSOR_RANK_MAX);
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 1)
            return tf_fail(err, -EINVAL, "tensor \"%s\": dimension %d is %lld", name, i, (long long)dims[i]);
        if (__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes) || bytes > TF_ENGINE_TENSOR_BYTES_MAX)
            return tf_fail(err, -E2BIG, "tensor \"%s\": more than %u bytes", name,
                           TF_ENGINE_TENSOR_BYTES_MAX);
    }
    if (engine->tensor_count == engine->tensor_capacity) {
        int capacity = engine->tensor_capacity ? engine->tensor_capacity * 2 : 64;
        struct tf_tensor *grown = tf_mem_alloc(&engine->mem, (size_t)capacity, sizeof(*grown));
        if (!grown)
            return tf_fail(err, -ENOMEM, "out of memory");
        if (engine->tensor_count)
            memcpy(grown, engine->tensors, (size_t)engine->tensor_count * sizeof(*grown));
        engine->tensors = grown;
        engine->tensor_capacity = capacity;
    }
    t = &engine->tensors[engine->tensor_count];
    *t = (struct tf_tensor){.type = type,
                            .rank = rank,
                            .count = bytes / (type == TF_F32 ? 4 : 1),
                            .parent = -1,
                            .first = -1,
                            .filler = -1};
    t->name = tf_mem_strdup(&engine->mem, name);
    if (!t->name)
        return tf_fail(err, -ENOMEM, "out of memory");
    memcpy(t->dims, dims, (size_t)rank * sizeof(*dims));
    return engine->tensor_count++;
}

struct tf_step *tf_step_new(struct tf_engine *engine, const struct tf_node *node, const char *op, int inputs,
                            int outputs, size_t params)
{
    struct tf_step *s;

    if (engine->step_count == engine->step_capacity) {
        int capacity = engine->step_capacity ? engine->step_capacity * 2 : 64;
        struct tf_step *grown = tf_mem_alloc(&engine->mem, (size_t)capacity, sizeof(*grown));
        if (!grown)
            return NULL;
        if (engine->step_count)
            memcpy(grown, engine->steps, (size_t)engine->step_count * sizeof(*grown));
        engine->steps = grown;
        engine->step_capacity = capacity;
    }
    s = &engine->steps[engine->step_count];
    *s = (struct tf_step){.inputs = inputs, .outputs = outputs};
    s->name = tf_mem_strdup(&engine->mem, node ? node->name : "");
    s->op = tf_mem_strdup(&engine->mem, op);
    s->in = tf_mem_alloc(&engine->mem, (size_t)inputs + 1, sizeof(int));
    s->out = tf_mem_alloc(&engine->mem, (size_t)outputs + 1, sizeof(int));
    s->params = tf_mem_alloc(&engine->mem, 1, params ? params : 1);
    if (!s->name || !s->op || !s->in || !s->out || !s->params)
        return NULL;
    engine->step_count++;
    return s;
}

/* Scale and zero point of a QuantizeLinear or DequantizeLinear of an activation. */
static int quant_params(const struct tf_graph *graph, const struct tf_node *node, float *scale, int32_t *zp,
                        bool *s8, struct tf_error *err)
{
    const struct tf_const *s, *z = NULL;

    if (node->inputs < 2 || node->in[1] < 0 || !(s = graph->values[node->in[1]].constant))
        return tf_node_fail(node, err, -ENOTSUP, "its scale is not a constant");
    if (node->inputs > 2 && node->in[2] >= 0 && !(z = graph->values[node->in[2]].constant))
        return tf_node_fail(node, err, -ENOTSUP, "its zero point is not a constant");
    if (s->count != 1 || (z && z->count != 1))
        return tf_node_fail(node, err, -ENOTSUP, "activations are quantised per tensor, it has %zu scales",
                            s->count);
    if (z && z->type != TF_C_U8 && z->type != TF_C_S8)
        return tf_node_fail(node, err, -ENOTSUP, "activations are uint8 or int8, it has element type %d",
                            (int)z->type);
    *scale = (float)tf_const_number(s, 0);
    if (!(*scale > 0) || !isfinite(*scale))
        return tf_node_fail(node, err, -EINVAL, "its scale is %g", (double)*scale);
    *s8 = z && z->type == TF_C_S8;
    *zp = z ? (int32_t)tf_const_int(z, 0) + (*s8 ? 128 : 0) : 0;
    return 0;
}

/* Readers of a value that look at its numbers (Shape does not). */
static int live_readers(const struct tf_graph *graph, const struct tf_value *value, int *first)
{
    int n = 0;

    for (int i = 0; i < value->reader_count; i++)
        if (strcmp(graph->nodes[value->readers[i]].op, "Shape") != 0) {
            if (!n++)
                *first = value->readers[i];
        }
    return n;
}

/* All readers quantise it, with the same parameters. */
static int quantised_by(const struct tf_graph *graph, const struct tf_value *value, bool *ret, float *scale,
                        int32_t *zp, bool *s8, struct tf_error *err)
{
    bool first = true;

    *ret = false;
    if (value->is_output)
        return 0;
    for (int i = 0; i < value->reader_count; i++) {
        const struct tf_node *r = &graph->nodes[value->readers[i]];
        int32_t z = 0;
        float s = 0;
        bool i8 = false;
        int e;

        if (strcmp(r->op, "Shape") == 0)
            continue;
        if (strcmp(r->op, "QuantizeLinear") != 0 || r->in[0] != (int)(value - graph->values))
            return 0;
        e = quant_params(graph, r, &s, &z, &i8, err);
        if (e < 0)
            return e;
        if (!first && (s != *scale || z != *zp || i8 != *s8))
            return 0;
        *scale = s;
        *zp = z;
        *s8 = i8;
        first = false;
    }
    *ret = !first;
    return 0;
}

/* The bounds of a Relu or Clip; false where they are not constant. */
static bool clip_bounds(const struct tf_graph *graph, const struct tf_node *node, float *lo, float *hi)
{
    *lo = -INFINITY;
    *hi = INFINITY;
    if (strcmp(node->op, "Relu") == 0) {
        *lo = 0;
        return true;
    }
    *lo = tf_attr_float(node->proto, "min", -INFINITY);
    *hi = tf_attr_float(node->proto, "max", INFINITY);
    for (int i = 1; i < node->inputs && i < 3; i++) {
        const struct tf_const *c;
        if (node->in[i] < 0)
            continue;
        c = graph->values[node->in[i]].constant;
        if (!c || c->count != 1)
            return false;
        *(i == 1 ? lo : hi) = (float)tf_const_number(c, 0);
    }
    return *lo <= *hi;
}

static void clamp_quantised(struct tf_requant *q, float scale, float lo, float hi)
{
    /* Rounding is monotone, so clipping before it or after gives the same u8. */
    float l = rintf(lo / scale), h = rintf(hi / scale);

    q->lo = TF_MIN(TF_MAX(q->lo, l), q->hi);
    q->hi = TF_MAX(TF_MIN(q->hi, h), q->lo);
}

int tf_output_of(struct tf_graph *graph, struct tf_node *node, bool fuse, struct tf_output *ret,
                 struct tf_error *err)
{
    struct tf_value *value = &graph->values[node->out[0]];
    struct tf_node *chain[8];
    char op[64];
    int links = 0;
    int32_t zp = 0;

    *ret = (struct tf_output){.value = node->out[0]};
    snprintf(op, sizeof(op), "%s", node->op);
    for (;;) {
        struct tf_node *reader;
        int r, index = -1;
        float lo, hi;

        r = quantised_by(graph, value, &ret->quantised, &ret->scale, &zp, &ret->s8, err);
        if (r < 0)
            return r;
        if (ret->quantised || !fuse || value->is_output || links == 8)
            break;
        if (live_readers(graph, value, &index) != 1)
            break;
        reader = &graph->nodes[index];
        if ((strcmp(reader->op, "Relu") != 0 && strcmp(reader->op, "Clip") != 0) ||
            reader->in[0] != value - graph->values || !clip_bounds(graph, reader, &lo, &hi))
            break;
        chain[links++] = reader;
        snprintf(op + strlen(op), sizeof(op) - strlen(op), "+%s", reader->op);
        value = &graph->values[reader->out[0]];
    }
    ret->op = node->op;
    if (!ret->quantised)
        return 0;
    ret->value = (int)(value - graph->values);
    ret->q = (struct tf_requant){.lo = (float)-zp, .hi = (float)(255 - zp), .zp = zp};
    for (int i = 0; i < links; i++) {
        float lo, hi;
        clip_bounds(graph, chain[i], &lo, &hi);
        clamp_quantised(&ret->q, ret->scale, lo, hi);
        chain[i]->done = true;
    }
    for (int i = 0; i < value->reader_count; i++)
        if (strcmp(graph->nodes[value->readers[i]].op, "QuantizeLinear") == 0)
            graph->nodes[value->readers[i]].done = true;
    ret->op = tf_mem_strdup(&graph->engine->mem, op);
    return ret->op ? 0 : tf_node_fail(node, err, -ENOMEM, "out of memory");
}

static void set_shape(struct tf_value *value, int rank, const int64_t *dims)
{
    value->rank = rank;
    memcpy(value->dims, dims, (size_t)rank * sizeof(*dims));
}

/* Ties an integer value (and so what reads it) to a u8 tensor. */
static void tie(struct tf_value *value, int tensor, float scale, int32_t zp, bool s8, int rank,
                const int64_t *dims)
{
    value->q = tensor;
    value->scale = scale;
    value->zp = zp;
    value->s8 = s8;
    value->integer = true;
    set_shape(value, rank, dims);
}

int tf_output_tensor(struct tf_graph *graph, const struct tf_node *node, const struct tf_output *output,
                     int rank, const int64_t *dims, struct tf_error *err)
{
    struct tf_value *value = &graph->values[output->value];
    int t;

    t = tf_tensor_new(graph->engine, value->name, output->quantised ? TF_U8 : TF_F32, rank, dims, err);
    if (t < 0) {
        tf_error_prefix(err, "node \"%s\" (%s)", node->name, node->op);
        return t;
    }
    /* Everything between the node and its end has the same shape. */
    for (const struct tf_node *n = node;;) {
        struct tf_value *v = &graph->values[n->out[0]];
        int next = -1;
        set_shape(v, rank, dims);
        if (v == value || !live_readers(graph, v, &next))
            break;
        n = &graph->nodes[next];
    }
    if (!output->quantised) {
        value->f = t;
        return t;
    }
    graph->engine->tensors[t].zp = output->q.zp;
    for (int i = 0; i < value->reader_count; i++) {
        const struct tf_node *q = &graph->nodes[value->readers[i]];
        if (strcmp(q->op, "QuantizeLinear") == 0)
            tie(&graph->values[q->out[0]], t, output->scale, output->q.zp, output->s8, rank, dims);
    }
    return t;
}

int tf_value_q(struct tf_graph *graph, int index, struct tf_error *err)
{
    struct tf_value *value = index < 0 ? NULL : &graph->values[index];
    const struct tf_const *data;
    uint8_t *bytes;
    int t;

    if (!value || value->integer)
        return -1;
    if (value->q >= 0)
        return value->q;
    data = value->q_data;
    if (!data || value->q_scale->count != 1 || (data->type != TF_C_U8 && data->type != TF_C_S8))
        return -1;
    t = tf_tensor_new(graph->engine, value->name, TF_U8, data->rank, data->dims, err);
    bytes = t < 0 ? NULL : tf_mem_alloc(&graph->mem, data->count, 1);
    if (!bytes)
        return -1;
    for (size_t i = 0; i < data->count; i++)
        bytes[i] = (uint8_t)(tf_const_int(data, i) + (data->type == TF_C_S8 ? 128 : 0));
    graph->engine->tensors[t].constant = bytes;
    graph->engine->tensors[t].persistent = true;
    value->q = t;
    value->scale = (float)tf_const_number(value->q_scale, 0);
    value->zp =
        (value->q_zero ? (int32_t)tf_const_int(value->q_zero, 0) : 0) + (data->type == TF_C_S8 ? 128 : 0);
    graph->engine->tensors[t].zp = value->zp;
    return t;
}

/* A constant as an f32 tensor. */
static int constant_f(struct tf_graph *graph, const struct tf_node *node, struct tf_value *value,
                      struct tf_error *err)
{
    const struct tf_const *c = value->constant ? value->constant : value->q_data;
    int64_t inner = 1, axis = value->q_axis;
    float *numbers;
    int t;

    t = tf_tensor_new(graph->engine, value->name, TF_F32, c->rank, c->dims, err);
    if (t < 0)
        return t;
    numbers = tf_mem_alloc(&graph->mem, c->count, sizeof(float));
    if (!numbers)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (int i = (int)axis + 1; i < c->rank; i++)
        inner *= c->dims[i];
    for (size_t i = 0; i < c->count; i++) {
        if (value->constant) {
            numbers[i] = (float)tf_const_number(c, i);
        } else {
            size_t k = value->q_scale->count == 1 ? 0 : i / (size_t)inner % value->q_scale->count;
            int64_t z = value->q_zero ? tf_const_int(value->q_zero, value->q_zero->count == 1 ? 0 : k) : 0;
            numbers[i] = (float)(tf_const_int(c, i) - z) * (float)tf_const_number(value->q_scale, k);
        }
    }
    graph->engine->tensors[t].constant = numbers;
    graph->engine->tensors[t].persistent = true;
    return t;
}

int tf_value_f(struct tf_graph *graph, const struct tf_node *node, int index, struct tf_error *err)
{
    struct tf_value *value = index < 0 ? NULL : &graph->values[index];
    int t;

    if (!value || value->integer)
        return tf_node_fail(node, err, -EINVAL, "an input is missing or is not float");
    if (value->f >= 0)
        return value->f;
    if (value->constant || value->q_data)
        return value->f = constant_f(graph, node, value, err);
    if (value->q < 0)
        return tf_node_fail(node, err, -EINVAL, "its input \"%s\" has no value yet", value->name);
    t = tf_tensor_new(graph->engine, value->name, TF_F32, value->rank, value->dims, err);
    if (t < 0)
        return t;
    if (tf_step_dequantize(graph->engine, node, value->q, t, value->scale, value->zp) < 0)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    return value->f = t;
}

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
        r = quant_params(graph, node, &scale, &zp, &s8, err);
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
    r = quant_params(graph, node, &scale, &zp, &s8, err);
    if (r < 0)
        return r;
    if (from->q >= 0 && !from->integer && from->scale == scale && from->zp == zp && from->s8 == s8) {
        tie(to, from->q, scale, zp, s8, from->rank, from->dims);
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
    tie(to, t, scale, zp, s8, graph->engine->tensors[in].rank, graph->engine->tensors[in].dims);
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
    {"Flatten", tf_lower_move},
    {"Reshape", tf_lower_move},
    {"Transpose", tf_lower_move},
    {"Squeeze", tf_lower_move},
    {"Unsqueeze", tf_lower_move},
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

        r = quantised_by(graph, value, &quantised, &scale, &zp, &s8, err);
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
            tie(&graph->values[q->out[0]], t, scale, zp, s8, value->rank, value->dims);
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
