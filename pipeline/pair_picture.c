/* The picture of a pair of cameras: a thread of its own that looks at both of them. */
#include "pipeline/pair_picture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/latest.h"
#include "pipeline/shared.h"
#include "publish/video/fragment.h"

#define NICE 5             /* as the cameras' own pictures */
#define IDLE_NS 100000000u /* nobody watches */
#define LOOK_NS 4000000u   /* somebody does: how soon a new frame is seen */
#define ABSENT_NS 200000000u
/* Before a camera has told its size. */
#define UNKNOWN_WIDTH 640
#define UNKNOWN_HEIGHT 480

struct tf_pair_picture {
    struct tf_pair_picture_options options;
    char name[64];
    pthread_t thread;
    bool started;

    /* Over the time for which frames of the cameras are held: their pools have one to spare for a pair. */
    pthread_mutex_t holding;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    bool stopping;
    struct tf_overlay_options overlay_options;
    uint32_t overlay_number;

    /* The thread's own. */
    struct tf_rtsp_mount *mount;
    struct tf_fragmenter *fragmenter;
    struct tf_pair_overlay *overlay;
    struct tf_encoder *encoder;
    uint32_t overlay_taken, sizes[4];
    uint64_t last_ns, due_ns;
    bool key_wanted;
    uint64_t retry_ns, backoff_ns; /* after a failure; 0: there is none */
};

/* What is at hand of both cameras. */
struct pair_now {
    struct tf_latest thermal, visible;
    uint32_t sizes[4]; /* thermal width, height, visible width, height */
};

static struct pair_now look(struct tf_pair_picture *x)
{
    struct pair_now now;

    pthread_mutex_lock(&x->holding);
    tf_pipeline_latest(x->options.thermal, &now.thermal);
    tf_pipeline_latest(x->options.visible, &now.visible);
    now.sizes[0] = now.thermal.width ? now.thermal.width : UNKNOWN_WIDTH;
    now.sizes[1] = now.thermal.height ? now.thermal.height : UNKNOWN_HEIGHT;
    now.sizes[2] = now.visible.width ? now.visible.width : UNKNOWN_WIDTH;
    now.sizes[3] = now.visible.height ? now.visible.height : UNKNOWN_HEIGHT;
    return now;
}

static void let_go(struct tf_pair_picture *x, struct pair_now *now)
{
    if (now->thermal.record)
        tf_shared_record_unref(now->thermal.record);
    if (now->visible.record)
        tf_shared_record_unref(now->visible.record);
    now->thermal.record = now->visible.record = NULL;
    pthread_mutex_unlock(&x->holding);
}

/* An open camera without frames keeps its last picture. */
static bool stands_still(const struct pair_now *now)
{
    return now->thermal.record && now->thermal.state == TF_CAMERA_NO_SIGNAL;
}

static int draw(const struct tf_pair_picture *x, struct tf_pair_overlay *overlay, const struct pair_now *now,
                const struct tf_picture **ret)
{
    const struct tf_record *t = now->thermal.record ? &now->thermal.record->record : NULL;
    const struct tf_record *v = now->visible.record ? &now->visible.record->record : NULL;
    struct tf_overlay_note note = {
        .camera = tf_pipeline_camera(x->options.thermal),
        .frame = t ? t->frame : now->thermal.last_frame,
        .t_utc_ns = t && !stands_still(now) ? t->t_utc_ns : tf_utc_now_ns(),
        .banner = !t                             ? TF_BANNER_NO_SIGNAL
                  : stands_still(now)            ? TF_BANNER_STALE
                  : t->state == TF_STATE_SKIPPED ? TF_BANNER_SKIPPED
                                                 : TF_BANNER_NONE,
        .since_utc_ns = now->thermal.since_utc_ns,
        .own = t ? &t->own : NULL,
    };
    const struct tf_pair_view view = {
        .thermal = t ? now->thermal.record->frame : NULL,
        .thermal_faces = t ? &t->faces : NULL,
        .note = &note,
        .visible = v ? now->visible.record->frame : NULL,
        .visible_faces = v ? &v->faces : NULL,
        .visible_camera = tf_pipeline_camera(x->options.visible),
        .visible_number = v ? v->frame : 0,
        .skew_ms = t && v ? (double)(int64_t)(v->t_mono_ns - t->t_mono_ns) / 1e6 : 0,
    };

    tf_turn_note(now->thermal.turn_better, &note);
    return tf_pair_overlay_draw(overlay, &view, ret);
}

static void deliver(void *context, const struct tf_packet *packet)
{
    struct tf_pair_picture *x = context;

    if (x->mount)
        tf_rtsp_push(x->mount, packet);
    tf_fragmenter_packet(x->fragmenter, x->encoder, packet);
}

