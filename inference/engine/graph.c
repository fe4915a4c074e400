/* From ONNX names to numbered values and nodes, with every reference checked. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inference/engine/plan.h"

struct names {
    int *slots; /* value + 1, 0 = free */
    size_t mask;
};

static size_t hash(const char *name)
{
    size_t h = 1469598103934665603u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

static int find(const struct tf_graph *graph, const struct names *names, const char *name)
{
    for (size_t i = hash(name) & names->mask; names->slots[i]; i = (i + 1) & names->mask)
        if (strcmp(graph->values[names->slots[i] - 1].name, name) == 0)
            return names->slots[i] - 1;
    return -1;
}

static int add(struct tf_graph *graph, struct names *names, const char *name)
{
    size_t i = hash(name) & names->mask;
    int value = graph->value_count++;

    while (names->slots[i])
        i = (i + 1) & names->mask;
    names->slots[i] = value + 1;
    graph->values[value] = (struct tf_value){.name = name, .producer = -1, .q = -1, .f = -1, .rank = -1};
    return value;
}

int tf_node_fail(const struct tf_node *node, struct tf_error *err, int code, const char *format, ...)
{
    char text[TF_ERROR_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return tf_fail(err, code, "node \"%s\" (%s): %s", node->name, node->op, text);
}

static int add_initializers(struct tf_graph *graph, struct names *names, struct tf_error *err)
{
    for (size_t i = 0; i < graph->proto->n_initializer; i++) {
        const Onnx__TensorProto *proto = graph->proto->initializer[i];
        const char *name = proto->name ? proto->name : "";
        int value, r;

        if (!*name)
            return tf_fail(err, -EINVAL, "initializer %zu has no name", i);
        if (find(graph, names, name) >= 0)
            return tf_fail(err, -EINVAL, "initializer \"%s\": the name is used twice", name);
        value = add(graph, names, name);
        r = tf_const_from_proto(&graph->mem, proto, &graph->values[value].constant, err);
        if (r < 0)
            return r;
        graph->values[value].rank = graph->values[value].constant->rank;
        memcpy(graph->values[value].dims, graph->values[value].constant->dims,
               sizeof(graph->values[value].dims));
    }
    return 0;
}

static int add_inputs(struct tf_graph *graph, struct names *names, struct tf_error *err)
{
    for (size_t i = 0; i < graph->proto->n_input; i++) {
        const Onnx__ValueInfoProto *info = graph->proto->input[i];
        const char *name = info->name ? info->name : "";
        const Onnx__TypeProto__Tensor *type;
        struct tf_value *value;
        int v = find(graph, names, name);

        if (!*name)
            return tf_fail(err, -EINVAL, "graph input %zu has no name", i);
        /* Before IR version 4 initializers were listed as inputs too. */
        if (v >= 0 && graph->values[v].constant)
            continue;
        if (v >= 0)
            return tf_fail(err, -EINVAL, "graph input \"%s\": the name is used twice", name);
        type = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
                   ? info->type->tensor_type
                   : NULL;
        if (!type || !type->shape)
            return tf_fail(err, -EINVAL, "graph input \"%s\": it has no tensor shape", name);
        if (type->elem_type != TF_C_F32)
            return tf_fail(err, -ENOTSUP, "graph input \"%s\": element type %d; inputs are float32", name,
                           type->elem_type);
        if (type->shape->n_dim > TF_TENSOR_RANK_MAX)
            return tf_fail(err, -E2BIG, "graph input \"%s\": %zu dimensions; at most %d are read", name,
                           type->shape->n_dim, TF_TENSOR_RANK_MAX);
        v = add(graph, names, name);
        value = &graph->values[v];
        value->rank = (int)type->shape->n_dim;
        for (int d = 0; d < value->rank; d++) {
            const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[d];
            if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
                value->dims[d] = dim->dim_value;
            else if (d == 0)
                value->dims[d] = 1;
            else
                return tf_fail(err, -ENOTSUP,
                               "graph input \"%s\": dimension %d is symbolic; only the batch may be", name,
                               d);
            if (value->dims[d] < 1)
                return tf_fail(err, -EINVAL, "graph input \"%s\": dimension %d is %lld", name, d,
                               (long long)value->dims[d]);
        }
        graph->inputs[graph->input_count++] = v;
    }
    return 0;
}

static int add_node(struct tf_graph *graph, struct names *names, int index, struct tf_error *err)
{
    const Onnx__NodeProto *proto = graph->proto->node[index];
    struct tf_node *node = &graph->nodes[index];

    *node = (struct tf_node){.proto = proto,
                             .name = tf_node_name(proto),
                             .op = proto->op_type ? proto->op_type : "?",
                             .inputs = (int)proto->n_input,
                             .outputs = (int)proto->n_output};
    if (proto->domain && *proto->domain && strcmp(proto->domain, "ai.onnx") != 0)
        return tf_node_fail(node, err, -ENOTSUP, "operators of the domain \"%s\" are not run", proto->domain);
    if (!node->outputs)
        return tf_node_fail(node, err, -EINVAL, "it has no output");
    node->in = tf_mem_alloc(&graph->mem, proto->n_input + 1, sizeof(int));
    node->out = tf_mem_alloc(&graph->mem, proto->n_output, sizeof(int));
    if (!node->in || !node->out)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (int i = 0; i < node->inputs; i++) {
        node->in[i] = -1;
        if (!proto->input[i] || !*proto->input[i])
            continue;
        node->in[i] = find(graph, names, proto->input[i]);
        if (node->in[i] < 0)
            return tf_node_fail(node, err, -EINVAL, "its input \"%s\" comes from nowhere before it",
                                proto->input[i]);
        graph->values[node->in[i]].reader_count++;
    }
    for (int i = 0; i < node->outputs; i++) {
        node->out[i] = -1;
        if (!proto->output[i] || !*proto->output[i])
            continue;
        if (find(graph, names, proto->output[i]) >= 0)
            return tf_node_fail(node, err, -EINVAL, "its output \"%s\" exists already", proto->output[i]);
        node->out[i] = add(graph, names, proto->output[i]);
        graph->values[node->out[i]].producer = index;
    }
    if (node->out[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its first output has no name");
    return 0;
}

int tf_graph_build(struct tf_graph *graph, const Onnx__ModelProto *model, struct tf_error *err)
{
    const Onnx__GraphProto *proto = model->graph;
    size_t most = proto->n_initializer + proto->n_input, slots = 64;
    struct names names;
    int r;

    graph->proto = proto;
    for (size_t i = 0; i < model->n_opset_import; i++)
        if (!model->opset_import[i]->domain || !*model->opset_import[i]->domain ||
            strcmp(model->opset_import[i]->domain, "ai.onnx") == 0)
            graph->opset = model->opset_import[i]->version;
    if (proto->n_sparse_initializer)
        return tf_fail(err, -ENOTSUP, "sparse initializers are not read");
    for (size_t i = 0; i < proto->n_node; i++)
        most += proto->node[i]->n_output;
    if (most > 1 << 20)
        return tf_fail(err, -E2BIG, "%zu values; at most %d are planned", most, 1 << 20);
    while (slots < most * 2)
        slots *= 2;
    names.mask = slots - 1;
    names.slots = tf_mem_alloc(&graph->mem, slots, sizeof(int));
    graph->values = tf_mem_alloc(&graph->mem, most + 1, sizeof(*graph->values));
    graph->nodes = tf_mem_alloc(&graph->mem, proto->n_node, sizeof(*graph->nodes));
    graph->inputs = tf_mem_alloc(&graph->mem, proto->n_input + 1, sizeof(int));
    graph->outputs = tf_mem_alloc(&graph->mem, proto->n_output + 1, sizeof(int));
    if (!names.slots || !graph->values || !graph->nodes || !graph->inputs || !graph->outputs)
        return tf_fail(err, -ENOMEM, "out of memory");

    r = add_initializers(graph, &names, err);
    if (!r)
        r = add_inputs(graph, &names, err);
    for (size_t i = 0; !r && i < proto->n_node; i++) {
        r = add_node(graph, &names, (int)i, err);
        graph->node_count++;
    }
    if (r)
        return r;
    for (int i = 0; i < graph->value_count; i++) {
        graph->values[i].readers =
            tf_mem_alloc(&graph->mem, (size_t)graph->values[i].reader_count + 1, sizeof(int));
        if (!graph->values[i].readers)
            return tf_fail(err, -ENOMEM, "out of memory");
        graph->values[i].reader_count = 0;
    }
    for (int i = 0; i < graph->node_count; i++)
        for (int j = 0; j < graph->nodes[i].inputs; j++)
            if (graph->nodes[i].in[j] >= 0) {
                struct tf_value *v = &graph->values[graph->nodes[i].in[j]];
                v->readers[v->reader_count++] = i;
            }
    for (size_t i = 0; i < proto->n_output; i++) {
        const char *name = proto->output[i]->name ? proto->output[i]->name : "";
        int v = find(graph, &names, name);
        if (v < 0)
            return tf_fail(err, -EINVAL, "graph output \"%s\" is made by no node", name);
        graph->values[v].is_output = true;
        graph->outputs[graph->output_count++] = v;
    }
    return 0;
}
