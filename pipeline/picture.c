/* The picture thread: draws, encodes once for all who watch, and keeps pictures flowing while the camera is
 * away. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pipeline/picture.h"

/* The picture waits for the record, not the other way round: where the processor is short, inference goes
 * first. */
#define PICTURE_NICE 5

/* What a "no signal" picture is drawn at before any camera has told its size. */
#define UNKNOWN_WIDTH 640
#define UNKNOWN_HEIGHT 480

/* An open encoder knows its parameter sets: players that ask for a description get one, and nothing is
 * encoded. */
static void describe(struct tf_pictures *x, float fps)
{
    const uint8_t *data;
    size_t size;

    atomic_store(&x->queue->described, true);
    data = tf_encoder_extradata(x->encoder, &size);
    if (data)
        tf_rtsp_headers(x->queue->mount, data, size, fps);
}

/* The video file fails or ends alone: whoever watches goes on watching. */
static void end_video(struct tf_pictures *x, int r, const struct tf_error *err)
{
    atomic_store(&x->queue->video_open, false);
    tf_shared_fail(x->shared, r, err);
    if (x->setup->options.log)
        tf_log(TF_LOG_ERROR, x->setup->camera, "the annotated video ends: %s", err->text);
}

/* --- pictures in the encoder --- */

static bool is_owed(uint32_t recording)
{
    return recording && recording != TF_PICTURE_CARD;
}

static void give(struct tf_pictures *x, uint64_t t_ns, uint32_t recording)
{
    size_t slot = x->given_count++ % TF_PICTURES_GIVEN;

    /* An encoder that keeps more than that fails before. */
    if (is_owed(x->given[slot].recording))
        atomic_fetch_sub(&x->queue->owed, 1);
    x->given[slot].t_ns = t_ns;
    x->given[slot].recording = recording;
    if (is_owed(recording))
        atomic_fetch_add(&x->queue->owed, 1);
}

/* The recording of the picture with this stamp, of which no two have the same; it has come out. */
static uint32_t take_back(struct tf_pictures *x, uint64_t t_ns)
{
    for (size_t i = 0; i < TF_PICTURES_GIVEN; i++) {
        uint32_t recording = x->given[i].recording;

        if (x->given[i].t_ns != t_ns || !recording)
            continue;
        x->given[i].recording = 0;
        return recording;
    }
    return 0;
}

/* What is still in an encoder that is given up is lost. */
static void forget_given(struct tf_pictures *x)
{
    for (size_t i = 0; i < TF_PICTURES_GIVEN; i++) {
        if (is_owed(x->given[i].recording)) {
            tf_recorder_picture_lost(x->recorder, TF_THREAD_PICTURE, x->given[i].recording,
                                     TF_PICTURE_ENCODER);
            atomic_fetch_sub(&x->queue->owed, 1);
        }
        x->given[i].recording = 0;
    }
}

static void deliver(void *context, const struct tf_packet *packet)
{
    struct tf_pictures *x = context;
    uint32_t recording = take_back(x, packet->t_mono_ns);
    struct tf_error err = {0};
    int r;

    atomic_fetch_add_explicit(&x->encoded, 1, memory_order_relaxed);
    if (x->queue->mount)
        tf_rtsp_push(x->queue->mount, packet);
    tf_fragmenter_packet(x->fragmenter, x->encoder, packet);
    tf_recorder_packet(x->recorder, recording, x->encoder, packet);
    if (is_owed(recording))
        atomic_fetch_sub(&x->queue->owed, 1);
    if (x->setup->options.video && !atomic_load(&x->queue->video_open))
        atomic_fetch_add_explicit(&x->video_lost, 1, memory_order_relaxed);
    if (!x->muxer || !atomic_load(&x->queue->video_open))
        return;
    r = tf_muxer_write(x->muxer, packet, &err);
    if (r < 0) {
        atomic_fetch_add_explicit(&x->video_lost, 1, memory_order_relaxed);
        end_video(x, r, &err);
    }
}

/* --- the encoder --- */

/* `place`: where pictures of a recording that come later are lost. */
static void close_encoder(struct tf_pictures *x, enum tf_picture_place place)
{
    struct tf_error err = {0};
    int r = 0;

    if (x->encoder && place != TF_PICTURE_ENCODER)
        tf_encoder_flush(x->encoder, deliver, x, NULL);
    forget_given(x);
    if (x->encoder)
        tf_recorder_packets_end(x->recorder, place);
    if (x->muxer)
        r = tf_muxer_close(x->muxer, &err);
    x->muxer = NULL;
    tf_fragmenter_end(x->fragmenter);
    tf_encoder_destroy(x->encoder);
    x->encoder = NULL;
    if (r < 0) {
        tf_shared_fail(x->shared, r, &err);
        if (x->setup->options.log)
            tf_log(TF_LOG_ERROR, x->setup->camera, "the annotated video is not complete: %s", err.text);
    }
}

