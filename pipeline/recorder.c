/* Recordings: seats for three threads, and control for any. */
#include "base/clock.h"
#include "pipeline/recorder.h"

#include <errno.h>
#include <string.h>

#include "pipeline/models.h"

/* How long inference may take for the frames that were captured before the end. */
#define ROWS_WAIT_NS 5000000000ull
/* And the picture thread for those that wait for it. */
#define PICTURES_WAIT_NS TF_NS_PER_S
#define LOOK_NS 2000000ull /* how often it is looked whether they have come */

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

void tf_recorder_init(struct tf_recorder *r)
{
    pthread_mutex_init(&r->control, NULL);
    for (int i = 0; i < TF_THREADS; i++)
        pthread_mutex_init(&r->seats[i].lock, NULL);
}

void tf_recorder_finish(struct tf_recorder *r)
{
    pthread_mutex_destroy(&r->control);
    for (int i = 0; i < TF_THREADS; i++)
        pthread_mutex_destroy(&r->seats[i].lock);
}

/* `number` 0: as it was. */
static void set(struct tf_recorder_seat *seat, struct tf_recording *recording, uint32_t number)
{
    pthread_mutex_lock(&seat->lock);
    seat->recording = recording;
    if (number)
        seat->number = number;
    pthread_mutex_unlock(&seat->lock);
}

void tf_recorder_frame(struct tf_recorder *r, struct tf_frame *frame, struct tf_head *head)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_CAPTURE];
    uint64_t n;
    int result;

    head->recording = 0;
    pthread_mutex_lock(&seat->lock);
    if (seat->recording) {
        result = tf_recording_frame(seat->recording, frame, &n);
        if (result != -EPIPE) {
            head->recording = seat->number;
            head->video_frame = result == 0 ? (int64_t)n : -1;
            r->rows_end = head->n + 1;
        }
    }
    pthread_mutex_unlock(&seat->lock);
}

void tf_recorder_row(struct tf_recorder *r, const struct tf_record *record, const struct tf_head *head)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_INFERENCE];

    if (head->recording) {
        pthread_mutex_lock(&seat->lock);
        /* A row that comes later than the longest wait has no table any more. */
        if (seat->recording && head->recording == seat->number)
            tf_recording_row(seat->recording, record);
        pthread_mutex_unlock(&seat->lock);
    }
    atomic_store_explicit(&r->rows_done, head->n + 1, memory_order_release);
}

void tf_recorder_first_face(struct tf_recorder *r, uint32_t id)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_INFERENCE];

    pthread_mutex_lock(&seat->lock);
    if (seat->recording)
        tf_recording_first_face(seat->recording, id);
    pthread_mutex_unlock(&seat->lock);
}

void tf_recorder_picture_left_out(struct tf_recorder *r, uint32_t recording)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_INFERENCE];

    pthread_mutex_lock(&seat->lock);
    if (recording && seat->recording && recording == seat->number)
        tf_recording_picture_left_out(seat->recording);
    pthread_mutex_unlock(&seat->lock);
}

/* What is encoded for viewers from frames that were captured before the recording is not in it. */
void tf_recorder_packet(struct tf_recorder *r, uint32_t recording, const struct tf_encoder *encoder,
                        const struct tf_packet *packet)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_PICTURE];

    pthread_mutex_lock(&seat->lock);
    if (seat->recording && (recording == TF_PICTURE_CARD || recording == seat->number))
        tf_recording_packet(seat->recording, encoder, packet, recording == TF_PICTURE_CARD);
    pthread_mutex_unlock(&seat->lock);
}

void tf_recorder_packets_end(struct tf_recorder *r, enum tf_picture_place place)
{
    struct tf_recorder_seat *seat = &r->seats[TF_THREAD_PICTURE];

    pthread_mutex_lock(&seat->lock);
    if (seat->recording)
        tf_recording_packets_end(seat->recording, place);
    pthread_mutex_unlock(&seat->lock);
}

void tf_recorder_picture_lost(struct tf_recorder *r, enum tf_thread_role role, uint32_t recording,
                              enum tf_picture_place place)
{
    struct tf_recorder_seat *seat = &r->seats[role];

    if (!recording)
        return;
    pthread_mutex_lock(&seat->lock);
    if (seat->recording && recording == seat->number)
        tf_recording_picture_lost(seat->recording, place);
    pthread_mutex_unlock(&seat->lock);
}

