/* New tensors and steps of an engine's plan. */
#include <errno.h>
#include <string.h>

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
