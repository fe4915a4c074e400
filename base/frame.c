/* Frames, their reference counts, and the pools that they return to. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/frame.h"

#define FRAMES_MAX 1024
#define ALIGN 64u

struct tf_pool {
    pthread_mutex_t
        lock; /* guards the free stack and `closed`; held for a few instructions, never across a call out */
    size_t count, free_count;
    bool closed;
    bool abandoned; /* destroyed while frames were out: whoever brings the last one back frees the pool */
    void (*released)(void *context, struct tf_frame *frame);
    void *context;
    unsigned releasing; /* calls of `released` under way */
    pthread_cond_t released_done;
    struct tf_frame *frames;
    uint32_t *free_stack;
    uint8_t *memory;
    size_t frame_bytes;
    uint32_t plane_offset[TF_FRAME_PLANES], plane_stride[TF_FRAME_PLANES];
    int planes;
};

const char *tf_stamp_name(enum tf_stamp stamp)
{
    static const char *const names[] = {
        [TF_STAMP_ARRIVAL] = "arrival",
        [TF_STAMP_DRIVER_EOF] = "driver-eof",
        [TF_STAMP_DRIVER_SOE] = "driver-soe",
        [TF_STAMP_FILE] = "file",
    };
    return (size_t)stamp < TF_COUNT(names) ? names[stamp] : "unknown";
}

const char *tf_flag_name(unsigned bit)
{
    static const char *const names[TF_FLAG_COUNT] = {"ffc_imminent", "ffc", "ffc_settling", "corrupt",
                                                     "duplicate",    "gap", "reopened"};
    return bit < TF_FLAG_COUNT ? names[bit] : "unknown";
}

static uint32_t align_up(uint32_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

/* Lays the planes of one frame out; returns its bytes. */
static size_t lay_out(struct tf_pool *pool, uint32_t w, uint32_t h, enum tf_pixel pixel)
{
    uint32_t half_w = (w + 1) / 2, half_h = (h + 1) / 2;
    uint32_t bytes[TF_FRAME_PLANES] = {0}, rows[TF_FRAME_PLANES] = {h, half_h, half_h};
    size_t total = 0;

    switch (pixel) {
    case TF_PIXEL_U16:
        bytes[0] = w * 2;
        break;
    case TF_PIXEL_U8:
        bytes[0] = w;
        break;
    case TF_PIXEL_YUYV:
    case TF_PIXEL_UYVY:
        bytes[0] = half_w * 4;
        break;
    case TF_PIXEL_NV12:
        bytes[0] = w;
        bytes[1] = half_w * 2;
        break;
    case TF_PIXEL_YUV420:
        bytes[0] = w;
        bytes[1] = bytes[2] = half_w;
        break;
    }
    for (int i = 0; i < TF_FRAME_PLANES && bytes[i]; i++) {
        pool->plane_offset[i] = (uint32_t)total;
        pool->plane_stride[i] = align_up(bytes[i]);
        total += (size_t)pool->plane_stride[i] * rows[i];
        pool->planes = i + 1;
    }
    return total;
}

static void pool_free(struct tf_pool *pool)
{
    pthread_cond_destroy(&pool->released_done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->memory);
    free(pool->free_stack);
    free(pool->frames);
    free(pool);
}

int tf_pool_create(const struct tf_pool_options *options, struct tf_pool **ret)
{
    struct tf_pool *pool;

    if (options->frames < 1 || options->frames > FRAMES_MAX || options->width > TF_FRAME_DIM_MAX ||
        options->height > TF_FRAME_DIM_MAX || (options->width == 0) != (options->height == 0) ||
        (unsigned)options->pixel > TF_PIXEL_YUV420)
        return -EINVAL;
    pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->released_done, NULL);
    pool->count = options->frames;
    pool->released = options->released;
    pool->context = options->context;
    pool->frames = calloc(pool->count, sizeof(*pool->frames));
    pool->free_stack = calloc(pool->count, sizeof(*pool->free_stack));
    if (!pool->frames || !pool->free_stack)
        goto fail;
    if (options->width) {
        size_t total;

        pool->frame_bytes = lay_out(pool, options->width, options->height, options->pixel);
        total = pool->frame_bytes * pool->count;
        pool->memory = aligned_alloc(ALIGN, (total + ALIGN - 1) / ALIGN * ALIGN);
        if (!pool->memory)
            goto fail;
        /* Touched now, so that no page fault falls into the first frames. */
        memset(pool->memory, 0, total);
    }
    for (size_t i = 0; i < pool->count; i++) {
        pool->frames[i].pool = pool;
        pool->frames[i].index = (uint32_t)i;
        pool->free_stack[i] = (uint32_t)(pool->count - 1 - i);
    }
    pool->free_count = pool->count;
    *ret = pool;
    return 0;

fail:
    pool_free(pool);
    return -ENOMEM;
}

void tf_pool_destroy(struct tf_pool *pool)
{
    bool last;

    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    while (pool->releasing)
        pthread_cond_wait(&pool->released_done, &pool->lock);
    last = pool->free_count == pool->count;
    pool->abandoned = !last;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        pool_free(pool);
}

struct tf_frame *tf_pool_get(struct tf_pool *pool)
{
    struct tf_frame *f = NULL;

    pthread_mutex_lock(&pool->lock);
    if (pool->free_count && !pool->closed)
        f = &pool->frames[pool->free_stack[--pool->free_count]];
    pthread_mutex_unlock(&pool->lock);
    if (!f)
        return NULL;
    *f = (struct tf_frame){.pool = pool, .index = f->index, .sensor_c = NAN};
    for (int i = 0; i < pool->planes; i++) {
        f->plane[i] = pool->memory + pool->frame_bytes * f->index + pool->plane_offset[i];
        f->stride[i] = pool->plane_stride[i];
    }
    atomic_store_explicit(&f->references, 1, memory_order_relaxed);
    return f;
}

size_t tf_pool_free_count(const struct tf_pool *pool)
{
    struct tf_pool *p = (struct tf_pool *)pool; /* the lock is not part of what a reader sees */
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->free_count;
    pthread_mutex_unlock(&p->lock);
    return n;
}

struct tf_frame *tf_frame_ref(struct tf_frame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void tf_frame_unref(struct tf_frame *frame)
{
    struct tf_pool *pool;
    bool call, last;

    if (!frame || atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) != 1)
        return;
    pool = frame->pool;
    pthread_mutex_lock(&pool->lock);
    call = pool->released && !pool->closed;
    if (call)
        pool->releasing++;
    pthread_mutex_unlock(&pool->lock);
    if (call)
        pool->released(pool->context, frame);
    pthread_mutex_lock(&pool->lock);
    if (call && --pool->releasing == 0)
        pthread_cond_broadcast(&pool->released_done);
    pool->free_stack[pool->free_count++] = frame->index;
    /* Until the destroy has looked for itself, the pool is its to free: also between the end of its wait and
     * its waking up. */
    last = pool->abandoned && pool->free_count == pool->count;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        pool_free(pool);
}
