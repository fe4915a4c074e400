/* A pipeline from create to destroy: its parts put together, its threads started and ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/internal.h"
#include "pipeline/models.h"

static struct timespec timespec_of(uint64_t t_ns)
{
    return (struct timespec){.tv_sec = (time_t)(t_ns / TF_NS_PER_S), .tv_nsec = (long)(t_ns % TF_NS_PER_S)};
}

/* In the inference thread, and at the end. */
static void picture_dropped(void *context, void *v)
{
    struct tf_shared_record *shared = v;

    tf_recorder_picture_lost(context, TF_THREAD_INFERENCE, shared->recording, TF_PICTURE_QUEUE);
    tf_shared_record_unref(shared);
}

/* Names of encoders and palettes are checked before the camera is there. */
static int try_encoder(const struct tf_pipeline_options *o, struct tf_error *err)
{
    struct tf_encoder_options eo = o->encoder;
    struct tf_encoder *encoder = NULL;
    int r;

    eo.width = 640;
    eo.height = 480;
    if (!(eo.fps > 0))
        eo.fps = 25;
    r = tf_encoder_create(&eo, &encoder, err);
    tf_encoder_destroy(encoder);
    return r;
}

/* Each part gets what it may touch. */
static void connect(struct tf_pipeline *p)
{
    p->recorder.setup = p->capture.setup = p->inference.setup = p->pictures.setup = p->snapshots.setup =
        &p->setup;
    p->recorder.shared = p->capture.shared = p->inference.shared = p->pictures.shared = p->snapshots.shared =
        &p->shared;
    p->capture.frames = p->inference.frames = &p->frames;
    p->recorder.pictures = p->inference.pictures = p->pictures.queue = &p->picture_queue;
    p->capture.recorder = p->inference.recorder = p->pictures.recorder = &p->recorder;
}

static int create_analyser(struct tf_pipeline *p, struct tf_error *err)
{
    const struct tf_pipeline_options *o = &p->setup.options;
    int r;

    if (!o->analyse)
        return 0;
    r = tf_models_check(&o->analyser, err);
    if (r == 0)
        r = tf_analyser_create(&o->analyser, &p->inference.analyser, err);
    if (r == 0 && o->first_face_id)
        tf_analyser_set_next_id(p->inference.analyser, o->first_face_id);
    return r;
}

/* A recording's turn is told before its first frame, which then has it. */
static void probe_turn(struct tf_pipeline *p)
{
    struct tf_source *source;
    int turn;

    if (!tf_turn_can_probe(&p->inference) || tf_capture_open(&p->capture.options, &source, NULL) < 0)
        return;
    turn = tf_turn_probe(&p->inference, source);
    tf_source_close(source);
    if (turn < 0)
        return;
    p->capture.options.rotate = (uint16_t)turn;
    tf_source_turn(p->capture.first_source, (uint16_t)turn);
}

/* A camera that is not there yet is taken for live; a source that turns out to wait still loses nothing that
 * way as long as inference keeps up, and `retry` is for cameras. */
static int open_first(struct tf_pipeline *p, struct tf_error *err)
{
    int r;

    p->setup.live = true;
    if (p->setup.options.retry)
        return 0;
    r = tf_capture_open(&p->capture.options, &p->capture.first_source, err);
    if (r < 0)
        return r;
    p->setup.live = tf_source_info(p->capture.first_source)->live;
    if (!p->setup.live)
        probe_turn(p);
    tf_shared_set_source(&p->shared, tf_source_info(p->capture.first_source));
    return 0;
}

static int create_queues(struct tf_pipeline *p, struct tf_error *err)
{
    bool live = p->setup.live;
    int r = tf_frame_queue_create(&p->frames, live);

    if (r == 0)
        r = tf_picture_queue_create(&p->picture_queue, !live && p->setup.options.video, picture_dropped,
                                    &p->recorder);
    p->inference.records = calloc(TF_RECORDS, sizeof(*p->inference.records));
    if (r == 0 && !p->inference.records)
        r = -ENOMEM;
    if (r == 0)
        r = tf_record_text_create(&p->inference.text);
    return r < 0 ? tf_fail(err, r, "camera %s: out of memory", p->setup.camera) : 0;
}

/* Encoder, RTSP and video file, as far as the camera's size is known. */
static int create_pictures(struct tf_pipeline *p, struct tf_error *err)
{
    const struct tf_pipeline_options *o = &p->setup.options;
    const struct tf_shared *s = &p->shared;
    float fps = o->source.fps > 0 ? o->source.fps : 25;
    int r = 0;

    atomic_store(&p->picture_queue.video_open, o->video != NULL);
    if (!o->pictures)
        return 0;
    if (o->rtsp || o->live || o->video)
        r = try_encoder(o, err);
    p->picture_queue.live = o->live;
    if (r == 0 && o->live && (r = tf_fragmenter_create(o->live, &p->pictures.fragmenter)) < 0)
        tf_fail(err, r, "camera %s: out of memory", p->setup.camera);
    if (r == 0 && o->rtsp)
        r = tf_rtsp_mount(o->rtsp, p->setup.camera, s->has_info && s->info.fps > 0 ? s->info.fps : fps,
                          &p->picture_queue.mount, err);
    if (r == 0 && s->has_info && o->video)
        r = tf_picture_prepare(&p->pictures, s->status.width, s->status.height, false, err);
    return r;
}

