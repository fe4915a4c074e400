/* An ONNX file's nodes, attributes and constants, through protobuf-c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inference/engine/onnx.h"

/*
 * protobuf-c allocates for every sub-message and recurses into each without a bound, so a small hostile file
 * could take all memory or the whole stack. The allocator is asked at every level, which makes it the place
 * for both limits.
 */
struct limits {
    size_t left;
    const char *stack_top;
};
#define STACK_MAX (1 << 20)

static void *limited_alloc(void *data, size_t size)
{
    struct limits *limits = data;
    char here;
    ptrdiff_t depth = limits->stack_top - &here;

    if (size > limits->left || depth > STACK_MAX || depth < -STACK_MAX)
        return NULL;
    limits->left -= size;
    return malloc(size);
}

static void plain_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

int tf_onnx_read_file(const char *path, uint8_t **data, size_t *size, struct tf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;
    struct stat st;
    size_t have = 0;
    int r;

    if (fd < 0)
        return tf_fail(err, -errno, "%s: cannot open the model: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        r = tf_fail(err, -EINVAL, "%s: not a regular file", path);
        goto fail;
    }
    if (st.st_size == 0) {
        r = tf_fail(err, -EINVAL, "%s: the file is empty, an ONNX model was expected", path);
        goto fail;
    }
    if ((uint64_t)st.st_size > TF_ENGINE_FILE_MAX) {
        r = tf_fail(err, -E2BIG, "%s: %lld bytes; models of up to %u bytes are read", path,
                    (long long)st.st_size, TF_ENGINE_FILE_MAX);
        goto fail;
    }
    bytes = malloc((size_t)st.st_size);
    if (!bytes) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    while (have < (size_t)st.st_size) {
        ssize_t n = read(fd, bytes + have, (size_t)st.st_size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = tf_fail(err, -EIO, "%s: reading stopped at byte %zu of %lld: %s", path, have,
                        (long long)st.st_size, n < 0 ? strerror(errno) : "the file became shorter");
            goto fail;
        }
        have += (size_t)n;
    }
    close(fd);
    *data = bytes;
    *size = have;
    return 0;
fail:
    free(bytes);
    close(fd);
    return r;
}

int tf_onnx_unpack(const uint8_t *data, size_t size, const char *name, Onnx__ModelProto **ret,
                   struct tf_error *err)
{
    char here;
    struct limits limits = {.left = 64 * 1024 * 1024 + size * 4, .stack_top = &here};
    ProtobufCAllocator allocator = {limited_alloc, plain_free, &limits};
    Onnx__ModelProto *model;
    int64_t opset = 0;

    if (size > TF_ENGINE_FILE_MAX)
        return tf_fail(err, -E2BIG, "%s: %zu bytes; models of up to %u bytes are read", name, size,
                       TF_ENGINE_FILE_MAX);
    model = size ? onnx__model_proto__unpack(&allocator, size, data) : NULL;
    if (!model)
        return tf_fail(err, -EINVAL, "%s: not an ONNX model, or cut short (%zu bytes)", name, size);
    if (!model->graph || !model->graph->n_node || !model->graph->n_output) {
        onnx__model_proto__free_unpacked(model, NULL);
        return tf_fail(err, -EINVAL, "%s: not an ONNX model: it has no graph with nodes and outputs", name);
    }
    if (model->graph->n_node > TF_ENGINE_NODES_MAX) {
        size_t n = model->graph->n_node;
        onnx__model_proto__free_unpacked(model, NULL);
        return tf_fail(err, -E2BIG, "%s: %zu nodes; at most %d are planned", name, n, TF_ENGINE_NODES_MAX);
    }
    for (size_t i = 0; i < model->n_opset_import; i++)
        if (!model->opset_import[i]->domain || !*model->opset_import[i]->domain ||
            strcmp(model->opset_import[i]->domain, "ai.onnx") == 0)
            opset = model->opset_import[i]->version;
    /* 10 brought QuantizeLinear; from 19 on some operators that are run here have other attributes. */
    if (opset < 10 || opset > 18) {
        onnx__model_proto__free_unpacked(model, NULL);
        return tf_fail(err, -ENOTSUP, "%s: operator set %lld; 10 to 18 are run, export with opset 13", name,
                       (long long)opset);
    }
    *ret = model;
    return 0;
}

void tf_onnx_free(Onnx__ModelProto *model)
{
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
}

const char *tf_node_name(const Onnx__NodeProto *node)
{
    if (node->name && *node->name)
        return node->name;
    if (node->n_output && node->output[0] && *node->output[0])
        return node->output[0];
    return "?";
}

