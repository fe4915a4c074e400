/*
 * ONNX files through protobuf-c: unpacking with limits, attributes, tensor data. Nothing here knows what an
 * operator means.
 */
#ifndef TF_INFERENCE_ENGINE_ONNX_H
#define TF_INFERENCE_ENGINE_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "inference/engine/engine.h"
#include "inference/engine/mem.h"
#include "onnx.pb-c.h"

/* A whole file in memory; *data is malloc'ed. Errors: -ENOENT, -EACCES, -EIO, -EINVAL (empty), -E2BIG. */
int tf_onnx_read_file(const char *path, uint8_t **data, size_t *size, struct tf_error *err);

/* Unpacks and checks IR version, opset, number of nodes. Free with tf_onnx_free. -EINVAL, -ENOTSUP, -E2BIG.
 */
int tf_onnx_unpack(const uint8_t *data, size_t size, const char *name, Onnx__ModelProto **ret,
                   struct tf_error *err);
void tf_onnx_free(Onnx__ModelProto *model);

/* The node's name, or that of its first output, or "?": what messages and plans call it. */
const char *tf_node_name(const Onnx__NodeProto *node);

const Onnx__AttributeProto *tf_attr(const Onnx__NodeProto *node, const char *name);
int64_t tf_attr_int(const Onnx__NodeProto *node, const char *name, int64_t otherwise);
float tf_attr_float(const Onnx__NodeProto *node, const char *name, float otherwise);
/* Copies a string attribute into text (cut to fit), or `otherwise`. */
void tf_attr_string(const Onnx__NodeProto *node, const char *name, const char *otherwise, char *text,
                    size_t size);
/* Copies up to max integers; returns how many the attribute has (0 = absent). */
size_t tf_attr_ints(const Onnx__NodeProto *node, const char *name, int64_t *values, size_t max);

/* A constant: dense data in host order. Elements as ONNX declares them (TF_C_*). */
enum tf_const_type {
    TF_C_F32 = 1,
    TF_C_U8 = 2,
    TF_C_S8 = 3,
    TF_C_S32 = 6,
    TF_C_S64 = 7,
    TF_C_BOOL = 9,
    TF_C_F64 = 11,
};

struct tf_const {
    enum tf_const_type type;
    int rank;
    int64_t dims[TF_TENSOR_RANK_MAX];
    size_t count;
    void *data;
};

size_t tf_const_size(enum tf_const_type type);
/* A constant with room for its data. NULL: out of memory. */
struct tf_const *tf_const_new(struct tf_mem *mem, enum tf_const_type type, int rank, const int64_t *dims);
/* Decodes a TensorProto. -EINVAL, -ENOTSUP (type, external data), -E2BIG, -ENOMEM; messages name the tensor.
 */
int tf_const_from_proto(struct tf_mem *mem, const Onnx__TensorProto *proto, const struct tf_const **ret,
                        struct tf_error *err);
/* Element i as an integer or a number, whatever the type. */
int64_t tf_const_int(const struct tf_const *c, size_t i);
double tf_const_number(const struct tf_const *c, size_t i);

#endif
