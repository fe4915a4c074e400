#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pipeline/internal.h"
#include "pipeline/models.h"

void tf_pipeline_fail(struct tf_pipeline *p, int code, const struct tf_error *err)
{
    pthread_mutex_lock(&p->lock);
    if (!p->result) {
        p->result = code;
        p->error = *err;
    }
    pthread_mutex_unlock(&p->lock);
}

static struct timespec timespec_of(uint64_t t_ns)
{
    return (struct timespec){.tv_sec = (time_t)(t_ns / 1000000000u), .tv_nsec = (long)(t_ns % 1000000000u)};
}

bool tf_pipeline_sleep(struct tf_pipeline *p, uint64_t ns)
{
    struct timespec until = timespec_of(tf_now_ns() + ns);

    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->stopping))
        if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&p->lock);
    return !atomic_load(&p->stopping);
}

void tf_pipeline_beat(struct tf_pipeline *p, enum tf_thread_role role)
{
    atomic_store_explicit(&p->workers[role].beat_ns, tf_now_ns(), memory_order_relaxed);
}

/* A frame that the live ring had no room for: its entry in the backlog stays and becomes a record that says
 * so. */
static void entry_dropped(void *context, void *v)
{
    struct tf_entry *entry = v;

    tf_frame_unref(entry->frame);
    entry->frame = NULL;
}

/* In the inference thread, and at the end. */
static void picture_dropped(void *context, void *v)
{
    struct tf_shared_record *shared = v;

    tf_pipeline_record_picture_lost(context, TF_THREAD_INFERENCE, shared->recording, TF_PICTURE_QUEUE);
    tf_shared_record_unref(shared);
}

int tf_pipeline_keep_string(struct tf_pipeline *p, const char **s)
{
    char *copy;

    if (!*s)
        return 0;
    copy = strdup(*s);
    if (!copy)
        return -ENOMEM;
    p->strings[p->string_count++] = copy;
    *s = copy;
    return 0;
}

