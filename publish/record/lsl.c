/* Lab Streaming Layer: clock, sinks and the thread that sends. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "publish/record/lsl_internal.h"

#define CLOCK_TRIES 15
#define CLOCK_EVERY_NS 10000000000ull
#define CLOCK_STEP_NS 500000 /* worth a line in the log */
#define LOOK_EVERY_NS TF_NS_PER_S
#define END_WAIT_S 1 /* for a library that does not answer */

void tf_lsl_say(struct tf_lsl *lsl, enum tf_log_level level, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    lsl->options.say(lsl->options.context, level, text);
}

/* --- the clock --- */

/* liblsl's clock less ours, between two reads of ours that lie as close together as it gets. */
static int64_t measure(struct tf_lsl *lsl, int64_t *error_ns)
{
    int64_t offset = 0, best = INT64_MAX;

    for (int i = 0; i < CLOCK_TRIES; i++) {
        uint64_t before = tf_now_ns();
        double theirs = lsl->api.local_clock();
        uint64_t after = tf_now_ns();

        if ((int64_t)(after - before) >= best)
            continue;
        best = (int64_t)(after - before);
        offset = llround(theirs * 1e9) - (int64_t)(before + (after - before) / 2);
    }
    *error_ns = best / 2 + 1;
    return offset;
}

/* A new value only where it differs by more than the measuring may: stamps do not tremble. */
static void measure_again(struct tf_lsl *lsl)
{
    int64_t error_ns, was = atomic_load(&lsl->offset_ns), now = measure(lsl, &error_ns), step = now - was;

    if (llabs(step) <= error_ns + lsl->offset_error_ns) {
        if (error_ns >= lsl->offset_error_ns)
            return;
    } else if (llabs(step) > CLOCK_STEP_NS) {
        tf_lsl_say(lsl, TF_LOG_WARNING,
                   "lsl: liblsl's clock has moved by %+.3f ms against CLOCK_MONOTONIC; stamps follow it",
                   (double)step / 1e6);
    }
    lsl->offset_error_ns = error_ns;
    atomic_store(&lsl->offset_ns, now);
}

/* --- the sink: in the pipeline's thread, which waits for nothing here --- */

/* The largest face has the only stream; with several, who has one keeps it while he is followed. */
static void assign(struct tf_lsl_camera *c, const struct tf_faces *faces, int at[TF_FACES_MAX])
{
    uint32_t n = c->lsl->options.faces;
    bool placed[TF_FACES_MAX] = {false};

    for (uint32_t k = 0; k < n; k++)
        at[k] = -1;
    if (n == 1) {
        at[0] = faces->count ? 0 : -1;
        return;
    }
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < faces->count && c->ids[k]; i++)
            if (faces->faces[i].id == c->ids[k]) {
                at[k] = (int)i;
                placed[i] = true;
            }
    for (uint32_t i = 0; i < faces->count; i++)
        for (uint32_t k = 0; k < n && !placed[i]; k++)
            if (at[k] < 0) {
                at[k] = (int)i;
                c->ids[k] = faces->faces[i].id;
                placed[i] = true;
            }
}

static float value_of(const struct tf_region_stats *s)
{
    return s->valid ? s->mean : NAN;
}

static void copy_points(const struct tf_face *face, float *points)
{
    for (int p = 0; p < TF_POINTS; p++) {
        *points++ = face ? face->points[p].x : NAN;
        *points++ = face ? face->points[p].y : NAN;
        *points++ = face ? face->points[p].confidence : NAN;
    }
}

static void copy_face(const struct tf_record *record, int at, struct tf_lsl_face *ret)
{
    const struct tf_face *face = at < 0 ? NULL : &record->faces.faces[at];

    ret->id = face ? face->id : 0;
    ret->score = face ? face->score : NAN;
    for (int i = 0; i < TF_REGIONS; i++)
        ret->regions[i] = face ? value_of(&face->regions[i]) : NAN;
    for (uint32_t i = 0; i < record->own.names.faces; i++)
        ret->own[i] = face ? value_of(&record->own.face[at][i]) : NAN;
}

static int take(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct tf_lsl_camera *c = self;
    struct tf_lsl *lsl = c->lsl;
    uint32_t head = atomic_load_explicit(&c->head, memory_order_relaxed);
    struct tf_lsl_entry *e;
    int at[TF_FACES_MAX];

    assign(c, &record->faces, at);
    if (head - atomic_load_explicit(&c->tail, memory_order_acquire) >= TF_LSL_RING) {
        atomic_fetch_add_explicit(&lsl->dropped, 1, memory_order_relaxed);
        return 0;
    }
    e = (struct tf_lsl_entry *)(c->slots + c->stride * (head % TF_LSL_RING));
    e->t_mono_ns = record->t_mono_ns;
    e->frame = record->frame;
    e->sequence = record->sequence;
    e->video_frame = record->video_frame;
    e->flags = record->flags;
    e->state = record->state;
    e->celsius = record->celsius;
    e->names = record->own.names;
    for (uint32_t i = 0; i < record->own.names.areas; i++)
        e->area[i] = value_of(&record->own.area[i]);
    for (uint32_t k = 0; k < lsl->options.faces; k++) {
        copy_face(record, at[k], &e->faces[k]);
        if (lsl->options.landmarks)
            copy_points(at[k] < 0 ? NULL : &record->faces.faces[at[k]],
                        e->points + (size_t)k * TF_POINTS * TF_LSL_POINT);
    }
    atomic_store_explicit(&c->head, head + 1, memory_order_release);
    sem_post(&lsl->wake);
    return 0;
}

