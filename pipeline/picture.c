/* The picture thread: draws, encodes once for all who watch, and keeps pictures flowing while the camera is
 * away. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pipeline/internal.h"

/* The picture waits for the record, not the other way round: where the processor is short, inference goes
 * first. */
#define PICTURE_NICE 5

/* What a "no signal" picture is drawn at before any camera has told its size. */
#define UNKNOWN_WIDTH 640
#define UNKNOWN_HEIGHT 480

/* To be drawn and encoded. */
static bool is_looked_at(const struct tf_pipeline *p)
{
    return atomic_load_explicit(&p->video_open, memory_order_relaxed) ||
           atomic_load_explicit(&p->recording_pictures, memory_order_relaxed) ||
           (p->mount && tf_rtsp_viewers(p->mount) > 0);
}

bool tf_picture_wanted(const struct tf_pipeline *p)
{
    return is_looked_at(p) || (p->mount && !atomic_load_explicit(&p->described, memory_order_relaxed));
}

/* An open encoder knows its parameter sets: players that ask for a description get one, and nothing is
 * encoded. */
static void describe(struct tf_pipeline *p, float fps)
{
    const uint8_t *data;
    size_t size;

    atomic_store(&p->described, true);
    data = tf_encoder_extradata(p->encoder, &size);
    if (data)
        tf_rtsp_headers(p->mount, data, size, fps);
}

/* The video file fails or ends alone: whoever watches goes on watching. */
static void end_video(struct tf_pipeline *p, int r, const struct tf_error *err)
{
    atomic_store(&p->video_open, false);
    tf_pipeline_fail(p, r, err);
    if (p->options.log)
        tf_log(TF_LOG_ERROR, p->camera, "the annotated video ends: %s", err->text);
}

static void deliver(void *context, const struct tf_packet *packet)
{
    struct tf_pipeline *p = context;
    struct tf_error err = {0};
    int r;

    atomic_fetch_add_explicit(&p->encoded, 1, memory_order_relaxed);
    if (p->mount)
        tf_rtsp_push(p->mount, packet);
    tf_pipeline_record_packet(p, packet);
    if (p->options.video && !atomic_load(&p->video_open))
        atomic_fetch_add_explicit(&p->video_lost, 1, memory_order_relaxed);
    if (!p->muxer || !atomic_load(&p->video_open))
        return;
    r = tf_muxer_write(p->muxer, packet, &err);
    if (r < 0) {
        atomic_fetch_add_explicit(&p->video_lost, 1, memory_order_relaxed);
        end_video(p, r, &err);
    }
}

static void close_encoder(struct tf_pipeline *p)
{
    struct tf_error err = {0};
    int r = 0;

    if (p->encoder)
        tf_encoder_flush(p->encoder, deliver, p, NULL);
    if (p->encoder)
        tf_pipeline_record_packets_end(p);
    if (p->muxer)
        r = tf_muxer_close(p->muxer, &err);
    p->muxer = NULL;
    tf_encoder_destroy(p->encoder);
    p->encoder = NULL;
    if (r < 0) {
        tf_pipeline_fail(p, r, &err);
        if (p->options.log)
            tf_log(TF_LOG_ERROR, p->camera, "the annotated video is not complete: %s", err.text);
    }
}

void tf_picture_finish(struct tf_pipeline *p)
{
    close_encoder(p);
}

static int open_encoder(struct tf_pipeline *p, struct tf_error *err)
{
    struct tf_encoder_options eo = p->options.encoder;
    float limit = p->options.picture_fps_max;
    int r;

    tf_overlay_size(p->overlay, &eo.width, &eo.height);
    if (!(eo.fps > 0)) {
        pthread_mutex_lock(&p->lock);
        eo.fps = p->has_info && p->info.fps > 0 ? p->info.fps : 25;
        pthread_mutex_unlock(&p->lock);
    }
    if (limit > 0 && limit < eo.fps)
        eo.fps = limit;
    r = tf_encoder_create(&eo, &p->encoder, err);
    if (r == 0)
        p->key_wanted = true;
    if (r == 0 && p->mount)
        describe(p, eo.fps);
    return r;
}