int tf_pipeline_create(const struct tf_pipeline_options *options, struct tf_pipeline **ret,
                       struct tf_error *err)
{
    struct tf_pipeline *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return tf_fail(err, -ENOMEM, "camera %s: out of memory", options->camera ? options->camera : "");
    connect(p);
    r = tf_setup_init(&p->setup, options, err);
    tf_shared_init(&p->shared, &p->setup);
    p->setup.options.own = NULL; /* the caller's; what is measured is shared.own */
    tf_recorder_init(&p->recorder);
    pthread_mutex_init(&p->snapshots.lock, NULL);
    p->capture.options = p->setup.options.source;
    if (r == 0)
        r = tf_turn_init(&p->inference, &p->capture.options, err);
    if (r == 0)
        r = create_analyser(p, err);
    if (r == 0)
        r = open_first(p, err);
    if (r == 0)
        r = create_queues(p, err);
    if (r == 0)
        r = create_pictures(p, err);
    if (r < 0) {
        tf_pipeline_destroy(p);
        return r;
    }
    *ret = p;
    return 0;
}

int tf_pipeline_add_sink(struct tf_pipeline *p, const struct tf_sink *sink)
{
    if (p->started)
        return -EBUSY;
    if (p->inference.sinks.count == TF_PIPELINE_SINKS_MAX)
        return -ENOSPC;
    p->inference.sinks.items[p->inference.sinks.count++] = *sink;
    return 0;
}

struct thread_start {
    struct tf_pipeline *pipeline;
    enum tf_thread_role role;
};

static void *thread_main(void *arg)
{
    static void *(*const mains[])(void *) = {tf_capture_main, tf_inference_main, tf_picture_main};
    static const char *const prefixes[] = {"cap", "inf", "pic"};
    struct thread_start start = *(struct thread_start *)arg;
    struct tf_pipeline *p = start.pipeline;
    void *const own[] = {&p->capture, &p->inference, &p->pictures};
    struct tf_worker *worker = &p->shared.workers[start.role];
    struct timespec cpu = {0};
    char name[16];

    free(arg);
    snprintf(name, sizeof(name), "%s:%.11s", prefixes[start.role], p->setup.camera);
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(&p->shared.lock);
    worker->running = pthread_getcpuclockid(pthread_self(), &worker->clock) == 0;
    pthread_mutex_unlock(&p->shared.lock);

    mains[start.role](own[start.role]);

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    pthread_mutex_lock(&p->shared.lock);
    worker->running = false;
    worker->cpu_ns = (uint64_t)cpu.tv_sec * TF_NS_PER_S + (uint64_t)cpu.tv_nsec;
    p->shared.threads_left--;
    pthread_cond_broadcast(&p->shared.changed);
    pthread_mutex_unlock(&p->shared.lock);
    return NULL;
}

static int start_thread(struct tf_pipeline *p, enum tf_thread_role role)
{
    struct thread_start *start = malloc(sizeof(*start));
    int r;

    if (!start)
        return -ENOMEM;
    *start = (struct thread_start){p, role};
    tf_shared_beat(&p->shared, role);
    pthread_mutex_lock(&p->shared.lock);
    p->shared.threads_left++;
    pthread_mutex_unlock(&p->shared.lock);
    r = -pthread_create(&p->threads[role], NULL, thread_main, start);
    if (r < 0) {
        pthread_mutex_lock(&p->shared.lock);
        p->shared.threads_left--;
        pthread_mutex_unlock(&p->shared.lock);
        free(start);
        return r;
    }
    p->thread_started[role] = true;
    return 0;
}

int tf_pipeline_start(struct tf_pipeline *p, struct tf_error *err)
{
    int r = 0;

    if (p->started)
        return tf_fail(err, -EBUSY, "camera %s: started already", p->setup.camera);
    p->started = true;
    /* Consumers first: what capture delivers at once finds somebody waiting. */
    if (p->setup.options.pictures)
        r = start_thread(p, TF_THREAD_PICTURE);
    if (r == 0)
        r = start_thread(p, TF_THREAD_INFERENCE);
    if (r == 0)
        r = start_thread(p, TF_THREAD_CAPTURE);
    if (r < 0) {
        tf_fail(err, r, "camera %s: no thread could be started: %s", p->setup.camera, strerror(-r));
        /* What runs already ends when what feeds it is closed. */
        tf_ring_close(p->frames.ring);
        if (!p->thread_started[TF_THREAD_INFERENCE])
            tf_ring_close(p->picture_queue.ring);
        tf_pipeline_stop(p, NULL);
    }
    return r;
}

bool tf_pipeline_running(const struct tf_pipeline *p)
{
    return tf_shared_running((struct tf_shared *)&p->shared); /* the lock is not part of what a reader sees */
}

