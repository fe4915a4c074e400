/* What is known of the camera: states, counters, gauges, latencies. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pipeline/internal.h"

#define FPS_WINDOW_NS 2000000000ull

void tf_status_init(struct tf_pipeline *p)
{
    struct tf_status *s = &p->status;

    snprintf(s->camera, sizeof(s->camera), "%s", p->camera);
    s->state = TF_CAMERA_OPENING;
    s->state_since_mono_ns = tf_now_ns();
    p->state_since_utc_ns = tf_utc_now_ns();
    s->sensor_c = s->nose_c = s->forehead_c = NAN;
    if (p->options.pair) {
        s->pair.paired = true;
        s->pair.calibrated = p->pair.registration != NULL;
        snprintf(s->pair.partner, sizeof(s->pair.partner), "%s", p->pair.partner);
    }
    s->rate_hz = s->drift_ppm = s->drift_err_ppm = NAN;
}

static void say_running(struct tf_pipeline *p, double away_s, bool before, uint64_t reopened)
{
    const struct tf_status *s = &p->status;

    if (before)
        tf_log(TF_LOG_NOTICE, p->camera,
               "delivers frames again after %.1f s (opened again %llu time%s so far)", away_s,
               (unsigned long long)reopened, reopened == 1 ? "" : "s");
    else
        tf_log(TF_LOG_NOTICE, p->camera, "running: %s \"%s\", %ux%u, format %s, %s", s->source_kind,
               s->source_name, s->width, s->height, s->format[0] ? s->format : "none",
               s->celsius ? "degrees Celsius" : "counts");
}

void tf_status_state(struct tf_pipeline *p, enum tf_camera_state state, const char *message)
{
    struct tf_status *s = &p->status;
    enum tf_camera_state old;
    uint64_t now = tf_now_ns(), since, reopened;
    bool same_message, before;

    pthread_mutex_lock(&p->lock);
    old = s->state;
    since = s->state_since_mono_ns;
    before = s->frames > 0 || p->frames_captured > 0;
    same_message = strncmp(s->message, message ? message : "", sizeof(s->message) - 1) == 0;
    /* From "no signal" to "lost" is one and the same absence: its beginning stays. */
    if (state != old) {
        bool away = (old == TF_CAMERA_NO_SIGNAL || old == TF_CAMERA_LOST) &&
                    (state == TF_CAMERA_NO_SIGNAL || state == TF_CAMERA_LOST);

        if (!away) {
            s->state_since_mono_ns = now;
            p->state_since_utc_ns = tf_utc_now_ns();
        }
        if (state == TF_CAMERA_RUNNING && p->openings > 0)
            s->reopened = p->openings;
        if (state != TF_CAMERA_RUNNING) {
            s->faces = 0;
            s->nose_c = s->forehead_c = NAN;
        }
    }
    s->state = state;
    snprintf(s->message, sizeof(s->message), "%s", message ? message : "");
    reopened = s->reopened;
    pthread_mutex_unlock(&p->lock);

    if (!p->options.log || p->final || (old == state && same_message))
        return;
    switch (state) {
    case TF_CAMERA_RUNNING:
        say_running(p, (double)(now - since) / 1e9, before, reopened);
        break;
    case TF_CAMERA_NO_SIGNAL:
    case TF_CAMERA_LOST:
        /* Within one absence the reason can change from try to try and back: said, but not without end. */
        if (old == state)
            tf_log_limited(&p->message_limit, 3, 600000000000ull, TF_LOG_WARNING, p->camera, "still away: %s",
                           message);
        else if (state == TF_CAMERA_NO_SIGNAL)
            tf_log(TF_LOG_WARNING, p->camera, "no signal: %s", message);
        else
            tf_log(TF_LOG_WARNING, p->camera, "%s: %s; trying again until it comes",
                   before ? "lost" : "not there", message);
        break;
    case TF_CAMERA_ENDED:
        tf_log(TF_LOG_NOTICE, p->camera, "the recording has come to its end");
        break;
    case TF_CAMERA_OPENING:
        break;
    }
}