int tf_picture_prepare(struct tf_pipeline *p, uint32_t width, uint32_t height, bool card,
                       struct tf_error *err)
{
    int r;

    if (!p->overlay || p->overlay_width != width || p->overlay_height != height) {
        struct tf_overlay_options overlay;
        uint32_t number;

        if (p->muxer) {
            /* A container has one picture size from its first frame to its last. */
            struct tf_error size = {0};

            tf_fail(&size, -EINVAL, "%s: the camera came back with %ux%u pixels instead of %ux%u",
                    p->options.video, width, height, p->overlay_width, p->overlay_height);
            end_video(p, -EINVAL, &size);
        }
        close_encoder(p);
        tf_overlay_destroy(p->overlay);
        p->overlay = NULL;
        pthread_mutex_lock(&p->lock);
        overlay = p->overlay_options;
        number = p->overlay_number;
        pthread_mutex_unlock(&p->lock);
        r = tf_overlay_create(&overlay, width, height, &p->overlay, err);
        if (r < 0)
            return r;
        p->overlay_taken = number;
        p->overlay_width = width;
        p->overlay_height = height;
        r = open_encoder(p, err);
        if (r < 0)
            return r;
    }
    /* The file begins with the first real picture, when the camera's size is known, and its turn. */
    if (!card && p->encoder && !p->muxer && atomic_load(&p->video_open) && !atomic_load(&p->turn_open)) {
        r = tf_muxer_create(p->options.video, p->encoder, p->options.overwrite, &p->muxer, err);
        if (r < 0)
            return r;
        p->key_wanted = true;
    }
    return 0;
}

static void picture_error(struct tf_pipeline *p, int r, const struct tf_error *err)
{
    if (p->encoder_failed)
        return;
    p->encoder_failed = true;
    tf_pipeline_fail(p, r, err);
    if (p->options.log)
        tf_log(TF_LOG_ERROR, p->camera, "pictures fail: %s", err->text[0] ? err->text : strerror(-r));
}

static void take_overlay_options(struct tf_pipeline *p)
{
    struct tf_overlay_options overlay;
    struct tf_error err = {0};
    uint32_t number;

    pthread_mutex_lock(&p->lock);
    overlay = p->overlay_options;
    number = p->overlay_number;
    pthread_mutex_unlock(&p->lock);
    if (number == p->overlay_taken)
        return;
    p->overlay_taken = number;
    if (tf_overlay_set_options(p->overlay, &overlay, &err) < 0 && p->options.log)
        tf_log(TF_LOG_WARNING, p->camera, "the overlay stays as it was: %s", err.text);
}

static void draw_and_encode(struct tf_pipeline *p, const struct tf_frame *frame, const struct tf_faces *faces,
                            const struct tf_overlay_note *note, uint64_t t_ns)
{
    const struct tf_picture *picture;
    struct tf_error err = {0};
    uint64_t begin = tf_now_ns(), drawn;
    int r;

    if (!p->encoder) {
        tf_pipeline_record_picture_lost(p, TF_THREAD_PICTURE, p->picture_recording, TF_PICTURE_ENCODER);
        return;
    }
    take_overlay_options(p);
    r = tf_overlay_draw(p->overlay, frame, faces, note, &picture);
    drawn = tf_now_ns();
    tf_stage_add(p, TF_STAGE_OVERLAY, drawn - begin);
    if (r < 0) {
        tf_fail(&err, r, "the picture could not be drawn: %s", strerror(-r));
        picture_error(p, r, &err);
        tf_pipeline_record_picture_lost(p, TF_THREAD_PICTURE, p->picture_recording, TF_PICTURE_ENCODER);
        return;
    }
    /* Between "no signal" cards, stamped now, and frames, stamped when they were captured, time may not run
     * back. */
    if (t_ns <= p->picture_last_ns)
        t_ns = p->picture_last_ns + 1000000;
    p->picture_last_ns = t_ns;
    /* Not by a picture from before the recording, which is not in it. */
    if (p->picture_recording && atomic_exchange(&p->recording_key, false))
        p->key_wanted = true;
    if (p->mount && tf_rtsp_take_key_request(p->mount))
        p->key_wanted = true;
    r = tf_encoder_encode(p->encoder, picture, t_ns, note->frame, p->key_wanted, deliver, p, &err);
    tf_stage_add(p, TF_STAGE_ENCODE, tf_now_ns() - drawn);
    if (r < 0) {
        picture_error(p, r, &err);
        tf_pipeline_record_picture_lost(p, TF_THREAD_PICTURE, p->picture_recording, TF_PICTURE_ENCODER);
    } else {
        p->key_wanted = false;
    }
}

