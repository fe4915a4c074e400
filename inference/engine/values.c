/*
 * Values as tensors. A value is known as a u8 tensor (with scale and zero point), as an f32 tensor, or both;
 * an operator family takes what it can run on. An integer operator's result is followed through Relu and Clip
 * to its QuantizeLinear, which become the step's clamp.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inference/engine/ops/ops.h"
#include "inference/engine/plan.h"

int tf_quant_params(const struct tf_graph *graph, const struct tf_node *node, float *scale, int32_t *zp,
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

int tf_quantised_by(const struct tf_graph *graph, const struct tf_value *value, bool *ret, float *scale,
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
        e = tf_quant_params(graph, r, &s, &z, &i8, err);
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

        r = tf_quantised_by(graph, value, &ret->quantised, &ret->scale, &zp, &ret->s8, err);
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

void tf_value_tie(struct tf_value *value, int tensor, float scale, int32_t zp, bool s8, int rank,
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
            tf_value_tie(&graph->values[q->out[0]], t, output->scale, output->q.zp, output->s8, rank, dims);
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