void tf_picture_finish(struct tf_pictures *x)
{
    close_encoder(x, TF_PICTURE_OTHER);
    tf_fragmenter_destroy(x->fragmenter);
    x->fragmenter = NULL;
}

static int open_encoder(struct tf_pictures *x, struct tf_error *err)
{
    struct tf_encoder_options eo = x->setup->options.encoder;
    float limit = x->setup->options.picture_fps_max;
    int r;

    tf_overlay_size(x->overlay, &eo.width, &eo.height);
    if (!(eo.fps > 0)) {
        pthread_mutex_lock(&x->shared->lock);
        eo.fps = x->shared->has_info && x->shared->info.fps > 0 ? x->shared->info.fps : 25;
        pthread_mutex_unlock(&x->shared->lock);
    }
    if (limit > 0 && limit < eo.fps)
        eo.fps = limit;
    r = tf_encoder_create(&eo, &x->encoder, err);
    if (r == 0)
        x->key_wanted = true;
    if (r == 0 && x->queue->mount)
        describe(x, eo.fps);
    return r;
}

static void picture_error(struct tf_pictures *x, int r, const struct tf_error *err)
{
    if (x->encoder_failed)
        return;
    x->encoder_failed = true;
    tf_shared_fail(x->shared, r, err);
    if (x->setup->options.log)
        tf_log(TF_LOG_ERROR, x->setup->camera, "pictures fail: %s", err->text[0] ? err->text : strerror(-r));
}

/* It is opened again after a wait: an encoder of hardware may be taken, or its driver be busy with itself. */
static void put_off(struct tf_pictures *x, int r, const struct tf_error *err)
{
    x->backoff_ns = x->backoff_ns ? 2 * x->backoff_ns : TF_ENCODER_RETRY_LEAST_NS;
    if (x->backoff_ns > TF_ENCODER_RETRY_MOST_NS)
        x->backoff_ns = TF_ENCODER_RETRY_MOST_NS;
    x->retry_ns = tf_now_ns() + x->backoff_ns;
    pthread_mutex_lock(&x->shared->lock);
    x->shared->status.encoder.failed = true;
    x->shared->status.encoder.failures++;
    snprintf(x->shared->status.encoder.message, sizeof(x->shared->status.encoder.message), "%.255s",
             err->text[0] ? err->text : strerror(-r));
    pthread_mutex_unlock(&x->shared->lock);
    picture_error(x, r, err);
}

static void encoder_works(struct tf_pictures *x)
{
    if (!x->backoff_ns)
        return;
    x->backoff_ns = 0;
    x->encoder_failed = false;
    pthread_mutex_lock(&x->shared->lock);
    x->shared->status.encoder.failed = false;
    x->shared->status.encoder.message[0] = '\0';
    pthread_mutex_unlock(&x->shared->lock);
    if (x->setup->options.log)
        tf_log(TF_LOG_INFO, x->setup->camera, "pictures are encoded again");
}

/* Offline an encoder that fails is the end, and said as the run's error. */
static int open_or_put_off(struct tf_pictures *x, struct tf_error *err)
{
    int r;

    if (x->setup->live && x->backoff_ns && tf_now_ns() < x->retry_ns)
        return 0;
    r = open_encoder(x, err);
    if (r < 0 && x->setup->live) {
        put_off(x, r, err);
        return 0;
    }
    return r;
}

/* An open encoder has failed: another one takes its place. */
static void replace_encoder(struct tf_pictures *x, int r, const struct tf_error *err)
{
    if (!x->setup->live) {
        picture_error(x, r, err);
        return;
    }
    if (x->muxer)
        end_video(x, r, err);
    close_encoder(x, TF_PICTURE_ENCODER);
    put_off(x, r, err);
}

/* A recording has ended, and its last pictures are in the encoder. */
static void flush_encoder(struct tf_pictures *x)
{
    /* A video file has one encoder from its first picture to its last. */
    if (!atomic_exchange(&x->queue->flush, false) || !x->encoder || x->muxer)
        return;
    close_encoder(x, TF_PICTURE_OTHER);
}