static void draw_record(struct tf_pipeline *p, const struct tf_shared_record *shared)
{
    const struct tf_record *record = &shared->record;
    struct tf_overlay_note note = {
        .camera = p->camera,
        .frame = record->frame,
        .t_utc_ns = record->t_utc_ns,
        .banner = TF_BANNER_NONE,
    };
    struct tf_error err = {0};
    int r;

    if (p->live) {
        struct tf_status status;

        tf_pipeline_status(p, &status);
        note.fps = status.fps;
    }
    if (record->state == TF_STATE_SKIPPED)
        note.banner = TF_BANNER_SKIPPED;
    tf_turn_note(p, &note);
    r = tf_picture_prepare(p, tf_frame_upright_width(shared->frame), tf_frame_upright_height(shared->frame),
                           false, &err);
    if (r < 0 && p->encoder && !p->muxer)
        end_video(p, r, &err);
    else if (r < 0)
        picture_error(p, r, &err);
    if (!is_looked_at(p)) {
        atomic_store(&p->described, true); /* or never will be */
        return;
    }
    p->picture_recording = shared->recording;
    draw_and_encode(p, shared->frame, &record->faces, &note, record->t_mono_ns);
    p->picture_recording = 0;
}

/* Nothing came for a while. Where the camera is away, whoever watches is told, about five times a second. */
static void draw_absence(struct tf_pipeline *p)
{
    struct tf_overlay_note note = {.camera = p->camera};
    struct tf_shared_record *latest = NULL;
    struct tf_error err = {0};
    enum tf_camera_state state;
    uint32_t width, height;
    int r;

    if (!p->mount || tf_rtsp_viewers(p->mount) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    state = p->status.state;
    note.since_utc_ns = p->state_since_utc_ns;
    note.frame = p->status.last_frame;
    width = p->status.width;
    height = p->status.height;
    if (state == TF_CAMERA_NO_SIGNAL && p->latest) {
        latest = p->latest;
        tf_shared_record_ref(latest);
    }
    pthread_mutex_unlock(&p->lock);
    if (state == TF_CAMERA_RUNNING)
        return;
    if (!width || !height) {
        width = p->options.source.width ? p->options.source.width : UNKNOWN_WIDTH;
        height = p->options.source.height ? p->options.source.height : UNKNOWN_HEIGHT;
    }
    note.t_utc_ns = tf_utc_now_ns();
    note.banner = latest ? TF_BANNER_STALE : TF_BANNER_NO_SIGNAL;
    r = p->muxer ? 0 : tf_picture_prepare(p, width, height, true, &err);
    p->picture_recording = TF_PICTURE_CARD;
    if (r < 0)
        picture_error(p, r, &err);
    else
        /* An open camera without frames keeps its last picture under a banner; one that is gone has the card.
         */
        draw_and_encode(p, latest ? latest->frame : NULL, latest ? &latest->record.faces : NULL, &note,
                        tf_now_ns());
    p->picture_recording = 0;
    if (latest)
        tf_shared_record_unref(latest);
}

void *tf_picture_main(void *arg)
{
    struct tf_pipeline *p = arg;
    id_t self = (id_t)syscall(SYS_gettid);

    setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + PICTURE_NICE);
    for (;;) {
        void *v;
        int r = tf_ring_pop(p->picture_ring, TF_POLL_MS, &v);

        tf_pipeline_beat(p, TF_THREAD_PICTURE);
        if (r == -EAGAIN) {
            draw_absence(p);
            continue;
        }
        if (r < 0)
            break;
        if (p->pictures_wait)
            sem_post(&p->picture_slots);
        draw_record(p, v);
        tf_shared_record_unref(v);
        atomic_fetch_add_explicit(&p->pictures_done, 1, memory_order_release);
    }
    close_encoder(p);
    return NULL;
}