const Onnx__AttributeProto *tf_attr(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t tf_attr_int(const Onnx__NodeProto *node, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *a = tf_attr(node, name);
    return a && a->has_i ? a->i : otherwise;
}

float tf_attr_float(const Onnx__NodeProto *node, const char *name, float otherwise)
{
    const Onnx__AttributeProto *a = tf_attr(node, name);
    return a && a->has_f ? a->f : otherwise;
}

void tf_attr_string(const Onnx__NodeProto *node, const char *name, const char *otherwise, char *text,
                    size_t size)
{
    const Onnx__AttributeProto *a = tf_attr(node, name);
    const char *from = a && a->has_s ? (const char *)a->s.data : otherwise;
    size_t n = a && a->has_s ? a->s.len : strlen(otherwise);

    if (n >= size)
        n = size - 1;
    if (n)
        memcpy(text, from, n);
    text[n] = 0;
}

size_t tf_attr_ints(const Onnx__NodeProto *node, const char *name, int64_t *values, size_t max)
{
    const Onnx__AttributeProto *a = tf_attr(node, name);

    if (!a)
        return 0;
    for (size_t i = 0; i < a->n_ints && i < max; i++)
        values[i] = a->ints[i];
    return a->n_ints;
}

size_t tf_const_size(enum tf_const_type type)
{
    switch (type) {
    case TF_C_U8:
    case TF_C_S8:
    case TF_C_BOOL:
        return 1;
    case TF_C_F32:
    case TF_C_S32:
        return 4;
    case TF_C_S64:
    case TF_C_F64:
        return 8;
    }
    return 0;
}

struct tf_const *tf_const_new(struct tf_mem *mem, enum tf_const_type type, int rank, const int64_t *dims)
{
    struct tf_const *c = tf_mem_alloc(mem, 1, sizeof(*c));

    if (!c)
        return NULL;
    c->type = type;
    c->rank = rank;
    c->count = 1;
    for (int i = 0; i < rank; i++) {
        c->dims[i] = dims[i];
        c->count *= (size_t)dims[i];
    }
    c->data = tf_mem_alloc(mem, c->count, tf_const_size(type));
    return c->data ? c : NULL;
}

int tf_const_from_proto(struct tf_mem *mem, const Onnx__TensorProto *proto, const struct tf_const **ret,
                        struct tf_error *err)
{
    const char *name = proto->name ? proto->name : "?";
    int64_t dims[TF_TENSOR_RANK_MAX] = {0};
    struct tf_const *c;
    size_t size = tf_const_size((enum tf_const_type)proto->data_type), count = 1;

    if (!size)
        return tf_fail(err, -ENOTSUP, "tensor \"%s\": element type %d is not read", name, proto->data_type);
    if (proto->n_external_data || (proto->has_data_location && proto->data_location))
        return tf_fail(err, -ENOTSUP,
                       "tensor \"%s\": its data lies outside the file; save the model in one file", name);
    if (proto->n_dims > TF_TENSOR_RANK_MAX)
        return tf_fail(err, -E2BIG, "tensor \"%s\": %zu dimensions; at most %d are read", name, proto->n_dims,
                       TF_TENSOR_RANK_MAX);
    for (size_t i = 0; i < proto->n_dims; i++) {
        dims[i] = proto->dims[i];
        if (dims[i] < 0 || __builtin_mul_overflow(count, (size_t)dims[i], &count) ||
            count > TF_ENGINE_TENSOR_BYTES_MAX / size)
            return tf_fail(err, dims[i] < 0 ? -EINVAL : -E2BIG, "tensor \"%s\": dimension %zu is %lld", name,
                           i, (long long)dims[i]);
    }
    /* The claim is checked against the bytes before anything of that size is allocated. */
    if (proto->has_raw_data) {
        if (proto->raw_data.len != count * size)
            return tf_fail(err, -EINVAL, "tensor \"%s\": %zu bytes where its shape needs %zu", name,
                           proto->raw_data.len, count * size);
    } else {
        size_t have = proto->data_type == TF_C_F32   ? proto->n_float_data
                      : proto->data_type == TF_C_F64 ? proto->n_double_data
                      : proto->data_type == TF_C_S64 ? proto->n_int64_data
                                                     : proto->n_int32_data;
        if (have != count)
            return tf_fail(err, -EINVAL, "tensor \"%s\": %zu elements where its shape needs %zu", name, have,
                           count);
    }
    c = tf_const_new(mem, (enum tf_const_type)proto->data_type, (int)proto->n_dims, dims);
    if (!c)
        return tf_fail(err, -ENOMEM, "tensor \"%s\": out of memory", name);
    if (proto->has_raw_data) {
        if (count)
            memcpy(c->data, proto->raw_data.data, count * size);
    } else {
        for (size_t i = 0; i < count; i++) {
            switch (c->type) {
            case TF_C_F32:
                ((float *)c->data)[i] = proto->float_data[i];
                break;
            case TF_C_F64:
                ((double *)c->data)[i] = proto->double_data[i];
                break;
            case TF_C_S64:
                ((int64_t *)c->data)[i] = proto->int64_data[i];
                break;
            case TF_C_S32:
                ((int32_t *)c->data)[i] = proto->int32_data[i];
                break;
            case TF_C_U8:
            case TF_C_BOOL:
            case TF_C_S8:
                ((uint8_t *)c->data)[i] = (uint8_t)proto->int32_data[i];
                break;
            }
        }
    }
    *ret = c;
    return 0;
}

int64_t tf_const_int(const struct tf_const *c, size_t i)
{
    switch (c->type) {
    case TF_C_U8:
    case TF_C_BOOL:
        return ((const uint8_t *)c->data)[i];
    case TF_C_S8:
        return ((const int8_t *)c->data)[i];
    case TF_C_S32:
        return ((const int32_t *)c->data)[i];
    case TF_C_S64:
        return ((const int64_t *)c->data)[i];
    case TF_C_F32:
    case TF_C_F64: {
        double v = tf_const_number(c, i);
        return v >= -9e18 && v <= 9e18 ? (int64_t)v : 0;
    }
    }
    return 0;
}

double tf_const_number(const struct tf_const *c, size_t i)
{
    switch (c->type) {
    case TF_C_F32:
        return ((const float *)c->data)[i];
    case TF_C_F64:
        return ((const double *)c->data)[i];
    default:
        return (double)tf_const_int(c, i);
    }
}
