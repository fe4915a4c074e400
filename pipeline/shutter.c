/* Moving a camera's shutter: asked for in any thread, done by capture, to whom the source belongs. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pipeline/internal.h"

/* A camera answers within milliseconds; USB gives up after 5 s. */
#define WAIT_NS 3000000000ull

void tf_capture_ffc(struct tf_pipeline *p, struct tf_source *source)
{
    struct tf_error err = {0};
    enum tf_ffc action;
    int r;

    pthread_mutex_lock(&p->lock);
    action = p->ffc_action;
    pthread_mutex_unlock(&p->lock);
    if (source)
        r = tf_source_ffc(source, action, &err);
    else
        r = tf_fail(&err, -ENODEV, "camera %s: it has just gone", p->camera);
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->ffc_asked, false);
    p->ffc_done = true;
    p->ffc_result = r;
    p->ffc_error = err;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int tf_pipeline_ffc(struct tf_pipeline *p, enum tf_ffc action, struct tf_error *err)
{
    uint64_t until_ns = tf_now_ns() + WAIT_NS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    int r = 0;

    pthread_mutex_lock(&p->lock);
    if (!p->source) {
        r = tf_fail(err, -EAGAIN, "camera %s is not there now", p->camera);
        goto out;
    }
    if (!p->present.ffc[action]) {
        r = tf_fail(
            err, -ENOTSUP,
            "camera %s: not supported: its shutter cannot be %s from here (docs/cameras.md, \"Shutter\")",
            p->camera,
            action == TF_FFC_TRIGGER ? "triggered"
            : action == TF_FFC_HOLD  ? "held"
                                     : "released");
        goto out;
    }
    if (atomic_load(&p->ffc_asked)) {
        r = tf_fail(err, -EBUSY, "camera %s: its shutter is being moved already", p->camera);
        goto out;
    }
    p->ffc_action = action;
    p->ffc_done = false;
    atomic_store_explicit(&p->ffc_asked, true, memory_order_release);
    tf_source_wake(p->source);
    while (!p->ffc_done && r == 0)
        if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT && !p->ffc_done)
            r = tf_fail(err, -ETIMEDOUT, "camera %s has not answered within %g s", p->camera,
                        (double)WAIT_NS / 1e9);
    if (p->ffc_done) {
        r = p->ffc_result;
        if (r && err)
            *err = p->ffc_error;
    }
out:
    pthread_mutex_unlock(&p->lock);
    if (p->options.log && r == 0)
        tf_log(TF_LOG_NOTICE, p->camera, "shutter: %s",
               action == TF_FFC_TRIGGER ? "calibration asked for"
               : action == TF_FFC_HOLD  ? "held: no calibration by itself"
                                        : "released");
    return r;
}
