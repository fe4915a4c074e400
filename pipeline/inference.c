/* The inference thread: one record for every frame captured, in order, to every sink; some of them on to
 * pictures. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

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

/* Only this thread takes free records, and there are more of them than places that hold one: never NULL. */
static struct tf_shared_record *take_record(struct tf_pipeline *p)
{
    for (int i = 0; i < TF_RECORDS; i++) {
        struct tf_shared_record *record = &p->records[i];

        if (!atomic_load_explicit(&record->taken, memory_order_acquire)) {
            atomic_store_explicit(&record->taken, true, memory_order_relaxed);
            atomic_store_explicit(&record->references, 1, memory_order_relaxed);
            return record;
        }
    }
    return NULL;
}

static void fill(struct tf_pipeline *p, struct tf_record *record, const struct tf_head *head)
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

    tf_record_from_frame(record, p->camera, &frame);
    record->frame = head->number;
    record->video_frame = head->video_frame;
    record->faces.count = 0;
    record->black_body = (struct tf_black_body){
        .set = p->options.black_body[2] && head->radiometry.valid, .mean = NAN, .offset = NAN};
    record->pair.camera = NULL;
    record->outlines = p->options.outlines;
    record->dropped.driver = head->dropped_driver;
    record->dropped.capture = head->dropped_capture;
    record->latency_us = -1;
}

static void sink_error(struct tf_pipeline *p, int i, int r, struct tf_error *err)
{
    if (p->sink_failed[i])
        return;
    p->sink_failed[i] = true;
    if (!err->text[0])
        tf_fail(err, r, "%s: %s", p->sinks[i].name, strerror(-r));
    tf_pipeline_fail(p, r, err);
    if (p->options.log)
        tf_log(TF_LOG_ERROR, p->camera, "records are missing in a sink: %s", err->text);
}

/* The last steps of a record: stamp of completion, sinks, status. Takes `shared` over when it is given. */
static void finish(struct tf_pipeline *p, const struct tf_head *head, struct tf_record *record,
                   struct tf_shared_record *shared)
{
    uint64_t begin = tf_now_ns();

    if (record->state == TF_STATE_SKIPPED)
        p->skipped_count++;
    record->dropped.inference = head->past.valid ? head->past.dropped_inference : p->skipped_count;
    if (p->live)
        record->latency_us = begin > record->t_mono_ns ? (int64_t)((begin - record->t_mono_ns) / 1000) : 0;
    else if (head->past.valid)
        record->latency_us = head->past.latency_us;
    for (int i = 0; i < p->sink_count; i++) {
        struct tf_error err = {0};
        int r = p->sinks[i].record(p->sinks[i].self, record, &err);

        if (r < 0) {
            atomic_fetch_add(&p->sink_lost[i], 1);
            sink_error(p, i, r, &err);
        }
    }
    tf_pipeline_record_row(p, record, head);
    tf_status_record(p, record, head->opening, shared);
    tf_stage_add(p, TF_STAGE_RECORD, tf_now_ns() - begin);
}

static void skip(struct tf_pipeline *p, const struct tf_head *head)
{
    fill(p, &p->skipped, head);
    p->reset_wanted |= (head->flags & TF_FLAG_REOPENED) != 0;
    /* Damage is the camera's doing and is said as such, whoever had no time for it. */
    p->skipped.state = head->flags & TF_FLAG_CORRUPT ? TF_STATE_CORRUPT : TF_STATE_SKIPPED;
    finish(p, head, &p->skipped, NULL);
    tf_pipeline_record_picture_lost(p, TF_THREAD_INFERENCE, head->recording, TF_PICTURE_NOT_ANALYSED);
    atomic_store_explicit(&p->pictures_offered, head->n + 1, memory_order_release);
}

static void analysis_error(struct tf_pipeline *p, int r)
{
    struct tf_error err = {0};

    if (p->analysis_failed)
        return;
    p->analysis_failed = true;
    tf_fail(&err, r, "camera %s: frames cannot be analysed: %s; their records say skipped", p->camera,
            r == -EINVAL ? "the picture is smaller than 32 x 32 or has no luminance" : strerror(-r));
    tf_pipeline_fail(p, r, &err);
    if (p->options.log)
        tf_log(TF_LOG_ERROR, p->camera, "%s", err.text);
}

static void measure_black_body(struct tf_pipeline *p, const struct tf_frame *frame, struct tf_record *record)
{
    struct tf_region_stats stats;

    if (!record->black_body.set || record->state == TF_STATE_CORRUPT || record->state == TF_STATE_STALE ||
        record->state == TF_STATE_SKIPPED)
        return;
    tf_rectangle_measure(frame, p->analyser ? tf_analyser_faults(p->analyser) : NULL, p->options.black_body,
                         &stats);
    if (!stats.valid)
        return;
    record->black_body.seen = true;
    record->black_body.mean = stats.mean;
    record->black_body.n = stats.n;
    record->black_body.offset = p->options.black_body_c - stats.mean;
}

static enum tf_state look(struct tf_pipeline *p, const struct tf_frame *frame, struct tf_faces *faces)
{
    struct tf_analyser_times times;
    int r;

