/* The two queues between the threads, and who wants pictures. */
#include <errno.h>
#include <stdlib.h>

#include "pipeline/shared.h"

/* A frame that the live ring had no room for: its entry in the backlog stays and becomes a record that says
 * so. */
static void entry_dropped(void *context, void *v)
{
    struct tf_entry *entry = v;

    tf_frame_unref(entry->frame);
    entry->frame = NULL;
}

int tf_frame_queue_create(struct tf_frame_queue *q, bool live)
{
    sem_init(&q->slots, 0, TF_LIVE_RING);
    q->backlog = calloc(TF_BACKLOG, sizeof(*q->backlog));
    if (!q->backlog)
        return -ENOMEM;
    return tf_ring_create(live ? TF_RING_DROP_OLDEST : TF_RING_REFUSE, TF_LIVE_RING, entry_dropped, NULL,
                          &q->ring);
}

void tf_frame_queue_finish(struct tf_frame_queue *q)
{
    tf_ring_destroy(q->ring);
    free(q->backlog);
    sem_destroy(&q->slots);
}

int tf_picture_queue_create(struct tf_picture_queue *q, bool wait, void (*dropped)(void *context, void *item),
                            void *context)
{
    sem_init(&q->slots, 0, TF_PICTURE_RING);
    q->wait = wait;
    return tf_ring_create(wait ? TF_RING_REFUSE : TF_RING_DROP_OLDEST, TF_PICTURE_RING, dropped, context,
                          &q->ring);
}

void tf_picture_queue_finish(struct tf_picture_queue *q)
{
    tf_ring_destroy(q->ring);
    sem_destroy(&q->slots);
}

bool tf_picture_viewers(const struct tf_picture_queue *q)
{
    return (q->mount && tf_rtsp_viewers(q->mount) > 0) || tf_live_viewers(q->live) > 0;
}

bool tf_picture_watched(const struct tf_picture_queue *q)
{
    return atomic_load_explicit(&q->video_open, memory_order_relaxed) ||
           atomic_load_explicit(&q->recording, memory_order_relaxed) || tf_picture_viewers(q);
}

bool tf_picture_wanted(const struct tf_picture_queue *q)
{
    return tf_picture_watched(q) || (q->mount && !atomic_load_explicit(&q->described, memory_order_relaxed));
}

bool tf_picture_due(uint64_t *due_ns, float fps_max, uint64_t t_ns)
{
    uint64_t period;

    if (!(fps_max > 0))
        return true;
    period = (uint64_t)(1e9 / (double)fps_max);
    /* A frame a little early counts as in time: stamps jitter, and waiting for the next one would halve the
     * rate. */
    if (t_ns + period / 4 < *due_ns)
        return false;
    /* From due time to due time, not from frame to frame: else 30 frames a second under a limit of 25 would
     * all be early enough. */
    *due_ns = *due_ns + 2 * period > t_ns ? *due_ns + period : t_ns + period;
    return true;
}
