/* A pool of frames whose pixels stay in the driver's buffers. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "capture/internal.h"

struct tf_lender {
    struct tf_pool *pool;
    size_t frames;
    struct tf_lender_ops ops;
    void *context;
    struct tf_lender *next; /* in `closed` */
};

/* Lenders whose source is closed and whose frames are still out: a handful at most, after a camera was lost.
 */
static pthread_mutex_t closed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tf_lender *closed;

static void lender_free(struct tf_lender *lender)
{
    tf_pool_destroy(lender->pool); /* waits for a `released` under way */
    lender->ops.destroy(lender->context);
    free(lender);
}

static bool all_back(const struct tf_lender *lender)
{
    return tf_pool_free_count(lender->pool) == lender->frames;
}

static void sweep(void)
{
    struct tf_lender *done = NULL, *l;

    pthread_mutex_lock(&closed_lock);
    for (struct tf_lender **p = &closed; *p;) {
        l = *p;
        if (all_back(l)) {
            *p = l->next;
            l->next = done;
            done = l;
        } else {
            p = &l->next;
        }
    }
    pthread_mutex_unlock(&closed_lock);
    while (done) {
        l = done;
        done = l->next;
        lender_free(l);
    }
}

static void released(void *context, struct tf_frame *frame)
{
    struct tf_lender *l = context;

    l->ops.released(l->context, frame);
}

int tf_lender_create(const struct tf_pool_options *pool, const struct tf_lender_ops *ops, void *context,
                     struct tf_lender **ret)
{
    struct tf_pool_options o = *pool;
    struct tf_lender *l;
    int r;

    sweep();
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->ops = *ops;
    l->context = context;
    l->frames = o.frames;
    o.released = released;
    o.context = l;
    r = tf_pool_create(&o, &l->pool);
    if (r) {
        free(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct tf_pool *tf_lender_pool(struct tf_lender *lender)
{
    return lender->pool;
}

void tf_lender_close(struct tf_lender *lender)
{
    pthread_mutex_lock(&closed_lock);
    lender->next = closed;
    closed = lender;
    pthread_mutex_unlock(&closed_lock);
    sweep();
}
