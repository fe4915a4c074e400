/* The buffers of one run of a V4L2 device: see capture/v4l2.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "capture/v4l2.h"

struct buffer {
    uint8_t *address;
    size_t length;
    bool queued; /* the driver has it */
    bool lent;
};

struct tf_v4l2_run {
    /* Guards `io` and the buffers' state against frames that come back in other threads; held across QBUF
     * only. */
    pthread_mutex_t lock;
    struct tf_v4l2_io io; /* fd -1 once stopped */
    size_t count;
    struct buffer buffers[TF_V4L2_BUFFERS_MAX];
    struct tf_lender *lender;
};

static int queue(struct tf_v4l2_run *run, size_t index)
{
    struct v4l2_buffer b = {
        .index = (uint32_t)index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int r = tf_v4l2_ioctl(&run->io, VIDIOC_QBUF, &b);

    run->buffers[index].queued = r == 0;
    return r;
}

static void released(void *context, struct tf_frame *frame)
{
    struct tf_v4l2_run *run = context;
    uintptr_t number = (uintptr_t)frame->priv;
    struct buffer *b;

    if (!number)
        return; /* a frame with its own memory */
    b = &run->buffers[number - 1];
    pthread_mutex_lock(&run->lock);
    b->lent = false;
    if (run->io.fd >= 0) {
        queue(run, number - 1); /* fails when the camera is gone: dequeuing says so */
    } else if (b->address) {
        munmap(b->address, b->length);
        b->address = NULL;
    }
    pthread_mutex_unlock(&run->lock);
}

static void destroy(void *context)
{
    struct tf_v4l2_run *run = context;

    for (size_t i = 0; i < run->count; i++)
        if (run->buffers[i].address)
            munmap(run->buffers[i].address, run->buffers[i].length);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

static void unmap_all(struct tf_v4l2_run *run)
{
    struct v4l2_requestbuffers none = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};

    for (size_t i = 0; i < run->count; i++) {
        struct buffer *b = &run->buffers[i];

        if (b->address && !b->lent) {
            tf_v4l2_munmap(&run->io, b->address, b->length);
            b->address = NULL;
        }
    }
    tf_v4l2_ioctl(&run->io, VIDIOC_REQBUFS, &none);
}

static int map_buffers(struct tf_v4l2_run *run, size_t needed, struct tf_error *err, const char *path)
{
    for (size_t i = 0; i < run->count; i++) {
        struct v4l2_buffer b = {
            .index = (uint32_t)i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        int r = tf_v4l2_ioctl(&run->io, VIDIOC_QUERYBUF, &b);
        void *address;

        if (r)
            return tf_fail(err, r, "%s: buffer %zu cannot be asked for (VIDIOC_QUERYBUF: %s)", path, i,
                           strerror(-r));
        if (b.length < needed || b.length == 0)
            return tf_fail(err, -EPROTO, "%s: the driver's buffers hold %u bytes, a picture needs %zu", path,
                           b.length, needed);
        address = tf_v4l2_mmap(&run->io, b.length, b.m.offset);
        if (address == MAP_FAILED)
            return tf_fail(err, -errno, "%s: buffer %zu cannot be mapped: %s", path, i, strerror(errno));
        run->buffers[i].address = address;
        run->buffers[i].length = b.length;
    }
    return 0;
}

int tf_v4l2_run_create(const struct tf_v4l2_io *io, size_t buffers, size_t needed,
                       const struct tf_pool_options *own, struct tf_v4l2_run **ret, struct tf_error *err,
                       const char *path)
{
    static const struct tf_lender_ops ops = {released, destroy};
    struct v4l2_requestbuffers request = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    struct tf_pool_options pool = *own;
    struct tf_v4l2_run *run = calloc(1, sizeof(*run));
    int r;

    if (!run)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    pthread_mutex_init(&run->lock, NULL);
    run->io = *io;
    request.count = (uint32_t)(buffers > TF_V4L2_BUFFERS_MAX ? TF_V4L2_BUFFERS_MAX : buffers);
    r = tf_v4l2_ioctl(&run->io, VIDIOC_REQBUFS, &request);
    if (r) {
        tf_fail(err, r,
                r == -EBUSY ? "%s: in use by another program (VIDIOC_REQBUFS: %s)"
                            : "%s: the driver gives no buffers (VIDIOC_REQBUFS: %s)",
                path, strerror(-r));
        goto fail;
    }
    run->count = request.count > TF_V4L2_BUFFERS_MAX ? TF_V4L2_BUFFERS_MAX : request.count;
    if (run->count < 2) {
        r = tf_fail(err, -ENOMEM, "%s: the driver gives %zu buffers; two are the least", path, run->count);
        goto fail_buffers;
    }
    r = map_buffers(run, needed, err, path);
    if (r)
        goto fail_buffers;
    /* A frame's descriptor is free a moment after its buffer is queued again: one or two to spare. */
    if (!pool.width)
        pool.frames = run->count + 2;
    r = tf_lender_create(&pool, &ops, run, &run->lender);
    if (r) {
        tf_fail(err, r, "%s: no memory for %zu frames", path, pool.frames);
        goto fail_buffers;
    }
    *ret = run;
    return 0;

fail_buffers:
    unmap_all(run);
fail:
    run->count = 0;
    destroy(run);
    return r;
}

int tf_v4l2_run_start(struct tf_v4l2_run *run)
{
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE, r;

    for (size_t i = 0; i < run->count; i++) {
        r = queue(run, i);
        if (r)
            return r;
    }
    return tf_v4l2_ioctl(&run->io, VIDIOC_STREAMON, &type);
}

/* Readers keep their picture, at its address; the driver's memory goes. */
static void keep_copy(struct buffer *b)
{
    void *copy = mmap(NULL, b->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (copy == MAP_FAILED)
        return; /* the mapping stays as it is, and holds the device until the frame comes back */
    memcpy(copy, b->address, b->length);
    if (mremap(copy, b->length, b->length, MREMAP_MAYMOVE | MREMAP_FIXED, b->address) == MAP_FAILED)
        munmap(copy, b->length);
}

void tf_v4l2_run_stop(struct tf_v4l2_run *run)
{
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

    pthread_mutex_lock(&run->lock);
    tf_v4l2_ioctl(&run->io, VIDIOC_STREAMOFF, &type);
    for (size_t i = 0; i < run->count; i++)
        if (run->buffers[i].lent)
            keep_copy(&run->buffers[i]);
    unmap_all(run);
    run->io.fd = -1;
    pthread_mutex_unlock(&run->lock);
    tf_lender_close(run->lender);
}

size_t tf_v4l2_run_queued(struct tf_v4l2_run *run)
{
    size_t n = 0;

    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < run->count; i++)
        n += run->buffers[i].queued;
    pthread_mutex_unlock(&run->lock);
    return n;
}

struct tf_pool *tf_v4l2_run_pool(struct tf_v4l2_run *run)
{
    return tf_lender_pool(run->lender);
}

int tf_v4l2_run_dequeue(struct tf_v4l2_run *run, struct v4l2_buffer *buffer)
{
    int r;

    memset(buffer, 0, sizeof(*buffer));
    buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer->memory = V4L2_MEMORY_MMAP;
    r = tf_v4l2_ioctl(&run->io, VIDIOC_DQBUF, buffer);
    if (r)
        return r;
    pthread_mutex_lock(&run->lock);
    if (buffer->index >= run->count || !run->buffers[buffer->index].queued)
        r = -EPROTO;
    else
        run->buffers[buffer->index].queued = false;
    pthread_mutex_unlock(&run->lock);
    return r ? r : (int)buffer->index;
}

const uint8_t *tf_v4l2_run_data(const struct tf_v4l2_run *run, int index, size_t *length)
{
    *length = run->buffers[index].length;
    return run->buffers[index].address;
}

void tf_v4l2_run_lend(struct tf_v4l2_run *run, int index, struct tf_frame *frame)
{
    pthread_mutex_lock(&run->lock);
    run->buffers[index].lent = true;
    pthread_mutex_unlock(&run->lock);
    frame->priv = (void *)(uintptr_t)(index + 1);
}

int tf_v4l2_run_give_back(struct tf_v4l2_run *run, int index)
{
    int r;

    pthread_mutex_lock(&run->lock);
    r = queue(run, (size_t)index);
    pthread_mutex_unlock(&run->lock);
    return r;
}