/* For whoever finds places in the picture; nothing where there is no overlay. */
static void tell_size(struct tf_pictures *x)
{
    struct tf_picture_told told = {0};

    if (x->overlay) {
        tf_overlay_size(x->overlay, &told.width, &told.height);
        told.factor = tf_overlay_factor(x->overlay);
    }
    pthread_mutex_lock(&x->shared->lock);
    x->shared->status.picture = told;
    pthread_mutex_unlock(&x->shared->lock);
}

int tf_picture_prepare(struct tf_pictures *x, uint32_t width, uint32_t height, bool card,
                       struct tf_error *err)
{
    int r;

    if (!x->overlay || x->overlay_width != width || x->overlay_height != height) {
        struct tf_overlay_options overlay;
        uint32_t number;

        if (x->muxer) {
            /* A container has one picture size from its first frame to its last. */
            struct tf_error size = {0};

            tf_fail(&size, -EINVAL, "%s: the camera came back with %ux%u pixels instead of %ux%u",
                    x->setup->options.video, width, height, x->overlay_width, x->overlay_height);
            end_video(x, -EINVAL, &size);
        }
        close_encoder(x, TF_PICTURE_SIZE);
        tf_overlay_destroy(x->overlay);
        x->overlay = NULL;
        number = tf_shared_overlay(x->shared, &overlay);
        overlay.form = TF_PICTURE_PLANES;
        if (x->setup->options.analyser.cpu)
            tf_cpu_select(x->setup->options.analyser.cpu, &overlay.cpu, NULL);
        r = tf_overlay_create(&overlay, width, height, &x->overlay, err);
        tell_size(x);
        if (r < 0)
            return r;
        x->overlay_taken = number;
        x->overlay_width = width;
        x->overlay_height = height;
        r = open_or_put_off(x, err);
        if (r < 0)
            return r;
    } else if (!x->encoder && x->setup->live) {
        r = open_or_put_off(x, err);
        if (r < 0)
            return r;
    }
    /* The file begins with the first real picture, when the camera's size is known, and its turn. */
    if (!card && x->encoder && !x->muxer && atomic_load(&x->queue->video_open) &&
        !atomic_load(&x->shared->turn.open)) {
        r = tf_muxer_create(x->setup->options.video, x->encoder, x->setup->options.overwrite, &x->muxer, err);
        if (r < 0)
            return r;
        x->key_wanted = true;
    }
    return 0;
}

static void take_overlay_options(struct tf_pictures *x)
{
    struct tf_overlay_options overlay;
    struct tf_error err = {0};
    uint32_t number = tf_shared_overlay(x->shared, &overlay);

    if (number == x->overlay_taken)
        return;
    x->overlay_taken = number;
    if (tf_overlay_set_options(x->overlay, &overlay, &err) < 0 && x->setup->options.log)
        tf_log(TF_LOG_WARNING, x->setup->camera, "the overlay stays as it was: %s", err.text);
}

static void draw_and_encode(struct tf_pictures *x, const struct tf_frame *frame, const struct tf_faces *faces,
                            const struct tf_overlay_note *note, uint64_t t_ns)
{
    const struct tf_picture *picture;
    struct tf_error err = {0};
    uint64_t begin = tf_now_ns(), drawn;
    int r;

    if (!x->encoder) {
        tf_recorder_picture_lost(x->recorder, TF_THREAD_PICTURE, x->recording, TF_PICTURE_ENCODER);
        return;
    }
    take_overlay_options(x);
    r = tf_overlay_draw(x->overlay, frame, faces, note, &picture);
    drawn = tf_now_ns();
    tf_stage_add(x->shared, TF_STAGE_OVERLAY, drawn - begin);
    if (r < 0) {
        tf_fail(&err, r, "the picture could not be drawn: %s", strerror(-r));
        picture_error(x, r, &err);
        tf_recorder_picture_lost(x->recorder, TF_THREAD_PICTURE, x->recording, TF_PICTURE_ENCODER);
        return;
    }
    /* Between "no signal" cards, stamped now, and frames, stamped when they were captured, time may not run
     * back. */
    if (t_ns <= x->last_ns)
        t_ns = x->last_ns + 1000000;
    x->last_ns = t_ns;
    /* Not by a picture from before the recording, which is not in it. */
    if (x->recording && atomic_exchange(&x->queue->recording_key, false))
        x->key_wanted = true;
    if ((x->queue->mount && tf_rtsp_take_key_request(x->queue->mount)) ||
        tf_live_take_key_request(x->queue->live, tf_now_ns()))
        x->key_wanted = true;
    give(x, t_ns, x->recording);
    r = tf_encoder_encode(x->encoder, picture, t_ns, note->frame, x->key_wanted, deliver, x, &err);
    tf_stage_add(x->shared, TF_STAGE_ENCODE, tf_now_ns() - drawn);
    if (r < 0) {
        uint32_t recording = take_back(x, t_ns);

        if (is_owed(recording))
            atomic_fetch_sub(&x->queue->owed, 1);
        tf_recorder_picture_lost(x->recorder, TF_THREAD_PICTURE, recording, TF_PICTURE_ENCODER);
        replace_encoder(x, r, &err);
    } else {
        x->key_wanted = false;
        encoder_works(x);
    }
}