int tf_lsl_sink(struct tf_lsl *lsl, const char *camera, struct tf_sink *ret, struct tf_error *err)
{
    int n = atomic_load(&lsl->camera_count);
    struct tf_lsl_camera *c = &lsl->cameras[n];
    size_t points = lsl->options.landmarks ? lsl->options.faces * TF_POINTS * TF_LSL_POINT : 0;

    if (n == TF_LSL_CAMERAS_MAX)
        return tf_fail(err, -ENOSPC, "lsl: streams of at most %d cameras", TF_LSL_CAMERAS_MAX);
    c->stride = (sizeof(struct tf_lsl_entry) + points * sizeof(float) + 63) & ~(size_t)63;
    c->slots = calloc(TF_LSL_RING, c->stride);
    if (!c->slots)
        return tf_fail(err, -ENOMEM, "lsl: no memory for the streams of %s", camera);
    c->lsl = lsl;
    snprintf(c->name, sizeof(c->name), "%s", camera);
    atomic_store(&lsl->camera_count, n + 1);
    *ret = (struct tf_sink){.name = "lsl", .self = c, .record = take};
    return 0;
}

void tf_lsl_set_own(struct tf_lsl *lsl, const struct tf_own_regions *own)
{
    pthread_mutex_lock(&lsl->lock);
    lsl->own = *own;
    pthread_mutex_unlock(&lsl->lock);
    atomic_fetch_add(&lsl->own_number, 1);
}

void tf_lsl_mark(struct tf_lsl *lsl, const char *text, const char *value, uint64_t t_mono_ns)
{
    struct tf_lsl_mark_waiting *m = NULL;

    if (!lsl->options.marks)
        return;
    pthread_mutex_lock(&lsl->lock);
    if (lsl->waiting_count < TF_LSL_MARKS) {
        m = &lsl->waiting[(lsl->waiting_first + lsl->waiting_count) % TF_LSL_MARKS];
        snprintf(m->text, sizeof(m->text), "%s%s%s", text, value && *value ? "=" : "", value ? value : "");
        m->t_mono_ns = t_mono_ns;
        lsl->waiting_count++;
    }
    pthread_mutex_unlock(&lsl->lock);
    if (!m)
        atomic_fetch_add(&lsl->dropped, 1);
    sem_post(&lsl->wake);
}

/* --- the thread that sends --- */

static void send_records(struct tf_lsl *lsl)
{
    int n = atomic_load(&lsl->camera_count);

    for (int i = 0; i < n; i++) {
        struct tf_lsl_camera *c = &lsl->cameras[i];
        uint32_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

        while (tail != atomic_load_explicit(&c->head, memory_order_acquire)) {
            tf_lsl_send(c, (const struct tf_lsl_entry *)(c->slots + c->stride * (tail % TF_LSL_RING)));
            atomic_store_explicit(&c->tail, ++tail, memory_order_release);
        }
    }
}

static void send_marks(struct tf_lsl *lsl)
{
    struct tf_lsl_mark_waiting mark;
    bool there;

    do {
        pthread_mutex_lock(&lsl->lock);
        there = lsl->waiting_count > 0;
        if (there) {
            mark = lsl->waiting[lsl->waiting_first];
            lsl->waiting_first = (lsl->waiting_first + 1) % TF_LSL_MARKS;
            lsl->waiting_count--;
        }
        pthread_mutex_unlock(&lsl->lock);
        if (there)
            tf_lsl_send_mark(lsl, &mark);
    } while (there);
}

static void *send_main(void *arg)
{
    struct tf_lsl *lsl = arg;
    uint64_t look_due = tf_now_ns() + LOOK_EVERY_NS, clock_due = tf_now_ns() + CLOCK_EVERY_NS;
    bool ending;

    pthread_setname_np(pthread_self(), "tf-lsl");
    do {
        struct timespec until = {.tv_sec = (time_t)(look_due / TF_NS_PER_S),
                                 .tv_nsec = (long)(look_due % TF_NS_PER_S)};
        uint64_t now;

        sem_clockwait(&lsl->wake, CLOCK_MONOTONIC, &until);
        ending = atomic_load(&lsl->ending);
        send_records(lsl);
        send_marks(lsl);
        now = tf_now_ns();
        if (now >= clock_due) {
            measure_again(lsl);
            clock_due = now + CLOCK_EVERY_NS;
        }
        if (now >= look_due) {
            tf_lsl_look(lsl);
            look_due = now + LOOK_EVERY_NS;
        }
    } while (!ending);
    tf_lsl_close_outlets(lsl);
    return NULL;
}

/* --- begin and end --- */

