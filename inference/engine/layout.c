/*
 * Where tensors lie in relation to each other: what Concat joins is written in place, and convolutions get
 * their frame of zero-point pixels. Then strides follow.
 */
#include <errno.h>
#include <string.h>

#include "inference/engine/ops/move.h"
#include "inference/engine/ops/ops.h"

/* The tensor whose memory this one lies in. */
static int root_of(const struct tf_engine *engine, int t)
{
    while (engine->tensors[t].parent >= 0)
        t = engine->tensors[t].parent;
    return t;
}

/* Which step writes a tensor first; -1: none (a constant). */
static int *writers_of(const struct tf_engine *engine, struct tf_mem *mem)
{
    int *writer = tf_mem_alloc(mem, (size_t)engine->tensor_count + 1, sizeof(*writer));

    if (!writer)
        return NULL;
    for (int i = 0; i < engine->tensor_count; i++)
        writer[i] = -1;
    for (int s = engine->step_count - 1; s >= 0; s--)
        for (int i = 0; i < engine->steps[s].outputs; i++)
            writer[engine->steps[s].out[i]] = s;
    return writer;
}

static void place_concats(struct tf_engine *engine, const int *writer)
{
    for (int s = 0; s < engine->step_count; s++) {
        struct tf_step *step = &engine->steps[s];
        const struct tf_tensor *out;

        if (!step->concat)
            continue;
        out = &engine->tensors[step->out[0]];
        for (int i = 0; i < step->inputs; i++) {
            struct tf_tensor *in = &engine->tensors[step->in[i]];
            /* Shared, constant and door tensors have a place of their own already. */
            if (in->dense || in->persistent || in->constant || in->parent >= 0 || writer[step->in[i]] < 0 ||
                in->zp != out->zp || in->type != TF_U8 || in->rank != 4)
                continue;
            if (!tf_concat_place(engine, step, i))
                continue;
            in->parent = step->out[0];
            in->parent_channel = tf_concat_channel(step, i);
        }
    }
}

/* A framed copy of a tensor that cannot have a frame itself; made once, at its first reader. */
static int framed_copy(struct tf_engine *engine, int t, int *copies, struct tf_error *err)
{
    struct tf_tensor from = engine->tensors[t];
    struct tf_node node = {.name = from.name};
    int copy;

    if (copies[t] >= 0)
        return copies[t];
    copy = tf_tensor_new(engine, from.name, from.type, from.rank, from.dims, err);
    if (copy < 0)
        return copy;
    engine->tensors[copy].zp = from.zp;
    if (tf_step_copy(engine, &node, "Frame", t, copy) < 0)
        return tf_fail(err, -ENOMEM, "out of memory");
    return copies[t] = copy;
}

static bool dense_root(const struct tf_engine *engine, int t)
{
    for (; t >= 0; t = engine->tensors[t].parent)
        if (engine->tensors[t].dense || engine->tensors[t].constant)
            return true;
    return false;
}

static int give_halos(struct tf_engine *engine, struct tf_error *err)
{
    struct tf_step *steps = engine->steps;
    int count = engine->step_count, tensors = engine->tensor_count, r = 0;
    struct tf_mem mem = {0};
    int *copies = tf_mem_alloc(&mem, (size_t)tensors + 1, sizeof(*copies));

    if (!copies)
        return tf_fail(err, -ENOMEM, "out of memory");
    for (int i = 0; i < tensors; i++)
        copies[i] = -1;
    /* The steps are written anew, with the copies in between. */
    engine->steps = NULL;
    engine->step_count = engine->step_capacity = 0;
    for (int s = 0; s < count && !r; s++) {
        struct tf_step *step = &steps[s], *to;
        int64_t halo[4];

        if (tf_step_wants_halo(engine, step, halo)) {
            int t = step->in[0];
            if (dense_root(engine, t)) {
                t = framed_copy(engine, t, copies, err);
                if (t < 0) {
                    r = t;
                    break;
                }
                step->in[0] = t;
            }
            t = root_of(engine, t);
            for (int i = 0; i < 4; i++)
                engine->tensors[t].halo[i] = TF_MAX(engine->tensors[t].halo[i], halo[i]);
        }
        to = tf_step_new(engine, NULL, "", 0, 0, 0);
        if (!to)
            r = tf_fail(err, -ENOMEM, "out of memory");
        else
            *to = *step;
    }
    tf_mem_free(&mem);
    return r;
}

