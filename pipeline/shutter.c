/* Moving a camera's shutter: asked for in any thread, done by capture, to whom the source belongs. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/shared.h"

/* A camera answers within milliseconds; USB gives up after 5 s. */
#define WAIT_NS 3000000000ull

void tf_shutter_answer(struct tf_shared *s, const struct tf_setup *setup, struct tf_source *source)
{
    struct tf_error err = {0};
    enum tf_ffc action;
    int r;

    pthread_mutex_lock(&s->lock);
    action = s->shutter.action;
    pthread_mutex_unlock(&s->lock);
    if (source)
        r = tf_source_ffc(source, action, &err);
    else
        r = tf_fail(&err, -ENODEV, "camera %s: it has just gone", setup->camera);
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->shutter.asked, false);
    s->shutter.done = true;
    s->shutter.result = r;
    s->shutter.error = err;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

int tf_shutter_move(struct tf_shared *s, const struct tf_setup *setup, enum tf_ffc action,
                    struct tf_error *err)
{
    uint64_t until_ns = tf_now_ns() + WAIT_NS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / TF_NS_PER_S),
                             .tv_nsec = (long)(until_ns % TF_NS_PER_S)};
    int r = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->source) {
        r = tf_fail(err, -EAGAIN, "camera %s is not there now", setup->camera);
        goto out;
    }
    if (!s->present.ffc[action]) {
        r = tf_fail(
            err, -ENOTSUP,
            "camera %s: not supported: its shutter cannot be %s from here (docs/cameras.md, \"Shutter\")",
            setup->camera,
            action == TF_FFC_TRIGGER ? "triggered"
            : action == TF_FFC_HOLD  ? "held"
                                     : "released");
        goto out;
    }
    if (atomic_load(&s->shutter.asked)) {
        r = tf_fail(err, -EBUSY, "camera %s: its shutter is being moved already", setup->camera);
        goto out;
    }
    s->shutter.action = action;
    s->shutter.done = false;
    atomic_store_explicit(&s->shutter.asked, true, memory_order_release);
    tf_source_wake(s->source);
    while (!s->shutter.done && r == 0)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT && !s->shutter.done)
            r = tf_fail(err, -ETIMEDOUT, "camera %s has not answered within %g s", setup->camera,
                        (double)WAIT_NS / 1e9);
    if (s->shutter.done) {
        r = s->shutter.result;
        if (r && err)
            *err = s->shutter.error;
    }
out:
    pthread_mutex_unlock(&s->lock);
    if (setup->options.log && r == 0)
        tf_log(TF_LOG_NOTICE, setup->camera, "shutter: %s",
               action == TF_FFC_TRIGGER ? "calibration asked for"
               : action == TF_FFC_HOLD  ? "held: no calibration by itself"
                                        : "released");
    return r;
}