int tf_lsl_check(const char *library, int *version, struct tf_error *err)
{
    struct tf_lsl_library api;
    int r = tf_lsl_library_open(library, &api, err);

    if (r == 0)
        *version = api.library_version();
    return r;
}

static int copy_options(struct tf_lsl *lsl, const struct tf_lsl_options *o)
{
    const char *texts[] = {o->name, o->version, o->markers};
    const char **places[] = {&lsl->options.name, &lsl->options.version, &lsl->options.markers};

    lsl->options = *o;
    lsl->options.library = NULL;
    lsl->options.own = NULL;
    if (lsl->options.faces < 1 || lsl->options.faces > TF_FACES_MAX)
        lsl->options.faces = lsl->options.faces < 1 ? 1 : TF_FACES_MAX;
    for (size_t i = 0; i < TF_COUNT(texts); i++) {
        lsl->strings[i] = texts[i] ? strdup(texts[i]) : NULL;
        if (texts[i] && !lsl->strings[i])
            return -ENOMEM;
        *places[i] = lsl->strings[i];
    }
    return 0;
}

static int begin_threads(struct tf_lsl *lsl, struct tf_error *err)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* liblsl's threads inherit it, too */
    tf_lsl_open_marks(lsl);
    r = -pthread_create(&lsl->sender, NULL, send_main, lsl);
    lsl->sends = r == 0;
    if (r < 0)
        tf_fail(err, r, "lsl: no thread: %s", strerror(-r));
    if (r == 0 && lsl->options.markers)
        r = tf_lsl_find_begin(lsl, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int tf_lsl_create(const struct tf_lsl_options *options, struct tf_lsl **ret, struct tf_error *err)
{
    struct tf_lsl *lsl = calloc(1, sizeof(*lsl));
    int r = lsl ? 0 : tf_fail(err, -ENOMEM, "no memory for lsl");

    if (r < 0)
        return r;
    pthread_mutex_init(&lsl->lock, NULL);
    sem_init(&lsl->wake, 0, 0);
    r = tf_lsl_library_open(options->library, &lsl->api, err);
    if (r < 0)
        goto fail;
    lsl->waiting = calloc(TF_LSL_MARKS, sizeof(*lsl->waiting));
    r = lsl->waiting ? copy_options(lsl, options) : -ENOMEM;
    if (r < 0) {
        tf_fail(err, r, "no memory for lsl");
        goto fail;
    }
    if (options->own)
        lsl->own = *options->own;
    if (gethostname(lsl->host, sizeof(lsl->host) - 1) < 0 || !lsl->host[0])
        snprintf(lsl->host, sizeof(lsl->host), "unknown");
    atomic_store(&lsl->offset_ns, measure(lsl, &lsl->offset_error_ns));
    lsl->told.there = true;
    lsl->told.version = lsl->api.library_version();
    snprintf(lsl->told.library, sizeof(lsl->told.library), "%s", lsl->api.path);
    r = begin_threads(lsl, err);
    if (r < 0)
        goto fail;
    *ret = lsl;
    return 0;

fail:
    tf_lsl_destroy(lsl);
    return r;
}

void tf_lsl_quit(struct tf_lsl *lsl)
{
    atomic_store(&lsl->quitting, true);
}

bool tf_lsl_join(pthread_t thread)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_WAIT_S;
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

void tf_lsl_destroy(struct tf_lsl *lsl)
{
    bool ended = true;

    if (!lsl)
        return;
    tf_lsl_quit(lsl);
    if (lsl->sends) {
        atomic_store(&lsl->ending, true);
        sem_post(&lsl->wake);
        ended = tf_lsl_join(lsl->sender);
    } else {
        tf_lsl_close_outlets(lsl);
    }
    ended &= tf_lsl_find_end(lsl);
    if (!ended) {
        /* Its threads still use all this: it goes with the process. */
        tf_lsl_say(lsl, TF_LOG_ERROR, "lsl: liblsl does not answer; the end does not wait for it");
        return;
    }
    for (int i = 0; i < TF_LSL_CAMERAS_MAX; i++)
        free(lsl->cameras[i].slots);
    for (size_t i = 0; i < TF_COUNT(lsl->strings); i++)
        free(lsl->strings[i]);
    free(lsl->waiting);
    sem_destroy(&lsl->wake);
    pthread_mutex_destroy(&lsl->lock);
    free(lsl);
}

const char *tf_lsl_stream_state_name(enum tf_lsl_stream_state state)
{
    static const char *const names[] = {"connecting", "connected", "gone", "refused"};

    return (unsigned)state < 4 ? names[state] : "unknown";
}

void tf_lsl_tell(struct tf_lsl *lsl, struct tf_lsl_told *ret)
{
    pthread_mutex_lock(&lsl->lock);
    *ret = lsl->told;
    ret->stream_count = 0;
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        if (lsl->streams[i].used)
            ret->streams[ret->stream_count++] = lsl->streams[i].told;
    pthread_mutex_unlock(&lsl->lock);
    ret->offset_ns = atomic_load(&lsl->offset_ns);
    ret->dropped = atomic_load(&lsl->dropped);
}
