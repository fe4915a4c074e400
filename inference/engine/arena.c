/*
 * One block of memory for all tensors. Those whose lifetimes (first to last step that touches them) do not
 * meet may lie over each other: placed largest first, each at the lowest offset that is free for its whole
 * life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inference/engine/plan.h"

#define FRONT 64 /* a window may begin a little before its tensor */

static bool meet(const struct tf_tensor *a, const struct tf_tensor *b)
{
    return a->persistent || b->persistent || (a->first <= b->last && b->first <= a->last);
}

struct placed {
    size_t from, to;
    int tensor;
};

static int by_size(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->to != y->to)
        return x->to < y->to ? 1 : -1;
    return x->tensor - y->tensor;
}

static int by_offset(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

int tf_arena(struct tf_engine *engine, struct tf_error *err)
{
    size_t count = (size_t)engine->tensor_count, size = 0;
    struct placed *order = calloc(count + 1, sizeof(*order)), *busy = calloc(count + 1, sizeof(*busy));
    int n = 0, r = 0;

    if (!order || !busy) {
        r = tf_fail(err, -ENOMEM, "out of memory");
        goto done;
    }
    for (int i = 0; i < engine->tensor_count; i++) {
        const struct tf_tensor *t = &engine->tensors[i];
        if (t->parent < 0 && (t->first >= 0 || t->persistent))
            order[n++] = (struct placed){.to = (t->bytes + TF_ALIGN - 1) / TF_ALIGN * TF_ALIGN, .tensor = i};
    }
    qsort(order, (size_t)n, sizeof(*order), by_size);
    for (int i = 0; i < n; i++) {
        size_t bytes = order[i].to, at = 0;
        int m = 0;

        for (int k = 0; k < i; k++)
            if (meet(&engine->tensors[order[i].tensor], &engine->tensors[order[k].tensor]))
                busy[m++] = order[k];
        qsort(busy, (size_t)m, sizeof(*busy), by_offset);
        for (int k = 0; k < m; k++) {
            if (busy[k].from >= at && busy[k].from - at >= bytes)
                break;
            at = TF_MAX(at, busy[k].to);
        }
        order[i].from = at;
        order[i].to = at + bytes;
        size = TF_MAX(size, at + bytes);
        if (size > TF_ENGINE_ARENA_BYTES_MAX) {
            r = tf_fail(err, -E2BIG, "tensor \"%s\": the tensors need more than %u bytes together",
                        engine->tensors[order[i].tensor].name, TF_ENGINE_ARENA_BYTES_MAX);
            goto done;
        }
    }
    engine->arena_bytes = FRONT + size + TF_OVERREAD;
    engine->arena = tf_mem_alloc(&engine->mem, engine->arena_bytes, 1);
    if (!engine->arena) {
        r = tf_fail(err, -ENOMEM, "out of memory for %zu bytes of tensors", engine->arena_bytes);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        struct tf_tensor *t = &engine->tensors[order[i].tensor];
        t->data = engine->arena + FRONT + order[i].from + t->offset;
    }
    for (int i = 0; i < engine->tensor_count; i++) {
        struct tf_tensor *t = &engine->tensors[i];
        int root = i;

        if (t->parent < 0)
            continue;
        while (engine->tensors[root].parent >= 0)
            root = engine->tensors[root].parent;
        /* Not every part is used: those of nothing have no place. */
        if (engine->tensors[root].data)
            t->data = engine->tensors[root].data - engine->tensors[root].offset + t->offset;
    }
done:
    free(order);
    free(busy);
    return r;
}
