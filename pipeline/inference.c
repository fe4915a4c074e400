/* The inference thread: one record for every frame captured, in order, to every sink; some of them on to
 * pictures. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/inference.h"

/* Only this thread takes free records, and there are more of them than places that hold one: never NULL. */
static struct tf_shared_record *take_record(struct tf_inference *x)
{
    for (int i = 0; i < TF_RECORDS; i++) {
        struct tf_shared_record *record = &x->records[i];

        if (!atomic_load_explicit(&record->taken, memory_order_acquire)) {
            atomic_store_explicit(&record->taken, true, memory_order_relaxed);
            atomic_store_explicit(&record->references, 1, memory_order_relaxed);
            return record;
        }
    }
    return NULL;
}

static void fill(struct tf_inference *x, struct tf_record *record, const struct tf_head *head)
{
    /* The record's fields are filled in one place (publish/), from a frame: this one has no picture. */
    const struct tf_frame frame = {
        .number = head->number,
        .sequence = head->sequence,
        .camera_counter = head->camera_counter,
        .has_camera_counter = head->has_camera_counter,
        .t_mono_ns = head->t_mono_ns,
        .t_utc_ns = head->t_utc_ns,
        .stamp = head->stamp,
        .flags = head->flags,
        .radiometry = head->radiometry,
        .sensor_c = head->sensor_c,
        .rotate = head->rotate,
        .flip = head->flip,
        .dropped_driver = head->dropped_driver,
    };

    tf_record_from_frame(record, x->setup->camera, &frame);
    record->frame = head->number;
    record->video_frame = head->video_frame;
    record->faces.count = 0;
    record->black_body = (struct tf_black_body){
        .set = x->setup->options.black_body[2] && head->radiometry.valid, .mean = NAN, .offset = NAN};
    record->pair.camera = NULL;
    tf_own_begin(x, record);
    record->outlines = x->setup->options.outlines;
    record->dropped.driver = head->dropped_driver;
    record->dropped.capture = head->dropped_capture;
    record->latency_us = -1;
    /* Offline the times are the recording's, and this computer's clock says nothing of them. */
    record->clock = x->setup->live ? tf_clock_sync_kept() : head->past.clock;
}

static void sink_error(struct tf_inference *x, int i, int r, struct tf_error *err)
{
    if (x->sinks.failed[i])
        return;
    x->sinks.failed[i] = true;
    if (!err->text[0])
        tf_fail(err, r, "%s: %s", x->sinks.items[i].name, strerror(-r));
    tf_shared_fail(x->shared, r, err);
    if (x->setup->options.log)
        tf_log(TF_LOG_ERROR, x->setup->camera, "records are missing in a sink: %s", err->text);
}

/* The last steps of a record: stamp of completion, sinks, status. Takes `shared` over when it is given. */
static void finish(struct tf_inference *x, const struct tf_head *head, struct tf_record *record,
                   struct tf_shared_record *shared)
{
    uint64_t begin = tf_now_ns();

    if (record->state == TF_STATE_SKIPPED)
        x->skipped_count++;
    record->dropped.inference = head->past.valid ? head->past.dropped_inference : x->skipped_count;
    if (x->setup->live)
        record->latency_us = begin > record->t_mono_ns ? (int64_t)((begin - record->t_mono_ns) / 1000) : 0;
    else if (head->past.valid)
        record->latency_us = head->past.latency_us;
    x->text.length = 0;
    record->text = &x->text;
    for (int i = 0; i < x->sinks.count; i++) {
        struct tf_error err = {0};
        int r = x->sinks.items[i].record(x->sinks.items[i].self, record, &err);

        if (r < 0) {
            atomic_fetch_add(&x->sinks.lost[i], 1);
            sink_error(x, i, r, &err);
        }
    }
    tf_recorder_row(x->recorder, record, head);
    record->text = NULL; /* pictures and snapshots keep the record for longer */
    tf_shared_count(x->shared, record, head->opening, x->setup->live, shared);
    tf_stage_add(x->shared, TF_STAGE_RECORD, tf_now_ns() - begin);
}

