/*
 * A recording beside the pipeline: begun and ended while frames flow.
 *
 * Three threads reach it, each through a pointer of its own under a lock of its own, which is held for that
 * thread's one call and for the change of the pointer: no thread waits for another one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

/* How long inference may take for the frames that were captured before the end. */
#define ROWS_WAIT_NS 5000000000ull
/* And the picture thread for those that wait for it. */
#define PICTURES_WAIT_NS 1000000000ull

static void add_totals(struct tf_recording_totals *t, const struct tf_recording_status *s, bool failed)
{
    t->failed += failed;
    t->frames += s->frames;
    t->bytes += s->bytes;
    t->refused += s->refused;
    t->rows_lost += s->rows_lost;
    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        t->pictures_lost[i] += s->pictures_lost[i];
}

void tf_pipeline_record_init(struct tf_pipeline *p)
{
    pthread_mutex_init(&p->recording_control, NULL);
    for (int i = 0; i < TF_THREADS; i++)
        pthread_mutex_init(&p->recording_locks[i], NULL);
}

void tf_pipeline_record_budget(struct tf_pipeline *p)
{
    size_t *frames = &p->options.source.frames;

    if (!p->options.recordable) {
        *frames = *frames < TF_FRAMES_OUT ? TF_FRAMES_OUT : *frames;
    } else if (tf_source_is_device(p->options.source.url)) {
        if (*frames == 0 || *frames > TF_V4L2_FRAMES_MAX)
            *frames = TF_V4L2_FRAMES_MAX;
        else if (*frames < TF_V4L2_FRAMES_MIN)
            *frames = TF_V4L2_FRAMES_MIN;
    } else {
        *frames = TF_FRAMES_OUT + TF_RECORDING_WAIT + 1;
    }
    p->record_waiting = (unsigned)(*frames - TF_FRAMES_OUT - (p->options.recordable ? 1 : 0));
}

static void set(struct tf_pipeline *p, enum tf_thread_role role, struct tf_recording *recording)
{
    pthread_mutex_lock(&p->recording_locks[role]);
    p->recordings[role] = recording;
    pthread_mutex_unlock(&p->recording_locks[role]);
}

void tf_pipeline_record_frame(struct tf_pipeline *p, struct tf_frame *frame, struct tf_head *head)
{
    uint64_t n;
    int r;

    head->recording = 0;
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_CAPTURE]);
    if (p->recordings[TF_THREAD_CAPTURE]) {
        r = tf_recording_frame(p->recordings[TF_THREAD_CAPTURE], frame, &n);
        if (r != -EPIPE) {
            head->recording = p->recording_number;
            head->video_frame = r == 0 ? (int64_t)n : -1;
            p->recording_rows_end = head->n + 1;
        }
    }
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_CAPTURE]);
}

void tf_pipeline_record_row(struct tf_pipeline *p, const struct tf_record *record, const struct tf_head *head)
{
    if (head->recording) {
        pthread_mutex_lock(&p->recording_locks[TF_THREAD_INFERENCE]);
        /* A row that comes later than the longest wait has no table any more. */
        if (p->recordings[TF_THREAD_INFERENCE] && head->recording == p->recording_rows_number)
            tf_recording_row(p->recordings[TF_THREAD_INFERENCE], record);
        pthread_mutex_unlock(&p->recording_locks[TF_THREAD_INFERENCE]);
    }
    atomic_store_explicit(&p->records_done, head->n + 1, memory_order_release);
}

void tf_pipeline_record_first_face(struct tf_pipeline *p, uint32_t id)
{
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_INFERENCE]);
    if (p->recordings[TF_THREAD_INFERENCE])
        tf_recording_first_face(p->recordings[TF_THREAD_INFERENCE], id);
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_INFERENCE]);
}

/* What is encoded for viewers from frames that were captured before the recording is not in it. */
void tf_pipeline_record_packet(struct tf_pipeline *p, const struct tf_packet *packet)
{
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_PICTURE]);
    if (p->recordings[TF_THREAD_PICTURE] &&
        (p->picture_recording == TF_PICTURE_CARD || p->picture_recording == p->recording_pictures_number))
        tf_recording_packet(p->recordings[TF_THREAD_PICTURE], p->encoder, packet,
                            p->picture_recording == TF_PICTURE_CARD);
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_PICTURE]);
}

