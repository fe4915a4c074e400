/* The capture thread: takes frames from the source, hands them on without ever waiting, and supervises the
 * camera. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pipeline/internal.h"

/* How the frames of one opening ended. */
enum outcome {
    OUTCOME_STOP,
    OUTCOME_END,  /* of a file */
    OUTCOME_LOST, /* err says why; worth another try */
};

int tf_capture_open(struct tf_pipeline *p, struct tf_source **ret, struct tf_error *err)
{
    struct tf_source *source;
    int r;

    r = tf_source_open(&p->options.source, &source, err);
    if (r < 0)
        return r;
    r = tf_source_start(source, err);
    if (r < 0) {
        tf_source_close(source);
        return r;
    }
    *ret = source;
    return 0;
}

/*
 * Hands a frame on. The entry in the backlog is what makes a record of every frame: the ring may drop the
 * frame, never the entry, and inference goes through the entries in order.
 */
static void deliver(struct tf_pipeline *p, struct tf_source *source, struct tf_frame *frame)
{
    uint64_t head = atomic_load_explicit(&p->backlog_head, memory_order_relaxed);
    struct tf_source_drops drops = tf_source_drops(source);
    struct tf_entry *entry;

    if (head - atomic_load_explicit(&p->backlog_tail, memory_order_acquire) >= TF_BACKLOG) {
        /* Inference has not answered for many seconds. The frame is lost before it has a number, and counted.
         */
        p->lost_backlog++;
        tf_frame_unref(frame);
        return;
    }
    if (p->reopened) {
        p->reopened = false;
        /* Nobody knows how many frames an absence has cost; that it has cost some is known. */
        frame->flags |= TF_FLAG_REOPENED | (p->frames_captured ? TF_FLAG_GAP : 0);
    }
    entry = &p->backlog[head % TF_BACKLOG];
    entry->frame = frame;
    entry->head = (struct tf_head){
        .n = p->frames_captured,
        .number = frame->past.valid ? frame->past.frame : p->frames_captured,
        .sequence = frame->sequence,
        .camera_counter = frame->camera_counter,
        .has_camera_counter = frame->has_camera_counter,
        .t_mono_ns = frame->t_mono_ns,
        .t_utc_ns = frame->t_utc_ns,
        .stamp = frame->stamp,
        .flags = frame->flags,
        .radiometry = frame->radiometry,
        .sensor_c = frame->sensor_c,
        .rotate = frame->rotate,
        .flip = frame->flip,
        .dropped_driver = p->drops_before.driver + drops.driver,
        .dropped_capture = p->drops_before.capture + drops.capture + p->lost_backlog,
        .video_frame = frame->past.valid ? frame->past.video_frame : -1,
        .past = frame->past,
        .opening = p->openings,
    };
    if (frame->past.valid) {
        entry->head.dropped_driver = frame->dropped_driver;
        entry->head.dropped_capture = frame->past.dropped_capture;
    }
    p->frames_captured++;
    tf_pipeline_record_frame(p, frame, &entry->head);
    atomic_store_explicit(&p->backlog_head, head + 1, memory_order_release);
    if (!p->live)
        while (sem_wait(&p->ring_slots) < 0 && errno == EINTR)
            ;
    tf_ring_push(p->ring, entry);
}

/*
 * How long a silence is no reason to worry: two seconds, or a few frames of a slow camera. A recording may
 * pause for as long as it did when it was made.
 */
static uint64_t patience_ns(const struct tf_source_info *info)
{
    uint64_t t = TF_STALL_NS;

    if (strcmp(info->kind, "file") == 0)
        return UINT64_MAX;
    if (info->fps > 0 && 4e9 / (double)info->fps > (double)t)
        t = (uint64_t)(4e9 / (double)info->fps);
    return t;
}

static enum outcome run_source(struct tf_pipeline *p, struct tf_source *source, bool *delivered,
                               struct tf_error *err)
{
    uint64_t last_ns = tf_now_ns(), silent, patience = patience_ns(tf_source_info(source));
    bool away = true; /* until the first frame */