static int keep_options(struct tf_pipeline *p, const struct tf_pipeline_options *options)
{
    const char **strings[] = {
        &p->options.source.url,         &p->options.source.format,   &p->options.analyser.models,
        &p->options.analyser.landmarks, &p->options.analyser.finder, &p->options.analyser.cpu,
        &p->options.encoder.codec,      &p->options.video,           &p->options.analyser.segmentation,
        &p->options.source.controls,    &p->options.source.ffc,      &p->options.source.ffc_hold,
        &p->options.source.ffc_release, &p->options.source.raw,      &p->options.source.stream,
    };

    _Static_assert(sizeof(strings) / sizeof(strings[0]) <= sizeof(p->strings) / sizeof(p->strings[0]),
                   "a place for each");

    p->options = *options;
    p->options.camera = p->camera;
    if (tf_pipeline_pair_init(p) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        if (tf_pipeline_keep_string(p, strings[i]) < 0)
            return -ENOMEM;
    tf_pipeline_record_budget(p);
    return 0;
}

static int check_options(const struct tf_pipeline_options *o, struct tf_error *err)
{
    size_t n = o->camera ? strlen(o->camera) : 0;
    struct stat st;

    if (n < 1 || n > 63 || strspn(o->camera, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return tf_fail(
            err, -EINVAL,
            "camera name \"%.80s\": 1 to 63 of the characters a-z, 0-9, \"_\" and \"-\" are allowed",
            o->camera ? o->camera : "");
    if (!o->source.url || !*o->source.url)
        return tf_fail(err, -EINVAL, "camera %s: no source is given", o->camera);
    if (o->video && !o->pictures)
        return tf_fail(err, -EINVAL, "camera %s: a video file needs pictures", o->camera);
    if (o->picture_fps_max < 0)
        return tf_fail(err, -EINVAL, "camera %s: the limit of pictures per second is negative", o->camera);
    /* The file is made only when the camera's size is known; said now, so that nobody waits for nothing. */
    if (o->video && !o->overwrite && stat(o->video, &st) == 0)
        return tf_fail(err, -EEXIST, "%s: exists already; choose another name or ask for overwriting",
                       o->video);
    return 0;
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

static int create_rings(struct tf_pipeline *p)
{
    int r;

    p->pictures_wait = !p->live && p->options.video;
    r = tf_ring_create(p->live ? TF_RING_DROP_OLDEST : TF_RING_REFUSE, TF_LIVE_RING, entry_dropped, p,
                       &p->ring);
    if (r < 0)
        return r;
    return tf_ring_create(p->pictures_wait ? TF_RING_REFUSE : TF_RING_DROP_OLDEST, TF_PICTURE_RING,
                          picture_dropped, p, &p->picture_ring);
}

int tf_pipeline_create(const struct tf_pipeline_options *options, struct tf_pipeline **ret,
                       struct tf_error *err)
{
    struct tf_pipeline *p;
    pthread_condattr_t attr;
    int r;

    r = check_options(options, err);
    if (r < 0)
        return r;
    p = calloc(1, sizeof(*p));
    if (!p)
        return tf_fail(err, -ENOMEM, "camera %s: out of memory", options->camera);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->snapshot_lock, NULL);
    tf_pipeline_record_init(p);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    sem_init(&p->ring_slots, 0, TF_LIVE_RING);
    sem_init(&p->picture_slots, 0, TF_PICTURE_RING);
    snprintf(p->camera, sizeof(p->camera), "%s", options->camera);

    r = keep_options(p, options);
    p->backlog = calloc(TF_BACKLOG, sizeof(*p->backlog));
    p->records = calloc(TF_RECORDS, sizeof(*p->records));
    if (r < 0 || !p->backlog || !p->records) {
        r = tf_fail(err, -ENOMEM, "camera %s: out of memory", options->camera);
        goto fail;
    }
    p->overlay_options = options->overlay;
    p->overlay_number = 1;
    tf_status_init(p);
    r = tf_turn_init(p, err);
    if (r < 0)
        goto fail;

    if (options->analyse) {
        r = tf_models_check(&p->options.analyser, err);
        if (r == 0)
            r = tf_analyser_create(&p->options.analyser, &p->analyser, err);
        if (r < 0)
            goto fail;
        if (options->first_face_id)
            tf_analyser_set_next_id(p->analyser, options->first_face_id);
    }
    /* A camera that is not there yet is taken for live; a source that turns out to wait still loses nothing
     * that way as long as inference keeps up, and `retry` is for cameras. */
    p->live = true;
    if (!options->retry) {
        r = tf_capture_open(p, &p->first_source, err);
        if (r < 0)
            goto fail;
        p->live = tf_source_info(p->first_source)->live;
        if (!p->live)
            tf_turn_probe(p);
        tf_status_source(p, tf_source_info(p->first_source));
    }
    r = create_rings(p);
    if (r < 0) {
        tf_fail(err, r, "camera %s: out of memory", p->camera);
        goto fail;
    }
    if (options->pictures && (options->rtsp || options->video)) {
        r = try_encoder(&p->options, err);
        if (r < 0)
            goto fail;
    }
    if (options->pictures && options->rtsp) {
        float fps = options->source.fps > 0 ? options->source.fps : 25;

        r = tf_rtsp_mount(options->rtsp, p->camera, p->has_info && p->info.fps > 0 ? p->info.fps : fps,
                          &p->mount, err);
        if (r < 0)
            goto fail;
    }
    atomic_store(&p->video_open, p->options.video != NULL);
    if (p->has_info && options->pictures && options->video) {
        r = tf_picture_prepare(p, p->status.width, p->status.height, false, err);
        if (r < 0)
            goto fail;
    }
    *ret = p;
    return 0;

fail:
    tf_pipeline_destroy(p);
    return r;
}

int tf_pipeline_add_sink(struct tf_pipeline *p, const struct tf_sink *sink)
{
    if (p->started)
        return -EBUSY;
    if (p->sink_count == TF_PIPELINE_SINKS_MAX)
        return -ENOSPC;
    p->sinks[p->sink_count++] = *sink;
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
    struct tf_worker *worker = &p->workers[start.role];
    struct timespec cpu = {0};
    char name[16];

    free(arg);
    snprintf(name, sizeof(name), "%s:%.11s", prefixes[start.role], p->camera);
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(&p->lock);
    worker->running = pthread_getcpuclockid(pthread_self(), &worker->clock) == 0;
    pthread_mutex_unlock(&p->lock);

    mains[start.role](p);

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    pthread_mutex_lock(&p->lock);
    worker->running = false;
    worker->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
    p->threads_left--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int start_thread(struct tf_pipeline *p, enum tf_thread_role role)
{
    struct thread_start *start = malloc(sizeof(*start));
    int r;

    if (!start)
        return -ENOMEM;
    *start = (struct thread_start){p, role};
    tf_pipeline_beat(p, role);
    pthread_mutex_lock(&p->lock);
    p->threads_left++;
    pthread_mutex_unlock(&p->lock);
    r = -pthread_create(&p->workers[role].thread, NULL, thread_main, start);
    if (r < 0) {
        pthread_mutex_lock(&p->lock);
        p->threads_left--;
        pthread_mutex_unlock(&p->lock);
        free(start);
        return r;
    }
    p->workers[role].started = true;
    return 0;
}

int tf_pipeline_start(struct tf_pipeline *p, struct tf_error *err)
{
    int r = 0;

    if (p->started)
        return tf_fail(err, -EBUSY, "camera %s: started already", p->camera);
    p->started = true;
    /* Consumers first: what capture delivers at once finds somebody waiting. */
    if (p->options.pictures)
        r = start_thread(p, TF_THREAD_PICTURE);
    if (r == 0)
        r = start_thread(p, TF_THREAD_INFERENCE);
    if (r == 0)
        r = start_thread(p, TF_THREAD_CAPTURE);
    if (r < 0) {
        tf_fail(err, r, "camera %s: no thread could be started: %s", p->camera, strerror(-r));
        /* What runs already ends when what feeds it is closed. */
        tf_ring_close(p->ring);
        if (!p->workers[TF_THREAD_INFERENCE].started)
            tf_ring_close(p->picture_ring);
        tf_pipeline_stop(p, NULL);
    }
    return r;
}

bool tf_pipeline_running(const struct tf_pipeline *pipeline)
{
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    bool running;

    pthread_mutex_lock(&p->lock);
    running = p->threads_left > 0;
    pthread_mutex_unlock(&p->lock);
    return running;
}

int tf_pipeline_wait(struct tf_pipeline *p, int timeout_ms)
{
    struct timespec until = {0};
    int r = 0;

    if (timeout_ms >= 0)
        until = timespec_of(tf_now_ns() + (uint64_t)timeout_ms * 1000000u);
    pthread_mutex_lock(&p->lock);
    while (p->threads_left > 0 && r == 0) {
        if (timeout_ms < 0)
            pthread_cond_wait(&p->changed, &p->lock);
        else if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
            r = -ETIMEDOUT;
    }
    if (p->threads_left == 0)
        r = 0;
    pthread_mutex_unlock(&p->lock);
    return r;
}

void tf_pipeline_ask_stop(struct tf_pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    if (!atomic_load(&p->stopping)) {
        atomic_store(&p->stop_ns, tf_now_ns());
        atomic_store(&p->stopping, true);
    }
    if (p->source)
        tf_source_wake(p->source);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int tf_pipeline_stop(struct tf_pipeline *p, struct tf_error *err)
{
    int r;

    tf_pipeline_ask_stop(p);
    if (!p->joined) {
        for (int i = 0; i < TF_THREADS; i++)
            if (p->workers[i].started)
                pthread_join(p->workers[i].thread, NULL);
        p->joined = true;
    }
    pthread_mutex_lock(&p->lock);
    r = p->result;
    if (r < 0 && err)
        *err = p->error;
    pthread_mutex_unlock(&p->lock);
    return r;
}

void tf_pipeline_destroy(struct tf_pipeline *p)
{
    if (!p)
        return;
    if (p->started)
        tf_pipeline_stop(p, NULL);
    tf_pipeline_record_stop(p, NULL, NULL);
    tf_sinks_close(p);
    tf_picture_finish(p);
    tf_pipeline_record_finish(p);
    tf_overlay_destroy(p->overlay);
    tf_overlay_destroy(p->snapshot_overlay);
    tf_source_close(p->first_source);
    tf_ring_destroy(p->ring);
    tf_ring_destroy(p->picture_ring);
    if (p->latest)
        tf_shared_record_unref(p->latest);
    tf_analyser_destroy(p->analyser);
    free(p->records);
    free(p->backlog);
    for (int i = 0; i < p->string_count; i++)
        free(p->strings[i]);
    sem_destroy(&p->ring_slots);
    sem_destroy(&p->picture_slots);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->snapshot_lock);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int tf_pipeline_set_overlay(struct tf_pipeline *p, const struct tf_overlay_options *overlay,
                            struct tf_error *err)
{
    int r = 0;

    if (!tf_palette_name(overlay->palette))
        return tf_fail(err, -EINVAL, "camera %s: palette %d does not exist", p->camera, overlay->palette);
    pthread_mutex_lock(&p->lock);
    if (overlay->lines_min != p->overlay_options.lines_min) {
        r = tf_fail(err, -EINVAL,
                    "camera %s: the size of the picture cannot change while it is streamed: restart",
                    p->camera);
    } else {
        p->overlay_options = *overlay;
        p->overlay_number++;
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}

const struct tf_source_info *tf_pipeline_source_info(const struct tf_pipeline *pipeline)
{
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    const struct tf_source_info *info;

    pthread_mutex_lock(&p->lock);
    info = p->has_info ? &p->info : NULL;
    pthread_mutex_unlock(&p->lock);
    return info;
}