void tf_pipeline_record_picture_lost(struct tf_pipeline *p, enum tf_thread_role role, uint32_t recording,
                                     enum tf_picture_place place)
{
    if (!recording)
        return;
    pthread_mutex_lock(&p->recording_locks[role]);
    if (p->recordings[role] &&
        recording == (role == TF_THREAD_PICTURE ? p->recording_pictures_number : p->recording_rows_number))
        tf_recording_picture_lost(p->recordings[role], place);
    pthread_mutex_unlock(&p->recording_locks[role]);
}

void tf_pipeline_record_picture_left_out(struct tf_pipeline *p, uint32_t recording)
{
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_INFERENCE]);
    if (recording && p->recordings[TF_THREAD_INFERENCE] && recording == p->recording_rows_number)
        tf_recording_picture_left_out(p->recordings[TF_THREAD_INFERENCE]);
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_INFERENCE]);
}

void tf_pipeline_record_packets_end(struct tf_pipeline *p)
{
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_PICTURE]);
    if (p->recordings[TF_THREAD_PICTURE])
        tf_recording_packets_end(p->recordings[TF_THREAD_PICTURE]);
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_PICTURE]);
}

int tf_pipeline_record_start(struct tf_pipeline *p, const struct tf_recording_options *options,
                             struct tf_error *err)
{
    struct tf_recording_options o = *options;
    struct tf_source_info info;
    struct tf_radiometry radiometry = {0};
    enum tf_turn_state turn;
    bool ready, has_frame;
    int r;

    if (!p->options.recordable)
        return tf_fail(err, -ENOTSUP, "camera %s: not set up for recording", p->camera);
    pthread_mutex_lock(&p->recording_control);
    if (p->recording) {
        r = tf_fail(err, -EBUSY, "camera %s is being recorded already", p->camera);
        pthread_mutex_unlock(&p->recording_control);
        return r;
    }
    tf_turn_hold(p);
    pthread_mutex_lock(&p->lock);
    ready = p->has_info && p->status.state == TF_CAMERA_RUNNING;
    info = p->present; /* a camera may have come back with another size */
    turn = p->status.turn.state;
    has_frame = p->latest && p->latest->frame;
    if (has_frame)
        radiometry = p->latest->frame->radiometry;
    pthread_mutex_unlock(&p->lock);
    if (!ready) {
        r = tf_fail(err, -EAGAIN, "camera %s delivers no frames: it cannot be recorded now", p->camera);
        goto out;
    }
    o.camera = p->camera;
    o.width = info.width;
    o.height = info.height;
    o.rotate = info.rotate;
    o.flip = info.flip;
    o.rotate_from = turn == TF_TURN_DECIDED                            ? "faces"
                    : turn == TF_TURN_UNDECIDED || turn == TF_TURN_TIE ? "undecided"
                                                                       : "configured";
    o.pixel = info.pixel;
    o.fps = info.fps;
    /* A camera's telemetry may know better than the row of the table. */
    o.radiometry = has_frame ? radiometry : info.radiometry;
    if (info.format)
        tf_format_limits(info.format, &o.radiometry, o.limits);
    o.format = info.format ? info.format->name : NULL;
    o.source_kind = info.kind;
    o.source_name = info.name;
    o.source_identity = info.identity;
    o.analysis.analyse = p->options.analyse;
    o.analysis.options = p->options.analyser;
    memcpy(o.analysis.black_body, p->options.black_body, sizeof(o.analysis.black_body));
    o.analysis.black_body_c = p->options.black_body_c;
    o.waiting_max = p->record_waiting;
    o.annotated = options->annotated && p->options.pictures;
    /* Pictures are encoded for the recording even when nobody watches: the encoder is there before them. */

    r = tf_recording_create(&o, &p->recording, err);
    if (r < 0)
        goto out;
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_INFERENCE]);
    p->recordings[TF_THREAD_INFERENCE] = p->recording;
    p->recording_rows_number = p->recording_number + 1;
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_INFERENCE]);
    if (o.annotated) {
        pthread_mutex_lock(&p->recording_locks[TF_THREAD_PICTURE]);
        p->recordings[TF_THREAD_PICTURE] = p->recording;
        p->recording_pictures_number = p->recording_number + 1;
        pthread_mutex_unlock(&p->recording_locks[TF_THREAD_PICTURE]);
        atomic_store(&p->recording_key, true);
        atomic_store(&p->recording_pictures, true);
    }
    /* Last, so that all else is there for the first frame. */
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_CAPTURE]);
    p->recordings[TF_THREAD_CAPTURE] = p->recording;
    p->recording_number++;
    p->recording_rows_end = 0;
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_CAPTURE]);
out:
    if (r < 0)
        tf_turn_release(p);
    pthread_mutex_unlock(&p->recording_control);
    return r;
}