/*
 * Two pictures of one version are equal: of one frame, in one state, by one set of overlay options. A picture
 * without a frame shows the time and is always new: 0.
 */
static uint64_t picture_version(const struct tf_shared_record *latest, uint32_t number,
                                enum tf_camera_state state)
{
    return latest ? (latest->record.frame + 1) << 20 | (uint64_t)(number & 0xffff) << 4 | (uint64_t)state : 0;
}

int tf_pipeline_snapshot(struct tf_pipeline *p, struct tf_snapshot *snapshot, struct tf_error *err)
{
    struct tf_overlay_note note = {.camera = p->camera};
    struct tf_overlay_options options;
    struct tf_shared_record *latest;
    const struct tf_picture *picture;
    uint32_t width, height, number;
    enum tf_camera_state state;
    uint64_t frames, version;
    int r = 0;

    pthread_mutex_lock(&p->snapshot_lock);
    pthread_mutex_lock(&p->lock);
    latest = p->latest;
    if (latest)
        tf_shared_record_ref(latest);
    options = p->overlay_options;
    number = p->overlay_number;
    state = p->status.state;
    frames = p->status.frames;
    width = p->status.width;
    height = p->status.height;
    note.since_utc_ns = p->state_since_utc_ns;
    note.frame = p->status.last_frame;
    pthread_mutex_unlock(&p->lock);

    version = picture_version(latest, number, state);
    if (version && version == snapshot->version) {
        r = -EALREADY;
        goto out;
    }
    if (latest) {
        width = tf_frame_upright_width(latest->frame);
        height = tf_frame_upright_height(latest->frame);
        note.frame = latest->record.frame;
        note.t_utc_ns = latest->record.t_utc_ns;
        if (state == TF_CAMERA_NO_SIGNAL)
            note.banner = TF_BANNER_STALE;
        tf_turn_note(p, &note);
    } else if (frames && state != TF_CAMERA_RUNNING) {
        note.t_utc_ns = tf_utc_now_ns();
        note.banner = TF_BANNER_NO_SIGNAL;
    } else {
        r = tf_fail(err, -EAGAIN, "camera %s: no frame yet", p->camera);
        goto out;
    }
    if (!p->snapshot_overlay || p->snapshot_width != width || p->snapshot_height != height ||
        p->snapshot_number != number) {
        tf_overlay_destroy(p->snapshot_overlay);
        p->snapshot_overlay = NULL;
        r = tf_overlay_create(&options, width, height, &p->snapshot_overlay, err);
        if (r < 0)
            goto out;
        p->snapshot_width = width;
        p->snapshot_height = height;
        p->snapshot_number = number;
    }
    r = tf_overlay_draw(p->snapshot_overlay, latest ? latest->frame : NULL,
                        latest ? &latest->record.faces : NULL, &note, &picture);
    if (r < 0) {
        tf_fail(err, r, "camera %s: the picture could not be drawn: %s", p->camera, strerror(-r));
        goto out;
    }
    r = tf_snapshot_encode(picture, snapshot, err);
    if (r == 0)
        snapshot->version = version;

out:
    if (latest)
        tf_shared_record_unref(latest);
    pthread_mutex_unlock(&p->snapshot_lock);
    return r;
}