void tf_status_source(struct tf_pipeline *p, const struct tf_source_info *info)
{
    struct tf_status *s = &p->status;

    pthread_mutex_lock(&p->lock);
    /* Readers hold a pointer to it (tf_pipeline_source_info), so it is written once; the status follows a
     * change. */
    if (!p->has_info) {
        p->info = *info;
        p->has_info = true;
    }
    p->present = *info;
    s->nominal_hz = info->fps;
    memcpy(s->ffc, info->ffc, sizeof(s->ffc));
    snprintf(s->source_kind, sizeof(s->source_kind), "%s", info->kind);
    snprintf(s->source_name, sizeof(s->source_name), "%s", info->name);
    snprintf(s->format, sizeof(s->format), "%s", info->format ? info->format->name : "");
    s->width = info->rotate % 180 ? info->height : info->width;
    s->height = info->rotate % 180 ? info->width : info->height;
    s->celsius = info->radiometry.valid;
    s->turn.rotate = info->rotate;
    s->turn.flip = info->flip;
    pthread_mutex_unlock(&p->lock);
}

void tf_status_notice(struct tf_pipeline *p, const char *notice)
{
    bool fresh;

    pthread_mutex_lock(&p->lock);
    fresh = strcmp(p->status.notice, notice) != 0;
    if (fresh)
        snprintf(p->status.notice, sizeof(p->status.notice), "%s", notice);
    pthread_mutex_unlock(&p->lock);
    if (fresh && *notice && p->options.log)
        tf_log(TF_LOG_WARNING, p->camera, "%s", notice);
}

static unsigned fine_bucket(uint32_t us)
{
    unsigned octave, bucket;

    if (us < TF_FINE_STEPS)
        return us;
    octave = 31 - (unsigned)__builtin_clz(us) - 5; /* 2^5 = TF_FINE_STEPS */
    bucket = (octave + 1) * TF_FINE_STEPS + ((us >> octave) - TF_FINE_STEPS);
    return bucket < TF_FINE_BUCKETS ? bucket : TF_FINE_BUCKETS - 1;
}

/* The middle of what falls into a bucket. */
static uint32_t fine_value(unsigned bucket)
{
    unsigned octave;

    if (bucket < TF_FINE_STEPS)
        return bucket;
    octave = bucket / TF_FINE_STEPS - 1;
    return ((bucket % TF_FINE_STEPS + TF_FINE_STEPS) << octave) + (octave ? 1u << (octave - 1) : 0);
}

static void count_latency(struct tf_pipeline *p, uint64_t us64)
{
    struct tf_status *s = &p->status;
    uint32_t us = us64 < UINT32_MAX ? (uint32_t)us64 : UINT32_MAX;
    int b = 0;

    while (b < TF_LATENCY_BUCKETS - 1 && us > tf_latency_bounds_us[b])
        b++;
    s->latency_buckets[b]++;
    s->latency_sum_us += us;
    s->latency_count++;
    s->latency_us = us;
    atomic_fetch_add_explicit(&p->latency_fine[fine_bucket(us)], 1, memory_order_relaxed);
    if (us > atomic_load_explicit(&p->latency_max, memory_order_relaxed))
        atomic_store_explicit(&p->latency_max, us, memory_order_relaxed);
}

static void count_pair(struct tf_pair_status *pair, const struct tf_record *record)
{
    if (record->pair.camera) {
        pair->with++;
        pair->skew_us = record->pair.skew_us;
    } else {
        pair->without++;
    }
    for (uint32_t i = 0; i < record->faces.count; i++)
        pair->visible_faces += record->faces.faces[i].from == TF_POINTS_FROM_VISIBLE;
}