int tf_pipeline_wait(struct tf_pipeline *p, int timeout_ms)
{
    struct timespec until = {0};
    int r = 0;

    if (timeout_ms >= 0)
        until = timespec_of(tf_now_ns() + (uint64_t)timeout_ms * 1000000u);
    pthread_mutex_lock(&p->shared.lock);
    while (p->shared.threads_left > 0 && r == 0) {
        if (timeout_ms < 0)
            pthread_cond_wait(&p->shared.changed, &p->shared.lock);
        else if (pthread_cond_timedwait(&p->shared.changed, &p->shared.lock, &until) == ETIMEDOUT)
            r = -ETIMEDOUT;
    }
    if (p->shared.threads_left == 0)
        r = 0;
    pthread_mutex_unlock(&p->shared.lock);
    return r;
}

void tf_pipeline_ask_stop(struct tf_pipeline *p)
{
    pthread_mutex_lock(&p->shared.lock);
    if (!atomic_load(&p->shared.stopping)) {
        atomic_store(&p->shared.stop_ns, tf_now_ns());
        atomic_store(&p->shared.stopping, true);
    }
    if (p->shared.source)
        tf_source_wake(p->shared.source);
    pthread_cond_broadcast(&p->shared.changed);
    pthread_mutex_unlock(&p->shared.lock);
}

int tf_pipeline_stop(struct tf_pipeline *p, struct tf_error *err)
{
    int r;

    tf_pipeline_ask_stop(p);
    if (!p->joined) {
        for (int i = 0; i < TF_THREADS; i++)
            if (p->thread_started[i])
                pthread_join(p->threads[i], NULL);
        p->joined = true;
    }
    pthread_mutex_lock(&p->shared.lock);
    r = p->shared.result;
    if (r < 0 && err)
        *err = p->shared.error;
    pthread_mutex_unlock(&p->shared.lock);
    return r;
}

void tf_pipeline_destroy(struct tf_pipeline *p)
{
    if (!p)
        return;
    if (p->started)
        tf_pipeline_stop(p, NULL);
    tf_recorder_stop(&p->recorder, NULL, NULL);
    tf_inference_close_sinks(&p->inference);
    tf_picture_finish(&p->pictures);
    tf_overlay_destroy(p->pictures.overlay);
    tf_overlay_destroy(p->snapshots.overlay);
    tf_source_close(p->capture.first_source);
    tf_frame_queue_finish(&p->frames);
    tf_picture_queue_finish(&p->picture_queue);
    tf_recorder_finish(&p->recorder); /* what the queue drops is counted there */
    pthread_mutex_destroy(&p->snapshots.lock);
    tf_shared_finish(&p->shared);
    tf_analyser_destroy(p->inference.analyser);
    free(p->inference.records);
    tf_record_text_finish(&p->inference.text);
    tf_setup_finish(&p->setup);
    free(p);
}

int tf_pipeline_set_overlay(struct tf_pipeline *p, const struct tf_overlay_options *overlay,
                            struct tf_error *err)
{
    int r = 0;

    if (!tf_palette_name(overlay->palette))
        return tf_fail(err, -EINVAL, "camera %s: palette %d does not exist", p->setup.camera,
                       overlay->palette);
    pthread_mutex_lock(&p->shared.lock);
    if (overlay->lines_min != p->shared.overlay_options.lines_min) {
        r = tf_fail(err, -EINVAL,
                    "camera %s: the size of the picture cannot change while it is streamed: restart",
                    p->setup.camera);
    } else {
        p->shared.overlay_options = *overlay;
        p->shared.overlay_number++;
    }
    pthread_mutex_unlock(&p->shared.lock);
    return r;
}

const struct tf_source_info *tf_pipeline_source_info(const struct tf_pipeline *pipeline)
{
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    const struct tf_source_info *info;

    pthread_mutex_lock(&p->shared.lock);
    info = p->shared.has_info ? &p->shared.info : NULL;
    pthread_mutex_unlock(&p->shared.lock);
    return info;
}

void tf_pipeline_latest(struct tf_pipeline *p, struct tf_latest *ret)
{
    tf_shared_latest(&p->shared, ret);
}

const char *tf_pipeline_camera(const struct tf_pipeline *p)
{
    return p->setup.camera;
}

int tf_pipeline_snapshot(struct tf_pipeline *p, struct tf_snapshot *snapshot, struct tf_error *err)
{
    return tf_snapshots_draw(&p->snapshots, snapshot, err);
}

int tf_pipeline_ffc(struct tf_pipeline *p, enum tf_ffc action, struct tf_error *err)
{
    return tf_shutter_move(&p->shared, &p->setup, action, err);
}

int tf_pipeline_recording_start(struct tf_pipeline *p, const struct tf_recording_options *options,
                                struct tf_error *err)
{
    return tf_recorder_start(&p->recorder, options, err);
}

int tf_pipeline_recording_stop(struct tf_pipeline *p, struct tf_recording_status *ret, struct tf_error *err)
{
    return tf_recorder_stop(&p->recorder, ret, err);
}

int tf_pipeline_recording_status(struct tf_pipeline *p, struct tf_recording_status *ret)
{
    return tf_recorder_status(&p->recorder, ret);
}