    if (frame->flags & TF_FLAG_CORRUPT)
        return TF_STATE_CORRUPT;
    if (frame->flags & (TF_FLAG_FFC | TF_FLAG_DUPLICATE))
        return TF_STATE_STALE;
    if (!p->analyser)
        return TF_STATE_NO_FACE;
    r = tf_analyser_process(p->analyser, frame, faces);
    if (r < 0) {
        faces->count = 0;
        analysis_error(p, r);
        return TF_STATE_SKIPPED;
    }
    times = tf_analyser_times(p->analyser);
    tf_stage_add(p, TF_STAGE_NORMALISE, times.normalise_ns);
    tf_stage_add(p, TF_STAGE_FINDER, times.finder_ns);
    tf_stage_add(p, TF_STAGE_LANDMARKS, times.landmarks_ns);
    tf_stage_add(p, TF_STAGE_REGIONS, times.regions_ns);
    return faces->count ? TF_STATE_OK : TF_STATE_NO_FACE;
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

static void to_pictures(struct tf_pipeline *p, struct tf_shared_record *shared)
{
    if (!p->options.pictures || !tf_picture_wanted(p))
        return;
    if (!tf_picture_due(&p->picture_due_ns, p->options.picture_fps_max, shared->record.t_mono_ns)) {
        tf_pipeline_record_picture_left_out(p, shared->recording);
        return;
    }
    tf_shared_record_ref(shared);
    if (p->pictures_wait)
        while (sem_wait(&p->picture_slots) < 0 && errno == EINTR)
            ;
    if (tf_ring_push(p->picture_ring, shared) < 0) {
        tf_pipeline_record_picture_lost(p, TF_THREAD_INFERENCE, shared->recording, TF_PICTURE_QUEUE);
        tf_shared_record_unref(shared);
    }
}

/*
 * Whoever sat there before the camera went away need not be who sits there now. A recording begins without a
 * past, too, so that its tables can be made again from its frames alone.
 */
static void begin_anew(struct tf_pipeline *p, const struct tf_head *head)
{
    bool recording = head->recording && head->recording != p->recording_seen;

    if (p->analyser && (recording || p->reset_wanted || head->flags & TF_FLAG_REOPENED))
        tf_analyser_reset(p->analyser);
    if (p->reset_wanted || head->flags & TF_FLAG_REOPENED)
        tf_turn_begin_anew(p);
    p->reset_wanted = false;
    if (recording) {
        p->recording_seen = head->recording;
        if (p->analyser)
            tf_pipeline_record_first_face(p, tf_analyser_next_id(p->analyser));
    }
}

static void analyse(struct tf_pipeline *p, const struct tf_head *head, struct tf_frame *frame)
{
    struct tf_shared_record *shared = take_record(p);
    struct tf_record *record = &shared->record;

    shared->frame = frame;
    shared->recording = head->recording;
    begin_anew(p, head);
    fill(p, record, head);
    record->state = look(p, frame, &record->faces);
    if (record->state == TF_STATE_OK || record->state == TF_STATE_NO_FACE)
        tf_turn_look(p, frame);
    measure_black_body(p, frame, record);
    if (p->options.exchange)
        tf_exchange_put(p->options.exchange, record, frame);
    if (p->options.pair)
        tf_pipeline_pair(p, frame, record);
    tf_shared_record_ref(shared); /* for the pictures: the status takes ours over */
    finish(p, head, record, shared);
    to_pictures(p, shared);
    tf_shared_record_unref(shared);
    atomic_store_explicit(&p->pictures_offered, head->n + 1, memory_order_release);
}

/* Between a stop and the end a slow network may not have time for what still waits: those records say
 * skipped. */
static bool out_of_time(const struct tf_pipeline *p)
{
    return p->live && atomic_load_explicit(&p->stopping, memory_order_relaxed) &&
           tf_now_ns() - atomic_load(&p->stop_ns) > TF_DRAIN_NS;
}

static void skip_until(struct tf_pipeline *p, uint64_t end)
{
    uint64_t tail = atomic_load_explicit(&p->backlog_tail, memory_order_relaxed);

    while (tail < end) {
        struct tf_head head = p->backlog[tail % TF_BACKLOG].head;

        atomic_store_explicit(&p->backlog_tail, ++tail, memory_order_release);
        skip(p, &head);
    }
}

void *tf_inference_main(void *arg)
{
    struct tf_pipeline *p = arg;

    for (;;) {
        struct tf_frame *frame;
        struct tf_entry *entry;
        struct tf_head head;
        void *v;
        int r = tf_ring_pop(p->ring, TF_POLL_MS, &v);

        tf_pipeline_beat(p, TF_THREAD_INFERENCE);
        if (r == -EAGAIN)
            continue;
        if (r < 0)
            break;
        entry = v;
        head = entry->head;
        frame = entry->frame;
        /* What the ring dropped lies before this entry. Numbers and places in the backlog run alike. */
        skip_until(p, head.n);
        atomic_store_explicit(&p->backlog_tail, head.n + 1, memory_order_release);
        if (!p->live)
            sem_post(&p->ring_slots);
        if (out_of_time(p) || head.past.skipped) {
            tf_frame_unref(frame);
            skip(p, &head);
        } else {
            analyse(p, &head, frame);
        }
    }
    skip_until(p, atomic_load_explicit(&p->backlog_head, memory_order_acquire));
    tf_sinks_close(p);
    tf_ring_close(p->picture_ring);
    return NULL;
}

void tf_sinks_close(struct tf_pipeline *p)
{
    if (p->sinks_closed)
        return;
    p->sinks_closed = true;
    for (int i = 0; i < p->sink_count; i++) {
        struct tf_error err = {0};
        int r = p->sinks[i].close ? p->sinks[i].close(p->sinks[i].self, &err) : 0;

        if (r < 0)
            sink_error(p, i, r, &err);
    }
}