/* What the picture thread still has of the recording's frames. Frames that come meanwhile are none of its. */
static void wait_for_pictures(struct tf_pipeline *p, uint64_t end)
{
    uint64_t until = tf_now_ns() + PICTURES_WAIT_NS;
    struct tf_ring_counters ring;

    if (!p->options.pictures || !p->recordings[TF_THREAD_PICTURE])
        return;
    while (atomic_load_explicit(&p->pictures_offered, memory_order_acquire) < end && tf_now_ns() < until &&
           tf_pipeline_running(p))
        tf_sleep_until_ns(tf_now_ns() + 2000000);
    ring = tf_ring_counters(p->picture_ring);
    while (atomic_load_explicit(&p->pictures_done, memory_order_acquire) +
                   tf_ring_counters(p->picture_ring).dropped <
               ring.pushed &&
           tf_now_ns() < until && tf_pipeline_running(p))
        tf_sleep_until_ns(tf_now_ns() + 2000000);
}

int tf_pipeline_record_stop(struct tf_pipeline *p, struct tf_recording_status *ret, struct tf_error *err)
{
    struct tf_recording_status final;
    uint64_t end, until;
    int r = -ENOENT;

    pthread_mutex_lock(&p->recording_control);
    if (!p->recording) {
        tf_fail(err, r, "camera %s is not being recorded", p->camera);
        goto out;
    }
    /* Every frame of the video gets its row, also those that inference has yet to look at. The last one may
     * not even stand in the backlog yet: capture enters a frame there after it has given it to the recording.
     */
    pthread_mutex_lock(&p->recording_locks[TF_THREAD_CAPTURE]);
    p->recordings[TF_THREAD_CAPTURE] = NULL;
    end = p->recording_rows_end;
    pthread_mutex_unlock(&p->recording_locks[TF_THREAD_CAPTURE]);
    until = tf_now_ns() + ROWS_WAIT_NS;
    while (atomic_load_explicit(&p->records_done, memory_order_acquire) < end && tf_now_ns() < until &&
           tf_pipeline_running(p))
        tf_sleep_until_ns(tf_now_ns() + 2000000);
    wait_for_pictures(p, end);
    set(p, TF_THREAD_INFERENCE, NULL);
    atomic_store(&p->recording_pictures, false);
    set(p, TF_THREAD_PICTURE, NULL);
    r = tf_recording_close(p->recording, &final, err);
    p->recording = NULL;
    add_totals(&p->recording_totals, &final, r < 0);
    if (ret)
        *ret = final;
    tf_turn_release(p);
out:
    pthread_mutex_unlock(&p->recording_control);
    return r;
}

int tf_pipeline_record_status(struct tf_pipeline *p, struct tf_recording_status *ret)
{
    int r = -ENOENT;

    pthread_mutex_lock(&p->recording_control);
    if (p->recording) {
        tf_recording_status(p->recording, ret);
        r = 0;
    }
    pthread_mutex_unlock(&p->recording_control);
    return r;
}

/* Whoever starts or stops a recording may wait for the disk: until then this is what was known before. */
void tf_pipeline_record_tell(struct tf_pipeline *p, struct tf_status *ret)
{
    struct tf_recording_told told = {0};

    if (pthread_mutex_trylock(&p->recording_control) == 0) {
        told.totals = p->recording_totals;
        if (p->recording) {
            tf_recording_status(p->recording, &told.now);
            told.recording = true;
            add_totals(&told.totals, &told.now, told.now.failed);
        }
        pthread_mutex_unlock(&p->recording_control);
        pthread_mutex_lock(&p->lock);
        p->recording_told = told;
        pthread_mutex_unlock(&p->lock);
    } else {
        pthread_mutex_lock(&p->lock);
        told = p->recording_told;
        pthread_mutex_unlock(&p->lock);
    }
    ret->recording = told;
}

void tf_pipeline_record_finish(struct tf_pipeline *p)
{
    pthread_mutex_destroy(&p->recording_control);
    for (int i = 0; i < TF_THREADS; i++)
        pthread_mutex_destroy(&p->recording_locks[i]);
}
