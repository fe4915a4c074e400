/* What the threads share under the lock: stop and end, the source, the newest record, the turn. */
#include "base/clock.h"
#include "pipeline/shared.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAG_NS TF_NS_PER_S /* pictures of an earlier turn are through after that */

void tf_shared_init(struct tf_shared *s, const struct tf_setup *setup)
{
    struct tf_status *status = &s->status;
    pthread_condattr_t attr;

    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    s->overlay_options = setup->options.overlay;
    s->overlay_number = 1;
    if (setup->options.own)
        tf_own_of_camera(setup->options.own, setup->camera, &s->own);
    atomic_store(&s->own_number, 1);
    s->state_since_utc_ns = tf_utc_now_ns();
    atomic_store(&s->turn.wanted, -1);
    atomic_store(&s->turn.better, -1);

    snprintf(status->camera, sizeof(status->camera), "%s", setup->camera);
    status->state = TF_CAMERA_OPENING;
    status->state_since_mono_ns = tf_now_ns();
    status->sensor_c = status->nose_c = status->forehead_c = NAN;
    status->rate_hz = status->drift_ppm = status->drift_err_ppm = NAN;
    if (setup->options.pair) {
        status->pair.paired = true;
        status->pair.calibrated = setup->pair.registration != NULL;
        snprintf(status->pair.partner, sizeof(status->pair.partner), "%s", setup->pair.partner);
    }
}

void tf_shared_finish(struct tf_shared *s)
{
    if (s->latest)
        tf_shared_record_unref(s->latest);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
}

void tf_shared_fail(struct tf_shared *s, int code, const struct tf_error *err)
{
    pthread_mutex_lock(&s->lock);
    if (!s->result) {
        s->result = code;
        s->error = *err;
    }
    pthread_mutex_unlock(&s->lock);
}

bool tf_shared_sleep(struct tf_shared *s, uint64_t ns)
{
    uint64_t t = tf_now_ns() + ns;
    struct timespec until = {.tv_sec = (time_t)(t / TF_NS_PER_S), .tv_nsec = (long)(t % TF_NS_PER_S)};

    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping))
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&s->lock);
    return !atomic_load(&s->stopping);
}

bool tf_shared_running(struct tf_shared *s)
{
    bool running;

    pthread_mutex_lock(&s->lock);
    running = s->threads_left > 0;
    pthread_mutex_unlock(&s->lock);
    return running;
}

void tf_shared_beat(struct tf_shared *s, enum tf_thread_role role)
{
    atomic_store_explicit(&s->workers[role].beat_ns, tf_now_ns(), memory_order_relaxed);
}

void tf_shared_set_source(struct tf_shared *s, const struct tf_source_info *info)
{
    struct tf_status *status = &s->status;

    pthread_mutex_lock(&s->lock);
    /* Readers hold a pointer to it (tf_pipeline_source_info), so it is written once; the status follows a
     * change. */
    if (!s->has_info) {
        s->info = *info;
        s->has_info = true;
    }
    s->present = *info;
    status->nominal_hz = info->fps;
    memcpy(status->ffc, info->ffc, sizeof(status->ffc));
    snprintf(status->source_kind, sizeof(status->source_kind), "%s", info->kind);
    snprintf(status->source_name, sizeof(status->source_name), "%s", info->name);
    snprintf(status->format, sizeof(status->format), "%s", info->format ? info->format->name : "");
    status->width = info->rotate % 180 ? info->height : info->width;
    status->height = info->rotate % 180 ? info->width : info->height;
    status->celsius = info->radiometry.valid;
    status->turn.rotate = info->rotate;
    status->turn.flip = info->flip;
    pthread_mutex_unlock(&s->lock);
}

void tf_shared_own(struct tf_shared *s, struct tf_own_regions *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->own;
    pthread_mutex_unlock(&s->lock);
}

uint32_t tf_shared_overlay(struct tf_shared *s, struct tf_overlay_options *ret)
{
    uint32_t number;

    pthread_mutex_lock(&s->lock);
    *ret = s->overlay_options;
    number = s->overlay_number;
    pthread_mutex_unlock(&s->lock);
    return number;
}

void tf_shared_latest(struct tf_shared *s, struct tf_latest *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = (struct tf_latest){
        .record = s->latest,
        .width = s->status.width,
        .height = s->status.height,
        .state = s->status.state,
        .since_utc_ns = s->state_since_utc_ns,
        .frames = s->status.frames,
        .last_frame = s->status.last_frame,
        .turn_better = atomic_load_explicit(&s->turn.better, memory_order_relaxed),
    };
    if (ret->record)
        tf_shared_record_ref(ret->record);
    pthread_mutex_unlock(&s->lock);
    if (ret->record) {
        ret->width = tf_frame_upright_width(ret->record->frame);
        ret->height = tf_frame_upright_height(ret->record->frame);
    }
}

void tf_shared_record_ref(struct tf_shared_record *record)
{
    atomic_fetch_add_explicit(&record->references, 1, memory_order_relaxed);
}

void tf_shared_record_unref(struct tf_shared_record *record)
{
    if (atomic_fetch_sub_explicit(&record->references, 1, memory_order_acq_rel) != 1)
        return;
    tf_frame_unref(record->frame);
    record->frame = NULL;
    atomic_store_explicit(&record->taken, false, memory_order_release);
}

void tf_turn_hold(struct tf_shared *s)
{
    uint64_t changed;

    pthread_mutex_lock(&s->lock);
    s->turn.held = true;
    changed = s->turn.changed_ns;
    pthread_mutex_unlock(&s->lock);
    if (changed)
        tf_sleep_until_ns(changed + LAG_NS);
}

void tf_turn_release(struct tf_shared *s)
{
    pthread_mutex_lock(&s->lock);
    s->turn.held = false;
    pthread_mutex_unlock(&s->lock);
}