/* What the camera is now, and how it is analysed; `o` names texts of `info`. -EAGAIN: it delivers nothing. */
static int describe_camera(struct tf_recorder *r, struct tf_source_info *info, struct tf_recording_options *o,
                           struct tf_error *err)
{
    const struct tf_pipeline_options *options = &r->setup->options;
    struct tf_shared *s = r->shared;
    struct tf_radiometry radiometry = {0};
    enum tf_turn_state turn;
    bool ready, has_frame;

    pthread_mutex_lock(&s->lock);
    ready = s->has_info && s->status.state == TF_CAMERA_RUNNING;
    *info = s->present; /* a camera may have come back with another size */
    turn = s->status.turn.state;
    has_frame = s->latest && s->latest->frame;
    if (has_frame)
        radiometry = s->latest->frame->radiometry;
    pthread_mutex_unlock(&s->lock);
    if (!ready)
        return tf_fail(err, -EAGAIN, "camera %s delivers no frames: it cannot be recorded now",
                       r->setup->camera);
    o->camera = r->setup->camera;
    o->width = info->width;
    o->height = info->height;
    o->rotate = info->rotate;
    o->flip = info->flip;
    o->rotate_from = turn == TF_TURN_DECIDED                            ? "faces"
                     : turn == TF_TURN_UNDECIDED || turn == TF_TURN_TIE ? "undecided"
                                                                        : "configured";
    o->pixel = info->pixel;
    o->full_range = info->full_range;
    o->fps = info->fps;
    /* A camera's telemetry may know better than the row of the table. */
    o->radiometry = has_frame ? radiometry : info->radiometry;
    if (info->format)
        tf_format_limits(info->format, &o->radiometry, o->limits);
    o->format = info->format ? info->format->name : NULL;
    o->source_kind = info->kind;
    o->source_name = info->name;
    o->source_identity = info->identity;
    o->analysis.analyse = options->analyse;
    o->analysis.options = options->analyser;
    if (options->analyse)
        o->analysis.model_count = tf_models_digest(&options->analyser, o->analysis.models);
    memcpy(o->analysis.black_body, options->black_body, sizeof(o->analysis.black_body));
    o->analysis.black_body_c = options->black_body_c;
    o->waiting_max = r->setup->recording_wait;
    o->annotated = o->annotated && options->pictures;
    return 0;
}

static int start(struct tf_recorder *r, struct tf_recording_options *o, struct tf_error *err)
{
    uint32_t number = r->seats[TF_THREAD_CAPTURE].number + 1;
    struct tf_source_info info;
    int result = describe_camera(r, &info, o, err);

    if (result == 0)
        result = tf_recording_create(o, &r->recording, err);
    if (result < 0)
        return result;
    set(&r->seats[TF_THREAD_INFERENCE], r->recording, number);
    /* Pictures are encoded for the recording even when nobody watches: the encoder is there before them. */
    if (o->annotated) {
        set(&r->seats[TF_THREAD_PICTURE], r->recording, number);
        atomic_store(&r->pictures->recording_key, true);
        atomic_store(&r->pictures->recording, true);
    }
    /* Last, so that all else is there for the first frame. */
    pthread_mutex_lock(&r->seats[TF_THREAD_CAPTURE].lock);
    r->seats[TF_THREAD_CAPTURE].recording = r->recording;
    r->seats[TF_THREAD_CAPTURE].number = number;
    r->rows_end = 0;
    pthread_mutex_unlock(&r->seats[TF_THREAD_CAPTURE].lock);
    return 0;
}

int tf_recorder_start(struct tf_recorder *r, const struct tf_recording_options *options, struct tf_error *err)
{
    struct tf_recording_options o = *options;
    struct tf_own_regions own;
    int result;

    if (!r->setup->options.recordable)
        return tf_fail(err, -ENOTSUP, "camera %s: not set up for recording", r->setup->camera);
    pthread_mutex_lock(&r->control);
    if (r->recording) {
        result = tf_fail(err, -EBUSY, "camera %s is being recorded already", r->setup->camera);
    } else {
        tf_turn_hold(r->shared);
        tf_shared_own(r->shared, &own);
        o.own = &own;
        result = start(r, &o, err);
        if (result < 0)
            tf_turn_release(r->shared);
    }
    pthread_mutex_unlock(&r->control);
    return result;
}

static bool wait_goes_on(struct tf_recorder *r, uint64_t until)
{
    return tf_now_ns() < until && tf_shared_running(r->shared);
}