static int set_strides(struct tf_engine *engine, struct tf_error *err)
{
    for (int i = 0; i < engine->tensor_count; i++) {
        struct tf_tensor *t = &engine->tensors[i];
        size_t size = t->type == TF_F32 ? 4 : 1;
        int64_t s = 1;

        if (t->rank != 4) {
            for (int d = t->rank - 1; d >= 0; d--) {
                t->stride[d] = s;
                s *= t->dims[d];
            }
            t->bytes = t->count * size;
            continue;
        }
        t->stride[1] = 1;
        t->stride[3] = t->dims[1];
        if (__builtin_mul_overflow(t->stride[3], t->dims[3] + t->halo[1] + t->halo[3], &t->stride[2]) ||
            __builtin_mul_overflow(t->stride[2], t->dims[2] + t->halo[0] + t->halo[2], &t->stride[0]) ||
            __builtin_mul_overflow(t->stride[0], t->dims[0] * (int64_t)size, &s) ||
            s > (int64_t)TF_ENGINE_TENSOR_BYTES_MAX)
            return tf_fail(err, -E2BIG, "tensor \"%s\": more than %u bytes with its padding", t->name,
                           TF_ENGINE_TENSOR_BYTES_MAX);
        t->bytes = (size_t)s;
        t->offset = (size_t)(t->halo[0] * t->stride[2] + t->halo[1] * t->stride[3]) * size;
    }
    /* Parts take the strides of the whole; a chain of them is as long as concatenations are nested. */
    for (int i = 0; i < engine->tensor_count; i++) {
        struct tf_tensor *t = &engine->tensors[i];
        int root = root_of(engine, i);

        if (t->parent < 0)
            continue;
        if (t->shares)
            continue;
        memcpy(t->stride, engine->tensors[root].stride, sizeof(t->stride));
        t->offset = engine->tensors[root].offset;
        for (int p = i; engine->tensors[p].parent >= 0; p = engine->tensors[p].parent)
            t->offset += (size_t)engine->tensors[p].parent_channel;
    }
    return 0;
}

static void set_lifetimes(struct tf_engine *engine)
{
    for (int s = 0; s < engine->step_count; s++) {
        struct tf_step *step = &engine->steps[s];

        for (int i = 0; i < step->inputs + step->outputs; i++) {
            bool writes = i >= step->inputs;
            int root = root_of(engine, writes ? step->out[i - step->inputs] : step->in[i]);
            struct tf_tensor *t = &engine->tensors[root];

            if (t->first < 0)
                t->first = s;
            t->last = s;
            if (writes && t->filler < 0)
                t->filler = s;
        }
    }
    for (int i = 0; i < engine->tensor_count; i++)
        if (engine->tensors[i].persistent)
            engine->tensors[root_of(engine, i)].persistent = true;
}

static int list_fills(struct tf_engine *engine, struct tf_error *err)
{
    for (int s = 0; s < engine->step_count; s++) {
        struct tf_step *step = &engine->steps[s];

        step->fills = tf_mem_alloc(&engine->mem, (size_t)step->outputs + 1, sizeof(*step->fills));
        if (!step->fills)
            return tf_fail(err, -ENOMEM, "out of memory");
    }
    for (int i = 0; i < engine->tensor_count; i++) {
        struct tf_tensor *t = &engine->tensors[i];
        bool framed = t->halo[0] || t->halo[1] || t->halo[2] || t->halo[3];

        if (t->parent < 0 && t->filler >= 0 && framed) {
            struct tf_step *step = &engine->steps[t->filler];
            step->fills[step->fill_count++] = i;
        }
    }
    return 0;
}

int tf_layout(struct tf_engine *engine, struct tf_error *err)
{
    struct tf_mem mem = {0};
    int *writer = writers_of(engine, &mem), r;

    if (!writer)
        return tf_fail(err, -ENOMEM, "out of memory");
    place_concats(engine, writer);
    tf_mem_free(&mem);
    r = give_halos(engine, err);
    if (!r)
        r = set_strides(engine, err);
    if (!r) {
        set_lifetimes(engine);
        r = list_fills(engine, err);
    }
    return r;
}

void tf_fill_halo(const struct tf_engine *engine, int tensor)
{
    const struct tf_tensor *t = &engine->tensors[tensor];
    size_t row = (size_t)t->stride[2], left = (size_t)(t->halo[1] * t->stride[3]),
           right = (size_t)(t->halo[3] * t->stride[3]);

    for (int64_t b = 0; b < t->dims[0]; b++) {
        uint8_t *at = t->data - t->offset + b * t->stride[0];
        size_t top = (size_t)t->halo[0] * row;

        memset(at, t->zp, top + left);
        at += top;
        /* The right border of a row and the left one of the next are neighbours. */
        for (int64_t y = 0; y < t->dims[2]; y++, at += row)
            memset(at + row - right, t->zp, right + (y + 1 < t->dims[2] ? left : 0));
        memset(at, t->zp, (size_t)t->halo[2] * row);
    }
}