static int create_overlay(struct tf_pair_picture *x, const struct pair_now *now, enum tf_picture_form form,
                          uint32_t *number, struct tf_pair_overlay **ret, struct tf_error *err)
{
    struct tf_overlay_options options;

    pthread_mutex_lock(&x->lock);
    options = x->overlay_options;
    *number = x->overlay_number;
    pthread_mutex_unlock(&x->lock);
    options.form = form;
    return tf_pair_overlay_create(&options, x->options.layout, now->sizes[0], now->sizes[1], now->sizes[2],
                                  now->sizes[3], ret, err);
}

/* Overlay and encoder for what the cameras are now; anew when a size or the options have changed. */
static int prepare(struct tf_pair_picture *x, const struct pair_now *now, struct tf_error *err)
{
    struct tf_encoder_options eo = x->options.encoder;
    bool same;
    int r;

    pthread_mutex_lock(&x->lock);
    same = x->overlay && x->overlay_number == x->overlay_taken &&
           memcmp(x->sizes, now->sizes, sizeof(x->sizes)) == 0;
    pthread_mutex_unlock(&x->lock);
    if (same && x->encoder)
        return 0;
    tf_fragmenter_end(x->fragmenter);
    tf_encoder_destroy(x->encoder);
    tf_pair_overlay_destroy(x->overlay);
    x->encoder = NULL;
    x->overlay = NULL;
    r = create_overlay(x, now, TF_PICTURE_PLANES, &x->overlay_taken, &x->overlay, err);
    if (r < 0)
        return r;
    memcpy(x->sizes, now->sizes, sizeof(x->sizes));
    tf_pair_overlay_size(x->overlay, &eo.width, &eo.height);
    if (!(eo.fps > 0))
        eo.fps = 25;
    if (x->options.fps_max > 0 && x->options.fps_max < eo.fps)
        eo.fps = x->options.fps_max;
    r = tf_encoder_create(&eo, &x->encoder, err);
    x->key_wanted = true;
    if (r == 0) {
        size_t size;
        const uint8_t *data = tf_encoder_extradata(x->encoder, &size);

        if (data && x->mount)
            tf_rtsp_headers(x->mount, data, size, eo.fps);
    }
    return r;
}

static int show(struct tf_pair_picture *x, const struct pair_now *now, uint64_t t_ns, struct tf_error *err)
{
    const struct tf_picture *picture;
    int r = prepare(x, now, err);

    if (r < 0)
        return r;
    r = draw(x, x->overlay, now, &picture);
    if (r < 0)
        return tf_fail(err, r, "the picture could not be drawn: %s", strerror(-r));
    if (t_ns <= x->last_ns)
        t_ns = x->last_ns + 1000000;
    x->last_ns = t_ns;
    if ((x->mount && tf_rtsp_take_key_request(x->mount)) ||
        tf_live_take_key_request(x->options.live, tf_now_ns()))
        x->key_wanted = true;
    r = tf_encoder_encode(x->encoder, picture, t_ns,
                          now->thermal.record ? now->thermal.record->record.frame : now->thermal.last_frame,
                          x->key_wanted, deliver, x, err);
    if (r == 0)
        x->key_wanted = false;
    return r;
}

/* False: the end was asked for. */
static bool rest(struct tf_pair_picture *x, uint64_t ns)
{
    uint64_t t = tf_now_ns() + ns;
    const struct timespec until = {.tv_sec = (time_t)(t / TF_NS_PER_S), .tv_nsec = (long)(t % TF_NS_PER_S)};
    bool stopping;

    pthread_mutex_lock(&x->lock);
    if (!x->stopping)
        pthread_cond_timedwait(&x->changed, &x->lock, &until);
    stopping = x->stopping;
    pthread_mutex_unlock(&x->lock);
    return !stopping;
}

/* Encoder and overlay are made anew after a wait, which grows. */
static void put_off(struct tf_pair_picture *x, int r, const struct tf_error *err)
{
    if (!x->backoff_ns && x->options.log)
        tf_log(TF_LOG_ERROR, x->name, "pictures of the pair fail: %s",
               err->text[0] ? err->text : strerror(-r));
    x->backoff_ns = x->backoff_ns ? 2 * x->backoff_ns : TF_ENCODER_RETRY_LEAST_NS;
    if (x->backoff_ns > TF_ENCODER_RETRY_MOST_NS)
        x->backoff_ns = TF_ENCODER_RETRY_MOST_NS;
    x->retry_ns = tf_now_ns() + x->backoff_ns;
    tf_fragmenter_end(x->fragmenter);
    tf_encoder_destroy(x->encoder);
    x->encoder = NULL;
}

static void works_again(struct tf_pair_picture *x)
{
    x->backoff_ns = 0;
    if (x->options.log)
        tf_log(TF_LOG_INFO, x->name, "pictures of the pair are encoded again");
}