void tf_status_record(struct tf_pipeline *p, const struct tf_record *record, uint32_t opening,
                      struct tf_shared_record *shared)
{
    struct tf_status *s = &p->status;
    struct tf_shared_record *old = NULL;
    const struct tf_face *face = record->faces.count ? &record->faces.faces[0] : NULL;

    pthread_mutex_lock(&p->lock);
    s->frames++;
    s->state_frames[record->state]++;
    s->dropped = record->dropped;
    s->last_frame = record->frame;
    s->last_t_mono_ns = record->t_mono_ns;
    s->sensor_c = record->sensor_c;
    s->t_from = tf_stamp_name(record->t_from);
    s->flags = record->flags;
    s->celsius = record->celsius;
    if (opening != p->rate_opening)
        tf_rate_reset(&p->rate);
    p->rate_opening = opening;
    if (p->live)
        tf_rate_add(&p->rate, record->sequence, record->t_mono_ns);
    p->fps_stamps[p->fps_count++ % TF_FPS_STAMPS] = tf_now_ns();
    if (s->pair.paired)
        count_pair(&s->pair, record);
    /* A frame that nobody looked at says nothing of faces: the last look stays. */
    if (record->state != TF_STATE_SKIPPED) {
        s->faces = record->faces.count;
        s->nose_c = face && record->celsius ? face->regions[TF_REGION_NOSE_TIP].mean : NAN;
        s->forehead_c = face && record->celsius ? face->regions[TF_REGION_FOREHEAD].mean : NAN;
    }
    if (record->latency_us >= 0)
        count_latency(p, (uint64_t)record->latency_us);
    if (shared && p->source) { /* not when the camera has gone meanwhile */
        old = p->latest;
        p->latest = shared;
        shared = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    if (old)
        tf_shared_record_unref(old);
    if (shared)
        tf_shared_record_unref(shared);
}

/* Over the last two seconds; 0 once nothing has come for so long. */
static float frame_rate(const struct tf_pipeline *p, uint64_t now)
{
    uint64_t n = p->fps_count < TF_FPS_STAMPS ? p->fps_count : TF_FPS_STAMPS, newest, oldest;
    uint64_t used = 0;

    if (n < 2)
        return 0;
    newest = oldest = p->fps_stamps[(p->fps_count - 1) % TF_FPS_STAMPS];
    if (now - newest > FPS_WINDOW_NS)
        return 0;
    for (uint64_t i = 1; i < n; i++) {
        uint64_t t = p->fps_stamps[(p->fps_count - 1 - i) % TF_FPS_STAMPS];

        if (now - t > FPS_WINDOW_NS)
            break;
        oldest = t;
        used = i;
    }
    return newest > oldest ? (float)((double)used * 1e9 / (double)(newest - oldest)) : 0;
}

/* Several sinks of one name (a service's for all cameras, say) are one place. */
static void tell_sinks(struct tf_pipeline *p, struct tf_status *ret)
{
    int n = 0;

    for (int i = 0; i < p->sink_count; i++) {
        int k = 0;

        while (k < n && strcmp(ret->sinks[k].name, p->sinks[i].name) != 0)
            k++;
        if (k == TF_SINKS_TOLD - 1)
            break;
        if (k == n)
            ret->sinks[n++] = (struct tf_sink_told){.name = p->sinks[i].name};
        ret->sinks[k].lost += atomic_load(&p->sink_lost[i]);
    }
    if (p->options.video)
        ret->sinks[n] = (struct tf_sink_told){.name = "video", .lost = atomic_load(&p->video_lost)};
}

void tf_pipeline_status(const struct tf_pipeline *pipeline, struct tf_status *ret)
{
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline; /* the lock is not part of what a reader sees */
    uint64_t now = tf_now_ns();

    pthread_mutex_lock(&p->lock);
    *ret = p->status;
    ret->fps = frame_rate(p, now);
    tf_rate_get(&p->rate, ret->nominal_hz, &ret->rate_hz, &ret->drift_ppm, &ret->drift_err_ppm);
    pthread_mutex_unlock(&p->lock);
    ret->encoded = atomic_load(&p->encoded);
    tf_pipeline_record_tell(p, ret);
    tell_sinks(p, ret);
    ret->dropped_rtsp = p->options.pictures ? tf_ring_counters(p->picture_ring).dropped : 0;
    if (p->mount) {
        ret->dropped_rtsp += tf_rtsp_dropped(p->mount);
        ret->rtsp_viewers = tf_rtsp_viewers(p->mount);
    }
}

int tf_pipeline_health(const struct tf_pipeline *pipeline, char *reason, size_t size)
{
    static const char *const names[] = {"capture", "inference", "picture"};
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    int hung = -1;

    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < TF_THREADS; i++) {
        const struct tf_worker *worker = &p->workers[i];
        uint64_t beat = atomic_load_explicit(&worker->beat_ns, memory_order_relaxed);

        if (worker->running && tf_now_ns() - beat > TF_HANG_NS && tf_now_ns() > beat)
            hung = i;
    }
    pthread_mutex_unlock(&p->lock);
    if (hung < 0)
        return 0;
    snprintf(reason, size, "camera %s: the %s thread has not moved for %.0f s", p->camera, names[hung],
             (double)TF_HANG_NS / 1e9);
    return -ETIMEDOUT;
}