static void skip(struct tf_inference *x, const struct tf_head *head)
{
    fill(x, &x->skipped, head);
    x->reset_wanted |= (head->flags & TF_FLAG_REOPENED) != 0;
    /* Damage is the camera's doing and is said as such, whoever had no time for it. */
    x->skipped.state = head->flags & TF_FLAG_CORRUPT ? TF_STATE_CORRUPT : TF_STATE_SKIPPED;
    finish(x, head, &x->skipped, NULL);
    tf_recorder_picture_lost(x->recorder, TF_THREAD_INFERENCE, head->recording, TF_PICTURE_NOT_ANALYSED);
    atomic_store_explicit(&x->pictures->offered, head->n + 1, memory_order_release);
}

static void analysis_error(struct tf_inference *x, int r)
{
    struct tf_error err = {0};

    if (x->analysis_failed)
        return;
    x->analysis_failed = true;
    tf_fail(&err, r, "camera %s: frames cannot be analysed: %s; their records say skipped", x->setup->camera,
            r == -EINVAL ? "the picture is smaller than 32 x 32 or has no luminance" : strerror(-r));
    tf_shared_fail(x->shared, r, &err);
    if (x->setup->options.log)
        tf_log(TF_LOG_ERROR, x->setup->camera, "%s", err.text);
}

static void measure_black_body(struct tf_inference *x, const struct tf_frame *frame, struct tf_record *record)
{
    struct tf_region_stats stats;

    if (!record->black_body.set || record->state == TF_STATE_CORRUPT || record->state == TF_STATE_STALE ||
        record->state == TF_STATE_SKIPPED)
        return;
    tf_rectangle_measure(frame, x->analyser ? tf_analyser_faults(x->analyser) : NULL,
                         x->setup->options.black_body, &stats);
    if (!stats.valid)
        return;
    record->black_body.seen = true;
    record->black_body.mean = stats.mean;
    record->black_body.n = stats.n;
    record->black_body.offset = x->setup->options.black_body_c - stats.mean;
}

static enum tf_state look(struct tf_inference *x, const struct tf_frame *frame, struct tf_faces *faces)
{
    struct tf_analyser_times times;
    int r;

    if (frame->flags & TF_FLAG_CORRUPT)
        return TF_STATE_CORRUPT;
    if (frame->flags & (TF_FLAG_FFC | TF_FLAG_DUPLICATE))
        return TF_STATE_STALE;
    if (!x->analyser)
        return TF_STATE_NO_FACE;
    r = tf_analyser_process(x->analyser, frame, faces);
    if (r < 0) {
        faces->count = 0;
        analysis_error(x, r);
        return TF_STATE_SKIPPED;
    }
    times = tf_analyser_times(x->analyser);
    tf_stage_add(x->shared, TF_STAGE_NORMALISE, times.normalise_ns);
    tf_stage_add(x->shared, TF_STAGE_FINDER, times.finder_ns);
    tf_stage_add(x->shared, TF_STAGE_LANDMARKS, times.landmarks_ns);
    tf_stage_add(x->shared, TF_STAGE_REGIONS, times.regions_ns);
    return faces->count ? TF_STATE_OK : TF_STATE_NO_FACE;
}

static void to_pictures(struct tf_inference *x, struct tf_shared_record *shared)
{
    if (!x->setup->options.pictures || !tf_picture_wanted(x->pictures))
        return;
    if (!tf_picture_due(&x->picture_due_ns, x->setup->options.picture_fps_max, shared->record.t_mono_ns)) {
        tf_recorder_picture_left_out(x->recorder, shared->recording);
        return;
    }
    tf_shared_record_ref(shared);
    if (x->pictures->wait)
        while (sem_wait(&x->pictures->slots) < 0 && errno == EINTR)
            ;
    if (tf_ring_push(x->pictures->ring, shared) < 0) {
        tf_recorder_picture_lost(x->recorder, TF_THREAD_INFERENCE, shared->recording, TF_PICTURE_QUEUE);
        tf_shared_record_unref(shared);
    }
}

/*
 * Whoever sat there before the camera went away need not be who sits there now. A recording begins without a
 * past, too, so that its tables can be made again from its frames alone.
 */