    while (!atomic_load(&p->stopping)) {
        struct tf_frame *frame = NULL;
        enum tf_next next;

        if (atomic_load_explicit(&p->turn_wanted, memory_order_relaxed) >= 0)
            tf_turn_take(p, source);
        next = tf_source_next(source, TF_POLL_MS, &frame, err);

        tf_pipeline_beat(p, TF_THREAD_CAPTURE);
        if (atomic_load_explicit(&p->ffc_asked, memory_order_acquire))
            tf_capture_ffc(p, source);
        switch (next) {
        case TF_NEXT_FRAME:
            last_ns = tf_now_ns();
            if (away) {
                away = false;
                *delivered = true;
                tf_status_state(p, TF_CAMERA_RUNNING, NULL);
            }
            if (strcmp(p->notice_seen, tf_source_notice(source)) != 0) {
                snprintf(p->notice_seen, sizeof(p->notice_seen), "%s", tf_source_notice(source));
                tf_status_notice(p, p->notice_seen);
            }
            deliver(p, source, frame);
            break;
        case TF_NEXT_TIMEOUT:
            /* Offline the source waits for us; only a camera can fall silent. */
            if (!p->live)
                break;
            silent = tf_now_ns() - last_ns;
            if (silent >= patience) {
                away = true;
                tf_status_state(p, TF_CAMERA_NO_SIGNAL, "the camera is open and delivers no frames");
            }
            if (silent >= patience && silent - patience >= TF_REOPEN_NS && p->options.retry) {
                tf_fail(err, -ETIMEDOUT, "no frame for %.0f s", (double)silent / 1e9);
                return OUTCOME_LOST;
            }
            break;
        case TF_NEXT_NO_SIGNAL:
            /* Left open: the device will say when the signal is back. */
            away = true;
            tf_status_state(p, TF_CAMERA_NO_SIGNAL, "the camera says that it has no signal");
            tf_pipeline_sleep(p, TF_POLL_MS * 1000000ull / 2);
            break;
        case TF_NEXT_END:
            return OUTCOME_END;
        case TF_NEXT_GONE:
        case TF_NEXT_ERROR:
            if (!err->text[0])
                tf_fail(err, -ENODEV, "the camera is gone");
            return OUTCOME_LOST;
        }
    }
    return OUTCOME_STOP;
}

/* The source is visible to tf_pipeline_stop, which wakes it, from here to forget_source. */
static void show_source(struct tf_pipeline *p, struct tf_source *source)
{
    pthread_mutex_lock(&p->lock);
    p->source = source;
    pthread_mutex_unlock(&p->lock);
}

static void forget_source(struct tf_pipeline *p, struct tf_source *source)
{
    struct tf_source_drops drops = tf_source_drops(source);
    struct tf_shared_record *latest;

    pthread_mutex_lock(&p->lock);
    p->source = NULL; /* from here on nobody asks for the shutter */
    latest = p->latest;
    p->latest = NULL;
    pthread_mutex_unlock(&p->lock);
    /* A snapshot of a camera that is away would show the past as if it were now. */
    if (latest)
        tf_shared_record_unref(latest);
    if (atomic_load(&p->ffc_asked))
        tf_capture_ffc(p, NULL);
    p->drops_before.driver += drops.driver;
    p->drops_before.capture += drops.capture;
    tf_source_close(source);
}

/*
 * Whether it makes sense to wait for a source that could not be opened the first time: a camera that is
 * absent or busy comes, a wrong format row or a missing recording stays wrong until a person mends it.
 */
static bool can_come(const struct tf_pipeline *p, int r)
{
    bool device = tf_source_is_device(p->options.source.url);

    return r != -EINVAL && r != -ENOTSUP && r != -ENOMEM && device;
}

void *tf_capture_main(void *arg)
{
    struct tf_pipeline *p = arg;
    struct tf_source *source = p->first_source;
    uint64_t backoff = TF_BACKOFF_MIN_NS;
    bool ever = false;

    p->first_source = NULL;
    while (!atomic_load(&p->stopping)) {
        struct tf_error err = {0};
        enum outcome outcome;
        bool delivered = false;
        int r = 0;

        tf_pipeline_beat(p, TF_THREAD_CAPTURE);
        if (!source)
            r = tf_capture_open(p, &source, &err);
        tf_pipeline_beat(p, TF_THREAD_CAPTURE);
        if (r == 0 && tf_source_info(source)->live != p->live) {
            r = tf_fail(&err, -EINVAL,
                        "%s: a source that does not run by the clock cannot be supervised as a camera",
                        p->options.source.url);
            tf_source_close(source);
            source = NULL;
        }
        if (r < 0) {
            if (!p->options.retry || (!ever && !can_come(p, r))) {
                tf_pipeline_fail(p, r, &err);
                p->final = true;
                tf_status_state(p, TF_CAMERA_LOST, err.text);
                break;
            }
            tf_status_state(p, TF_CAMERA_LOST, err.text);
            tf_pipeline_sleep(p, backoff);
            backoff = backoff * 2 < TF_BACKOFF_MAX_NS ? backoff * 2 : TF_BACKOFF_MAX_NS;
            continue;
        }
        tf_status_source(p, tf_source_info(source));
        show_source(p, source);
        outcome = run_source(p, source, &delivered, &err);
        forget_source(p, source);
        source = NULL;
        p->openings++;
        p->reopened = delivered || p->reopened;
        if (delivered) {
            ever = true;
            backoff = TF_BACKOFF_MIN_NS;
        }
        if (outcome == OUTCOME_END) {
            tf_status_state(p, TF_CAMERA_ENDED, NULL);
            break;
        }
        if (outcome == OUTCOME_LOST) {
            p->final = !p->options.retry;
            tf_status_state(p, TF_CAMERA_LOST, err.text);
            if (p->final) {
                tf_pipeline_fail(p, -EIO, &err);
                break;
            }
            tf_pipeline_sleep(p, backoff);
            backoff = backoff * 2 < TF_BACKOFF_MAX_NS ? backoff * 2 : TF_BACKOFF_MAX_NS;
        }
    }
    if (source)
        tf_source_close(source);
    tf_ring_close(p->ring);
    return NULL;
}