static void draw_record(struct tf_pictures *x, const struct tf_shared_record *shared)
{
    const struct tf_record *record = &shared->record;
    struct tf_overlay_note note = {
        .camera = x->setup->camera,
        .frame = record->frame,
        .t_utc_ns = record->t_utc_ns,
        .banner = TF_BANNER_NONE,
        .own = &record->own,
    };
    struct tf_error err = {0};
    int r;

    if (x->setup->live)
        note.fps = tf_shared_fps(x->shared);
    if (record->state == TF_STATE_SKIPPED)
        note.banner = TF_BANNER_SKIPPED;
    tf_turn_note(shared->turn_better, &note);
    r = tf_picture_prepare(x, tf_frame_upright_width(shared->frame), tf_frame_upright_height(shared->frame),
                           false, &err);
    if (r < 0 && x->encoder && !x->muxer)
        end_video(x, r, &err);
    else if (r < 0)
        picture_error(x, r, &err);
    if (!tf_picture_watched(x->queue)) {
        atomic_store(&x->queue->described, true); /* or never will be */
        return;
    }
    x->recording = shared->recording;
    draw_and_encode(x, shared->frame, &record->faces, &note, record->t_mono_ns);
    x->recording = 0;
}

/* An open camera without frames keeps its last picture under a banner; one that is gone has the card. */
static void draw_card(struct tf_pictures *x, const struct tf_latest *latest)
{
    const struct tf_source_options *source = &x->setup->options.source;
    const struct tf_shared_record *last = latest->state == TF_CAMERA_NO_SIGNAL ? latest->record : NULL;
    struct tf_overlay_note note = {
        .camera = x->setup->camera,
        .frame = latest->last_frame,
        .t_utc_ns = tf_utc_now_ns(),
        .since_utc_ns = latest->since_utc_ns,
        .banner = last ? TF_BANNER_STALE : TF_BANNER_NO_SIGNAL,
        .own = last ? &last->record.own : NULL,
    };
    uint32_t width = latest->width, height = latest->height;
    struct tf_error err = {0};
    int r = 0;

    if (!width || !height) {
        width = source->width ? source->width : UNKNOWN_WIDTH;
        height = source->height ? source->height : UNKNOWN_HEIGHT;
    }
    if (!x->muxer)
        r = tf_picture_prepare(x, width, height, true, &err);
    x->recording = TF_PICTURE_CARD;
    if (r < 0)
        picture_error(x, r, &err);
    else
        draw_and_encode(x, last ? last->frame : NULL, last ? &last->record.faces : NULL, &note, tf_now_ns());
    x->recording = 0;
}

/* Nothing came for a while. Where the camera is away, whoever watches is told, about five times a second. */
static void draw_absence(struct tf_pictures *x)
{
    struct tf_latest latest;

    if (!tf_picture_viewers(x->queue))
        return;
    tf_shared_latest(x->shared, &latest);
    if (latest.state != TF_CAMERA_RUNNING)
        draw_card(x, &latest);
    if (latest.record)
        tf_shared_record_unref(latest.record);
}

void *tf_picture_main(void *arg)
{
    struct tf_pictures *x = arg;
    id_t self = (id_t)syscall(SYS_gettid);

    setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + PICTURE_NICE);
    for (;;) {
        void *v;
        int r = tf_ring_pop(x->queue->ring, TF_POLL_MS, &v);

        tf_shared_beat(x->shared, TF_THREAD_PICTURE);
        flush_encoder(x);
        if (r == -EAGAIN) {
            draw_absence(x);
            continue;
        }
        if (r < 0)
            break;
        if (x->queue->wait)
            sem_post(&x->queue->slots);
        draw_record(x, v);
        tf_shared_record_unref(v);
        atomic_fetch_add_explicit(&x->queue->done, 1, memory_order_release);
    }
    close_encoder(x, TF_PICTURE_OTHER);
    return NULL;
}