/*
 * Encoders of hardware give a picture back when some more have come. Those of the frames that follow push the
 * last ones out, unless none do or they are slow: then the encoder is emptied, and opened anew.
 */
static void wait_for_encoder(struct tf_recorder *r)
{
    struct tf_picture_queue *q = r->pictures;

    for (int i = 0; i < 2 && atomic_load(&q->owed); i++) {
        uint64_t until = tf_now_ns() + PICTURES_WAIT_NS;

        atomic_store(&q->flush, i > 0);
        while (atomic_load(&q->owed) && wait_goes_on(r, until))
            tf_sleep_until_ns(tf_now_ns() + LOOK_NS);
    }
    atomic_store(&q->flush, false);
}

/* What the picture thread still has of the recording's frames. Frames that come meanwhile are none of its. */
static void wait_for_pictures(struct tf_recorder *r, uint64_t end)
{
    struct tf_picture_queue *q = r->pictures;
    uint64_t until = tf_now_ns() + PICTURES_WAIT_NS;
    struct tf_ring_counters ring;

    if (!r->setup->options.pictures || !r->seats[TF_THREAD_PICTURE].recording)
        return;
    while (atomic_load_explicit(&q->offered, memory_order_acquire) < end && wait_goes_on(r, until))
        tf_sleep_until_ns(tf_now_ns() + LOOK_NS);
    ring = tf_ring_counters(q->ring);
    while (atomic_load_explicit(&q->done, memory_order_acquire) + tf_ring_counters(q->ring).dropped <
               ring.pushed &&
           wait_goes_on(r, until))
        tf_sleep_until_ns(tf_now_ns() + LOOK_NS);
    wait_for_encoder(r);
}

int tf_recorder_stop(struct tf_recorder *r, struct tf_recording_status *ret, struct tf_error *err)
{
    struct tf_recorder_seat *capture = &r->seats[TF_THREAD_CAPTURE];
    struct tf_recording_status final;
    uint64_t end, until;
    int result = -ENOENT;

    pthread_mutex_lock(&r->control);
    if (!r->recording) {
        tf_fail(err, result, "camera %s is not being recorded", r->setup->camera);
        goto out;
    }
    /* Every frame of the video gets its row, also those that inference has yet to look at. The last one may
     * not even stand in the backlog yet: capture enters a frame there after it has given it to the recording.
     */
    pthread_mutex_lock(&capture->lock);
    capture->recording = NULL;
    end = r->rows_end;
    pthread_mutex_unlock(&capture->lock);
    until = tf_now_ns() + ROWS_WAIT_NS;
    while (atomic_load_explicit(&r->rows_done, memory_order_acquire) < end && wait_goes_on(r, until))
        tf_sleep_until_ns(tf_now_ns() + LOOK_NS);
    wait_for_pictures(r, end);
    set(&r->seats[TF_THREAD_INFERENCE], NULL, 0);
    atomic_store(&r->pictures->recording, false);
    set(&r->seats[TF_THREAD_PICTURE], NULL, 0);
    result = tf_recording_close(r->recording, &final, err);
    r->recording = NULL;
    add_totals(&r->totals, &final, result < 0);
    if (ret)
        *ret = final;
    tf_turn_release(r->shared);
out:
    pthread_mutex_unlock(&r->control);
    return result;
}

int tf_recorder_status(struct tf_recorder *r, struct tf_recording_status *ret)
{
    int result = -ENOENT;

    pthread_mutex_lock(&r->control);
    if (r->recording) {
        tf_recording_status(r->recording, ret);
        result = 0;
    }
    pthread_mutex_unlock(&r->control);
    return result;
}

/* Whoever starts or stops a recording may wait for the disk: until then this is what was known before. */
void tf_recorder_tell(struct tf_recorder *r, struct tf_recording_told *ret)
{
    struct tf_shared *s = r->shared;
    struct tf_recording_told told = {0};

    if (pthread_mutex_trylock(&r->control) == 0) {
        told.totals = r->totals;
        if (r->recording) {
            tf_recording_status(r->recording, &told.now);
            told.recording = true;
            add_totals(&told.totals, &told.now, told.now.failed);
        }
        pthread_mutex_unlock(&r->control);
        pthread_mutex_lock(&s->lock);
        s->status.recording = told;
        pthread_mutex_unlock(&s->lock);
    } else {
        pthread_mutex_lock(&s->lock);
        told = s->status.recording;
        pthread_mutex_unlock(&s->lock);
    }
    *ret = told;
}
