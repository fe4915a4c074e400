/* What is known of the camera, for any thread: status, health, times. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/internal.h"

/* Several sinks of one name (a service's for all cameras, say) are one place. */
static int tell_sinks(const struct tf_sinks *sinks, struct tf_status *ret)
{
    int n = 0;

    for (int i = 0; i < sinks->count; i++) {
        int k = 0;

        while (k < n && strcmp(ret->sinks[k].name, sinks->items[i].name) != 0)
            k++;
        if (k == TF_SINKS_TOLD - 1)
            break;
        if (k == n)
            ret->sinks[n++] = (struct tf_sink_told){.name = sinks->items[i].name};
        ret->sinks[k].lost += atomic_load(&sinks->lost[i]);
    }
    return n;
}

void tf_pipeline_status(const struct tf_pipeline *pipeline, struct tf_status *ret)
{
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline; /* the lock is not part of what a reader sees */
    const struct tf_picture_queue *q = &p->picture_queue;
    struct tf_shared *s = &p->shared;
    uint64_t now = tf_now_ns();
    int n;

    pthread_mutex_lock(&s->lock);
    *ret = s->status;
    ret->fps = tf_shared_fps_locked(s, now);
    tf_rate_get(&s->pace.rate, ret->nominal_hz, &ret->rate_hz, &ret->drift_ppm, &ret->drift_err_ppm);
    pthread_mutex_unlock(&s->lock);
    ret->encoded = atomic_load(&p->pictures.encoded);
    tf_recorder_tell(&p->recorder, &ret->recording);
    n = tell_sinks(&p->inference.sinks, ret);
    if (p->setup.options.video)
        ret->sinks[n] = (struct tf_sink_told){.name = "video", .lost = atomic_load(&p->pictures.video_lost)};
    ret->dropped_rtsp = p->setup.options.pictures ? tf_ring_counters(q->ring).dropped : 0;
    if (q->mount) {
        ret->dropped_rtsp += tf_rtsp_dropped(q->mount);
        ret->rtsp_viewers = tf_rtsp_viewers(q->mount);
    }
}

int tf_pipeline_health(const struct tf_pipeline *pipeline, char *reason, size_t size)
{
    static const char *const names[] = {"capture", "inference", "picture"};
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    int hung = -1;

    pthread_mutex_lock(&p->shared.lock);
    for (int i = 0; i < TF_THREADS; i++) {
        const struct tf_worker *worker = &p->shared.workers[i];
        uint64_t beat = atomic_load_explicit(&worker->beat_ns, memory_order_relaxed);

        if (worker->running && tf_now_ns() - beat > TF_HANG_NS && tf_now_ns() > beat)
            hung = i;
    }
    pthread_mutex_unlock(&p->shared.lock);
    if (hung < 0)
        return 0;
    snprintf(reason, size, "camera %s: the %s thread has not moved for %.0f s", p->setup.camera, names[hung],
             (double)TF_HANG_NS / 1e9);
    return -ETIMEDOUT;
}

static uint64_t cpu_ns(const struct tf_worker *worker)
{
    struct timespec t;

    if (!worker->running || clock_gettime(worker->clock, &t) < 0)
        return worker->cpu_ns;
    return (uint64_t)t.tv_sec * TF_NS_PER_S + (uint64_t)t.tv_nsec;
}

void tf_pipeline_times(const struct tf_pipeline *pipeline, struct tf_pipeline_times *ret)
{
    static const char *const names[TF_STAGES] = {"normalise", "finder", "landmarks", "regions",
                                                 "turns",     "record", "overlay",   "encode"};
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    struct tf_pipeline_times t = {0};
    uint64_t total = 0, capture, n;

    pthread_mutex_lock(&p->shared.lock);
    t.frames = p->shared.status.frames;
    t.skipped = p->shared.status.state_frames[TF_STATE_SKIPPED];
    capture = cpu_ns(&p->shared.workers[TF_THREAD_CAPTURE]);
    for (int i = 0; i < TF_THREADS; i++)
        total += cpu_ns(&p->shared.workers[i]);
    pthread_mutex_unlock(&p->shared.lock);

    n = t.frames ? t.frames : 1;
    t.cpu_us_per_frame = (double)total / 1e3 / (double)n;
    t.stages[t.stage_count].name = "capture";
    t.stages[t.stage_count++].us = (double)capture / 1e3 / (double)n;
    for (int i = 0; i < TF_STAGES; i++) {
        t.stages[t.stage_count].name = names[i];
        t.stages[t.stage_count++].us = (double)atomic_load(&p->shared.measures.stage_ns[i]) / 1e3 / (double)n;
    }
    tf_measures_latency(&p->shared.measures, &t);
    *ret = t;
}
