/*
 * A bounded ring of pointers between one producer thread and one consumer thread. The live kind drops the
 * oldest entry to make room; the recording kind refuses the new one. Both count what they lost; the counters
 * only grow.
 */
#ifndef TF_BASE_RING_H
#define TF_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tf_ring_kind {
    TF_RING_DROP_OLDEST,
    TF_RING_REFUSE,
};

struct tf_ring;

/* `drop` is called for an entry that a push pushed out, in the producer's thread, and for entries left at
 * destroy; may be NULL. */
int tf_ring_create(enum tf_ring_kind kind, size_t capacity, void (*drop)(void *context, void *entry),
                   void *context, struct tf_ring **ret);
void tf_ring_destroy(struct tf_ring *ring);

/* Takes the entry over. -ENOBUFS: refused (the caller keeps it); -EPIPE: closed. Never waits for the
 * consumer. */
int tf_ring_push(struct tf_ring *ring, void *entry);
/*
 * The oldest entry. timeout_ms: 0 = do not wait, negative = without end. -EAGAIN: nothing in time; -EPIPE:
 * closed and empty.
 */
int tf_ring_pop(struct tf_ring *ring, int timeout_ms, void **ret);
/* No further push succeeds; the consumer drains what is there and then gets -EPIPE. */
void tf_ring_close(struct tf_ring *ring);

struct tf_ring_counters {
    uint64_t pushed, popped, dropped, refused;
    size_t length;
};
struct tf_ring_counters tf_ring_counters(const struct tf_ring *ring);

#endif
