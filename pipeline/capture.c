/* The capture thread: takes frames from the source, hands them on without ever waiting, and supervises the
 * camera. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pipeline/capture.h"

/* How the frames of one opening ended. */
enum outcome {
    OUTCOME_STOP,
    OUTCOME_END,  /* of a file */
    OUTCOME_LOST, /* err says why; worth another try */
};

int tf_capture_open(const struct tf_source_options *options, struct tf_source **ret, struct tf_error *err)
{
    struct tf_source *source;
    int r;

    r = tf_source_open(options, &source, err);
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

static void say_running(struct tf_capture *c, double away_s, bool before, uint64_t reopened)
{
    const struct tf_status *s = &c->shared->status;

    if (before)
        tf_log(TF_LOG_NOTICE, c->setup->camera,
               "delivers frames again after %.1f s (opened again %llu time%s so far)", away_s,
               (unsigned long long)reopened, reopened == 1 ? "" : "s");
    else
        tf_log(TF_LOG_NOTICE, c->setup->camera, "running: %s \"%s\", %ux%u, format %s, %s", s->source_kind,
               s->source_name, s->width, s->height, s->format[0] ? s->format : "none",
               s->celsius ? "degrees Celsius" : "counts");
}

static void change_state(struct tf_capture *c, enum tf_camera_state state, const char *message)
{
    struct tf_status *s = &c->shared->status;
    enum tf_camera_state old;
    uint64_t now = tf_now_ns(), since, reopened;
    bool same_message, before;

    pthread_mutex_lock(&c->shared->lock);
    old = s->state;
    since = s->state_since_mono_ns;
    before = s->frames > 0 || c->frames_captured > 0;
    same_message = strncmp(s->message, message ? message : "", sizeof(s->message) - 1) == 0;
    /* From "no signal" to "lost" is one and the same absence: its beginning stays. */
    if (state != old) {
        bool away = (old == TF_CAMERA_NO_SIGNAL || old == TF_CAMERA_LOST) &&
                    (state == TF_CAMERA_NO_SIGNAL || state == TF_CAMERA_LOST);

        if (!away) {
            s->state_since_mono_ns = now;
            c->shared->state_since_utc_ns = tf_utc_now_ns();
        }
        if (state == TF_CAMERA_RUNNING && c->openings > 0)
            s->reopened = c->openings;
        if (state != TF_CAMERA_RUNNING) {
            s->faces = 0;
            s->nose_c = s->forehead_c = NAN;
        }
    }
    s->state = state;
    snprintf(s->message, sizeof(s->message), "%s", message ? message : "");
    reopened = s->reopened;
    pthread_mutex_unlock(&c->shared->lock);

    if (!c->setup->options.log || c->final || (old == state && same_message))
        return;
    switch (state) {
    case TF_CAMERA_RUNNING:
        say_running(c, (double)(now - since) / 1e9, before, reopened);
        break;
    case TF_CAMERA_NO_SIGNAL:
    case TF_CAMERA_LOST:
        /* Within one absence the reason can change from try to try and back: said, but not without end. */
        if (old == state)
            tf_log_limited(&c->message_limit, 3, 600000000000ull, TF_LOG_WARNING, c->setup->camera,
                           "still away: %s", message);
        else if (state == TF_CAMERA_NO_SIGNAL)
            tf_log(TF_LOG_WARNING, c->setup->camera, "no signal: %s", message);
        else
            tf_log(TF_LOG_WARNING, c->setup->camera, "%s: %s; trying again until it comes",
                   before ? "lost" : "not there", message);
        break;
    case TF_CAMERA_ENDED:
        tf_log(TF_LOG_NOTICE, c->setup->camera, "the recording has come to its end");
        break;
    case TF_CAMERA_OPENING:
        break;
    }
}

static void tell_notice(struct tf_capture *c, const char *notice)
{
    bool fresh;

    pthread_mutex_lock(&c->shared->lock);
    fresh = strcmp(c->shared->status.notice, notice) != 0;
    if (fresh)
        snprintf(c->shared->status.notice, sizeof(c->shared->status.notice), "%s", notice);
    pthread_mutex_unlock(&c->shared->lock);
    if (fresh && *notice && c->setup->options.log)
        tf_log(TF_LOG_WARNING, c->setup->camera, "%s", notice);
}

/* Takes over the turn that inference has decided, unless it is held. */
static void take_turn(struct tf_capture *c, struct tf_source *source)
{
    const struct tf_source_info *info = tf_source_info(source);
    int wanted;

    pthread_mutex_lock(&c->shared->lock);
    wanted = c->shared->turn.held ? -1 : atomic_load(&c->shared->turn.wanted);
    if (wanted >= 0) {
        atomic_store(&c->shared->turn.wanted, -1);
        tf_source_turn(source, (uint16_t)wanted);
        c->options.rotate = (uint16_t)wanted;
        c->shared->present.rotate = c->shared->status.turn.rotate = (uint16_t)wanted;
        c->shared->status.width = wanted % 180 ? info->height : info->width;
        c->shared->status.height = wanted % 180 ? info->width : info->height;
        c->shared->turn.changed_ns = tf_now_ns();
    }
    pthread_mutex_unlock(&c->shared->lock);
}

/*
 * Hands a frame on. The entry in the backlog is what makes a record of every frame: the ring may drop the
 * frame, never the entry, and inference goes through the entries in order.
 */
static void deliver(struct tf_capture *c, struct tf_source *source, struct tf_frame *frame)
{
    uint64_t head = atomic_load_explicit(&c->frames->head, memory_order_relaxed);
    struct tf_source_drops drops = tf_source_drops(source);
    struct tf_entry *entry;

    if (head - atomic_load_explicit(&c->frames->tail, memory_order_acquire) >= TF_BACKLOG) {
        /* Inference has not answered for many seconds. The frame is lost before it has a number, and counted.
         */
        c->lost_backlog++;
        tf_frame_unref(frame);
        return;
    }
    if (c->reopened) {
        c->reopened = false;
        /* Nobody knows how many frames an absence has cost; that it has cost some is known. */
        frame->flags |= TF_FLAG_REOPENED | (c->frames_captured ? TF_FLAG_GAP : 0);
    }
    entry = &c->frames->backlog[head % TF_BACKLOG];
    entry->frame = frame;
    entry->head = (struct tf_head){
        .n = c->frames_captured,
        .number = frame->past.valid ? frame->past.frame : c->frames_captured,
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
        .dropped_driver = c->drops_before.driver + drops.driver,
        .dropped_capture = c->drops_before.capture + drops.capture + c->lost_backlog,
        .video_frame = frame->past.valid ? frame->past.video_frame : -1,
        .past = frame->past,
        .opening = c->openings,
    };
    if (frame->past.valid) {
        entry->head.dropped_driver = frame->dropped_driver;
        entry->head.dropped_capture = frame->past.dropped_capture;
    }
    c->frames_captured++;
    tf_recorder_frame(c->recorder, frame, &entry->head);
    atomic_store_explicit(&c->frames->head, head + 1, memory_order_release);
    if (!c->setup->live)
        while (sem_wait(&c->frames->slots) < 0 && errno == EINTR)
            ;
    tf_ring_push(c->frames->ring, entry);
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

static enum outcome run_source(struct tf_capture *c, struct tf_source *source, bool *delivered,
                               struct tf_error *err)
{
    uint64_t last_ns = tf_now_ns(), silent, patience = patience_ns(tf_source_info(source));
    bool away = true; /* until the first frame */

    while (!atomic_load(&c->shared->stopping)) {
        struct tf_frame *frame = NULL;
        enum tf_next next;

        if (atomic_load_explicit(&c->shared->turn.wanted, memory_order_relaxed) >= 0)
            take_turn(c, source);
        next = tf_source_next(source, TF_POLL_MS, &frame, err);

        tf_shared_beat(c->shared, TF_THREAD_CAPTURE);
        if (atomic_load_explicit(&c->shared->shutter.asked, memory_order_acquire))
            tf_shutter_answer(c->shared, c->setup, source);
        switch (next) {
        case TF_NEXT_FRAME:
            last_ns = tf_now_ns();
            if (away) {
                away = false;
                *delivered = true;
                change_state(c, TF_CAMERA_RUNNING, NULL);
            }
            if (strcmp(c->notice_seen, tf_source_notice(source)) != 0) {
                snprintf(c->notice_seen, sizeof(c->notice_seen), "%s", tf_source_notice(source));
                tell_notice(c, c->notice_seen);
            }
            deliver(c, source, frame);
            break;
        case TF_NEXT_TIMEOUT:
            /* Offline the source waits for us; only a camera can fall silent. */
            if (!c->setup->live)
                break;
            silent = tf_now_ns() - last_ns;
            if (silent >= patience) {
                away = true;
                change_state(c, TF_CAMERA_NO_SIGNAL, "the camera is open and delivers no frames");
            }
            if (silent >= patience && silent - patience >= TF_REOPEN_NS && c->setup->options.retry) {
                tf_fail(err, -ETIMEDOUT, "no frame for %.0f s", (double)silent / 1e9);
                return OUTCOME_LOST;
            }
            break;
        case TF_NEXT_NO_SIGNAL:
            /* Left open: the device will say when the signal is back. */
            away = true;
            change_state(c, TF_CAMERA_NO_SIGNAL, "the camera says that it has no signal");
            tf_shared_sleep(c->shared, TF_POLL_MS * 1000000ull / 2);
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
static void show_source(struct tf_capture *c, struct tf_source *source)
{
    pthread_mutex_lock(&c->shared->lock);
    c->shared->source = source;
    pthread_mutex_unlock(&c->shared->lock);
}

static void forget_source(struct tf_capture *c, struct tf_source *source)
{
    struct tf_source_drops drops = tf_source_drops(source);
    struct tf_shared_record *latest;

    pthread_mutex_lock(&c->shared->lock);
    c->shared->source = NULL; /* from here on nobody asks for the shutter */
    latest = c->shared->latest;
    c->shared->latest = NULL;
    pthread_mutex_unlock(&c->shared->lock);
    /* A snapshot of a camera that is away would show the past as if it were now. */
    if (latest)
        tf_shared_record_unref(latest);
    if (atomic_load(&c->shared->shutter.asked))
        tf_shutter_answer(c->shared, c->setup, NULL);
    c->drops_before.driver += drops.driver;
    c->drops_before.capture += drops.capture;
    tf_source_close(source);
}

/*
 * Whether it makes sense to wait for a source that could not be opened the first time: a camera that is
 * absent or busy comes, a wrong format row or a missing recording stays wrong until a person mends it.
 */
static bool can_come(const struct tf_capture *c, int r)
{
    bool device = tf_source_is_device(c->setup->options.source.url);

    return r != -EINVAL && r != -ENOTSUP && r != -ENOMEM && device;
}

void *tf_capture_main(void *arg)
{
    struct tf_capture *c = arg;
    struct tf_source *source = c->first_source;
    uint64_t backoff = TF_BACKOFF_MIN_NS;
    bool ever = false;

    c->first_source = NULL;
    while (!atomic_load(&c->shared->stopping)) {
        struct tf_error err = {0};
        enum outcome outcome;
        bool delivered = false;
        int r = 0;

        tf_shared_beat(c->shared, TF_THREAD_CAPTURE);
        if (!source)
            r = tf_capture_open(&c->options, &source, &err);
        tf_shared_beat(c->shared, TF_THREAD_CAPTURE);
        if (r == 0 && tf_source_info(source)->live != c->setup->live) {
            r = tf_fail(&err, -EINVAL,
                        "%s: a source that does not run by the clock cannot be supervised as a camera",
                        c->setup->options.source.url);
            tf_source_close(source);
            source = NULL;
        }
        if (r < 0) {
            if (!c->setup->options.retry || (!ever && !can_come(c, r))) {
                tf_shared_fail(c->shared, r, &err);
                c->final = true;
                change_state(c, TF_CAMERA_LOST, err.text);
                break;
            }
            change_state(c, TF_CAMERA_LOST, err.text);
            tf_shared_sleep(c->shared, backoff);
            backoff = backoff * 2 < TF_BACKOFF_MAX_NS ? backoff * 2 : TF_BACKOFF_MAX_NS;
            continue;
        }
        tf_shared_set_source(c->shared, tf_source_info(source));
        show_source(c, source);
        outcome = run_source(c, source, &delivered, &err);
        forget_source(c, source);
        source = NULL;
        c->openings++;
        c->reopened = delivered || c->reopened;
        if (delivered) {
            ever = true;
            backoff = TF_BACKOFF_MIN_NS;
        }
        if (outcome == OUTCOME_END) {
            change_state(c, TF_CAMERA_ENDED, NULL);
            break;
        }
        if (outcome == OUTCOME_LOST) {
            c->final = !c->setup->options.retry;
            change_state(c, TF_CAMERA_LOST, err.text);
            if (c->final) {
                tf_shared_fail(c->shared, -EIO, &err);
                break;
            }
            tf_shared_sleep(c->shared, backoff);
            backoff = backoff * 2 < TF_BACKOFF_MAX_NS ? backoff * 2 : TF_BACKOFF_MAX_NS;
        }
    }
    if (source)
        tf_source_close(source);
    tf_ring_close(c->frames->ring);
    return NULL;
}