static void *picture_main(void *arg)
{
    struct tf_pair_picture *x = arg;
    id_t self = (id_t)syscall(SYS_gettid);
    uint64_t shown_ns = 0, wait_ns = IDLE_NS, stamp = 0;
    bool described = false;
    char name[32];

    snprintf(name, sizeof(name), "pic:%.11s", x->name);
    pthread_setname_np(pthread_self(), name);
    setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + NICE);
    while (rest(x, wait_ns)) {
        struct tf_error err = {0};
        struct pair_now now;
        bool shown = false;
        int r = 0;

        wait_ns = IDLE_NS;
        if ((!x->mount || tf_rtsp_viewers(x->mount) == 0) && tf_live_viewers(x->options.live) == 0) {
            /* Once, so that a description needs no picture. */
            if (!described && x->mount) {
                now = look(x);
                described = now.thermal.record != NULL;
                if (described)
                    prepare(x, &now, &err);
                let_go(x, &now);
            }
            continue;
        }
        wait_ns = LOOK_NS;
        if (x->backoff_ns && tf_now_ns() < x->retry_ns)
            continue;
        now = look(x);
        if (now.thermal.record && now.thermal.record->record.t_mono_ns != stamp &&
            tf_picture_due(&x->due_ns, x->options.fps_max, now.thermal.record->record.t_mono_ns)) {
            stamp = now.thermal.record->record.t_mono_ns;
            r = show(x, &now, stamp, &err);
            shown = true;
            shown_ns = tf_now_ns();
        } else if ((!now.thermal.record || stands_still(&now)) && tf_now_ns() - shown_ns > ABSENT_NS) {
            shown = true;
            shown_ns = tf_now_ns();
            r = show(x, &now, shown_ns, &err);
        }
        let_go(x, &now);
        if (r < 0)
            put_off(x, r, &err);
        else if (x->backoff_ns && shown)
            works_again(x);
    }
    return NULL;
}

int tf_pair_picture_create(const struct tf_pair_picture_options *options, struct tf_pair_picture **ret,
                           struct tf_error *err)
{
    struct tf_pair_picture *x = calloc(1, sizeof(*x));
    pthread_condattr_t attr;
    int r = 0;

    if (!x)
        return tf_fail(err, -ENOMEM, "pair %s: out of memory", options->name);
    pthread_mutex_init(&x->holding, NULL);
    pthread_mutex_init(&x->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&x->changed, &attr);
    pthread_condattr_destroy(&attr);
    x->options = *options;
    snprintf(x->name, sizeof(x->name), "%s", options->name);
    x->options.name = x->name;
    x->overlay_options = options->overlay;
    x->overlay_number = 1;
    if (options->rtsp)
        r = tf_rtsp_mount(options->rtsp, x->name, options->encoder.fps > 0 ? options->encoder.fps : 25,
                          &x->mount, err);
    if (r == 0 && options->live && (r = tf_fragmenter_create(options->live, &x->fragmenter)) < 0)
        tf_fail(err, r, "pair %s: out of memory", x->name);
    if (r == 0 && (options->rtsp || options->live)) {
        r = -pthread_create(&x->thread, NULL, picture_main, x);
        if (r < 0)
            tf_fail(err, r, "pair %s: no thread could be started: %s", x->name, strerror(-r));
        x->started = r == 0;
    }
    if (r < 0) {
        tf_pair_picture_destroy(x);
        return r;
    }
    *ret = x;
    return 0;
}

void tf_pair_picture_stop(struct tf_pair_picture *x)
{
    if (!x)
        return;
    pthread_mutex_lock(&x->lock);
    x->stopping = true;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (x->started)
        pthread_join(x->thread, NULL);
    x->started = false;
}

void tf_pair_picture_destroy(struct tf_pair_picture *x)
{
    if (!x)
        return;
    tf_pair_picture_stop(x);
    tf_fragmenter_destroy(x->fragmenter);
    tf_encoder_destroy(x->encoder);
    tf_pair_overlay_destroy(x->overlay);
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->holding);
    free(x);
}

void tf_pair_picture_set_overlay(struct tf_pair_picture *x, const struct tf_overlay_options *overlay)
{
    pthread_mutex_lock(&x->lock);
    x->overlay_options = *overlay;
    x->overlay_number++;
    pthread_mutex_unlock(&x->lock);
}

int tf_pair_picture_snapshot(struct tf_pair_picture *x, struct tf_snapshot *snapshot, struct tf_error *err)
{
    struct tf_pair_overlay *overlay = NULL;
    const struct tf_picture *picture;
    struct pair_now now = look(x);
    uint32_t number;
    int r = 0;

    if (!now.thermal.record)
        r = tf_fail(err, -EAGAIN, "pair %s: no thermal frame", x->name);
    if (r == 0)
        r = create_overlay(x, &now, TF_PICTURE_RGB, &number, &overlay, err);
    if (r == 0)
        r = draw(x, overlay, &now, &picture);
    if (r == 0)
        r = tf_snapshot_encode(picture, snapshot, err);
    if (r == 0) {
        snapshot->version = 0; /* made of two cameras: never the same again */
        snapshot->frame = now.thermal.record->record.frame;
        snapshot->t_mono_ns = now.thermal.record->record.t_mono_ns;
    }
    tf_pair_overlay_destroy(overlay);
    let_go(x, &now);
    return r;
}