static uint64_t cpu_ns(const struct tf_worker *worker)
{
    struct timespec t;

    if (!worker->running || clock_gettime(worker->clock, &t) < 0)
        return worker->cpu_ns;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void tf_pipeline_times(const struct tf_pipeline *pipeline, struct tf_pipeline_times *ret)
{
    static const char *const names[TF_STAGES] = {"normalise", "finder", "landmarks", "regions",
                                                 "turns",     "record", "overlay",   "encode"};
    struct tf_pipeline *p = (struct tf_pipeline *)pipeline;
    struct tf_pipeline_times t = {0};
    uint64_t total = 0, capture, n, below = 0, all = 0;

    pthread_mutex_lock(&p->lock);
    t.frames = p->status.frames;
    t.skipped = p->status.state_frames[TF_STATE_SKIPPED];
    capture = cpu_ns(&p->workers[TF_THREAD_CAPTURE]);
    for (int i = 0; i < TF_THREADS; i++)
        total += cpu_ns(&p->workers[i]);
    pthread_mutex_unlock(&p->lock);

    n = t.frames ? t.frames : 1;
    t.cpu_us_per_frame = (double)total / 1e3 / (double)n;
    t.stages[t.stage_count].name = "capture";
    t.stages[t.stage_count++].us = (double)capture / 1e3 / (double)n;
    for (int i = 0; i < TF_STAGES; i++) {
        t.stages[t.stage_count].name = names[i];
        t.stages[t.stage_count++].us = (double)atomic_load(&p->stage_ns[i]) / 1e3 / (double)n;
    }
    for (unsigned i = 0; i < TF_FINE_BUCKETS; i++)
        all += atomic_load(&p->latency_fine[i]);
    for (unsigned i = 0; i < TF_FINE_BUCKETS && all; i++) {
        uint64_t c = atomic_load(&p->latency_fine[i]);

        if (below * 100 < all * 50 && (below + c) * 100 >= all * 50)
            t.latency_us_p50 = fine_value(i);
        if (below * 100 < all * 99 && (below + c) * 100 >= all * 99)
            t.latency_us_p99 = fine_value(i);
        below += c;
    }
    t.latency_us_max = atomic_load(&p->latency_max);
    /* A bucket's middle can lie above the one value that is in it. */
    if (t.latency_us_p50 > t.latency_us_max)
        t.latency_us_p50 = t.latency_us_max;
    if (t.latency_us_p99 > t.latency_us_max)
        t.latency_us_p99 = t.latency_us_max;
    *ret = t;
}