static void begin_anew(struct tf_inference *x, const struct tf_head *head)
{
    bool recording = head->recording && head->recording != x->recording_seen;

    if (x->analyser && (recording || x->reset_wanted || head->flags & TF_FLAG_REOPENED))
        tf_analyser_reset(x->analyser);
    if (x->reset_wanted || head->flags & TF_FLAG_REOPENED)
        tf_turn_begin_anew(x);
    x->reset_wanted = false;
    if (recording) {
        x->recording_seen = head->recording;
        if (x->analyser)
            tf_recorder_first_face(x->recorder, tf_analyser_next_id(x->analyser));
    }
}

static void analyse(struct tf_inference *x, const struct tf_head *head, struct tf_frame *frame)
{
    struct tf_shared_record *shared = take_record(x);
    struct tf_record *record = &shared->record;

    shared->frame = frame;
    shared->recording = head->recording;
    begin_anew(x, head);
    fill(x, record, head);
    record->state = look(x, frame, &record->faces);
    if (record->state == TF_STATE_OK || record->state == TF_STATE_NO_FACE)
        tf_turn_look(x, frame);
    shared->turn_better = atomic_load_explicit(&x->shared->turn.better, memory_order_relaxed);
    measure_black_body(x, frame, record);
    if (x->setup->options.exchange)
        tf_exchange_put(x->setup->options.exchange, record, frame);
    if (x->setup->options.pair)
        tf_pair_merge(x, frame, record);
    tf_own_look(x, frame, record);
    tf_shared_record_ref(shared); /* for the pictures: the status takes ours over */
    finish(x, head, record, shared);
    to_pictures(x, shared);
    tf_shared_record_unref(shared);
    atomic_store_explicit(&x->pictures->offered, head->n + 1, memory_order_release);
}

/* Between a stop and the end a slow network may not have time for what still waits: those records say
 * skipped. */
static bool out_of_time(const struct tf_inference *x)
{
    return x->setup->live && atomic_load_explicit(&x->shared->stopping, memory_order_relaxed) &&
           tf_now_ns() - atomic_load(&x->shared->stop_ns) > TF_DRAIN_NS;
}

static void skip_until(struct tf_inference *x, uint64_t end)
{
    uint64_t tail = atomic_load_explicit(&x->frames->tail, memory_order_relaxed);

    while (tail < end) {
        struct tf_head head = x->frames->backlog[tail % TF_BACKLOG].head;

        atomic_store_explicit(&x->frames->tail, ++tail, memory_order_release);
        skip(x, &head);
    }
}

void *tf_inference_main(void *arg)
{
    struct tf_inference *x = arg;

    for (;;) {
        struct tf_frame *frame;
        struct tf_entry *entry;
        struct tf_head head;
        void *v;
        int r = tf_ring_pop(x->frames->ring, TF_POLL_MS, &v);

        tf_shared_beat(x->shared, TF_THREAD_INFERENCE);
        if (r == -EAGAIN)
            continue;
        if (r < 0)
            break;
        entry = v;
        head = entry->head;
        frame = entry->frame;
        /* What the ring dropped lies before this entry. Numbers and places in the backlog run alike. */
        skip_until(x, head.n);
        atomic_store_explicit(&x->frames->tail, head.n + 1, memory_order_release);
        if (!x->setup->live)
            sem_post(&x->frames->slots);
        if (out_of_time(x) || head.past.skipped) {
            tf_frame_unref(frame);
            skip(x, &head);
        } else {
            analyse(x, &head, frame);
        }
    }
    skip_until(x, atomic_load_explicit(&x->frames->head, memory_order_acquire));
    tf_inference_close_sinks(x);
    tf_ring_close(x->pictures->ring);
    return NULL;
}

void tf_inference_close_sinks(struct tf_inference *x)
{
    if (x->sinks.closed)
        return;
    x->sinks.closed = true;
    for (int i = 0; i < x->sinks.count; i++) {
        struct tf_error err = {0};
        int r = x->sinks.items[i].close ? x->sinks.items[i].close(x->sinks.items[i].self, &err) : 0;

        if (r < 0)
            sink_error(x, i, r, &err);
    }
}
