/* A bounded ring of pointers between two threads: the oldest goes, or the newest is refused. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/ring.h"

struct tf_ring {
    enum tf_ring_kind kind;
    size_t capacity, head, length; /* head: the oldest */
    bool closed;
    void (*drop)(void *context, void *entry);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t filled; /* on CLOCK_MONOTONIC */
    struct tf_ring_counters counters;
    void *entries[];
};

int tf_ring_create(enum tf_ring_kind kind, size_t capacity, void (*drop)(void *context, void *entry),
                   void *context, struct tf_ring **ret)
{
    struct tf_ring *ring;
    pthread_condattr_t attr;

    if (capacity < 1 || capacity > 1 << 20)
        return -EINVAL;
    ring = calloc(1, sizeof(*ring) + capacity * sizeof(ring->entries[0]));
    if (!ring)
        return -ENOMEM;
    ring->kind = kind;
    ring->capacity = capacity;
    ring->drop = drop;
    ring->context = context;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ring->filled, &attr);
    pthread_condattr_destroy(&attr);
    *ret = ring;
    return 0;
}

static void *take_oldest(struct tf_ring *ring)
{
    void *entry = ring->entries[ring->head];

    ring->head = (ring->head + 1) % ring->capacity;
    ring->length--;
    return entry;
}

void tf_ring_destroy(struct tf_ring *ring)
{
    if (!ring)
        return;
    while (ring->length) {
        void *entry = take_oldest(ring);
        if (ring->drop)
            ring->drop(ring->context, entry);
    }
    pthread_cond_destroy(&ring->filled);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

int tf_ring_push(struct tf_ring *ring, void *entry)
{
    void *oldest = NULL;
    bool dropped = false;
    int r = 0;

    pthread_mutex_lock(&ring->lock);
    if (ring->closed) {
        r = -EPIPE;
    } else if (ring->length == ring->capacity && ring->kind == TF_RING_REFUSE) {
        ring->counters.refused++;
        r = -ENOBUFS;
    } else {
        if (ring->length == ring->capacity) {
            oldest = take_oldest(ring);
            dropped = true;
            ring->counters.dropped++;
        }
        ring->entries[(ring->head + ring->length) % ring->capacity] = entry;
        ring->length++;
        ring->counters.pushed++;
        pthread_cond_signal(&ring->filled);
    }
    pthread_mutex_unlock(&ring->lock);
    /* Outside the lock: dropping may return a frame to its pool or re-queue a driver's buffer. */
    if (dropped && ring->drop)
        ring->drop(ring->context, oldest);
    return r;
}

int tf_ring_pop(struct tf_ring *ring, int timeout_ms, void **ret)
{
    struct timespec until = {0};
    int r = 0;

    if (timeout_ms > 0) {
        uint64_t t = tf_now_ns() + (uint64_t)timeout_ms * 1000000u;
        until.tv_sec = (time_t)(t / TF_NS_PER_S);
        until.tv_nsec = (long)(t % TF_NS_PER_S);
    }
    pthread_mutex_lock(&ring->lock);
    while (!ring->length && !ring->closed && r == 0) {
        if (timeout_ms < 0)
            pthread_cond_wait(&ring->filled, &ring->lock);
        else if (timeout_ms == 0 || pthread_cond_timedwait(&ring->filled, &ring->lock, &until) == ETIMEDOUT)
            r = -EAGAIN;
    }
    if (ring->length) {
        *ret = take_oldest(ring);
        ring->counters.popped++;
        r = 0;
    } else if (ring->closed) {
        r = -EPIPE;
    }
    pthread_mutex_unlock(&ring->lock);
    return r;
}

void tf_ring_close(struct tf_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

struct tf_ring_counters tf_ring_counters(const struct tf_ring *ring)
{
    struct tf_ring *r = (struct tf_ring *)ring; /* the lock is not part of what a reader sees */
    struct tf_ring_counters counters;

    pthread_mutex_lock(&r->lock);
    counters = r->counters;
    counters.length = r->length;
    pthread_mutex_unlock(&r->lock);
    return counters;
}
