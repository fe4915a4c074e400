/*
 * Which way up the camera is mounted, told from the faces that are seen (inference/face/turns.h): a turn that
 * is to be found is found and taken over, one that was given is looked after.
 *
 * Readings cost as much as a few faces do, so they are spread over frames by capture time, and where the
 * processor is slow, by what they take. Once there is a verdict they end, or become rare.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/internal.h"

#define EVERY_NS 28000000ull           /* a camera of 30 frames/s: one in each frame, of 9: four */
#define EVERY_WATCHED_NS 84000000ull   /* nobody waits for what is found out about a turn that was given */
#define EVERY_SETTLED_NS 2000000000ull /* and hardly anybody when it has been found right */
#define LOAD 4u                        /* live, a reading is followed by at least so many times its length */
#define LAG_NS 1000000000ull           /* pictures of an earlier turn are through after that */
#define PROBE_FRAMES_MAX 200000u

int tf_turn_init(struct tf_pipeline *p, struct tf_error *err)
{
    struct tf_turn_status *s = &p->status.turn;

    atomic_store(&p->turn_wanted, -1);
    atomic_store(&p->turn_better, -1);
    p->turn_auto = p->options.source.rotate == TF_ROTATE_AUTO;
    s->flip = p->options.source.flip;
    if (!p->turn_auto) {
        s->rotate = p->options.source.rotate;
        return 0;
    }
    if (!p->options.analyse)
        return tf_fail(
            err, -EINVAL,
            "camera %s: rotate=auto is told from faces, and none are looked for: say which turn it "
            "is, or analyse=yes",
            p->camera);
    p->options.source.rotate = 0;
    s->state = TF_TURN_UNDECIDED;
    atomic_store(&p->turn_open, true);
    return 0;
}

/* Pipes can be read once only. */
static bool can_read_twice(const char *url)
{
    struct stat st;

    if (strncmp(url, "synthetic", 9) == 0)
        return true;
    return stat(strncmp(url, "file:", 5) == 0 ? url + 5 : url, &st) == 0 && S_ISREG(st.st_mode);
}

static void set_state(struct tf_pipeline *p, enum tf_turn_state state, uint16_t better)
{
    pthread_mutex_lock(&p->lock);
    p->status.turn.state = state;
    p->status.turn.better = better;
    pthread_mutex_unlock(&p->lock);
}

/* Readings that are due in a frame. False: the frame cannot be read. */
static bool read_due(struct tf_pipeline *p, const struct tf_frame *frame, uint64_t every_ns)
{
    uint16_t rotate;

    while (tf_turns_due(&p->turns, frame->t_mono_ns, every_ns, &rotate)) {
        uint64_t begin = tf_now_ns(), cost;
        struct tf_turn_reading reading;
        int r = tf_analyser_read_turn(p->analyser, frame, rotate, &reading);

        if (r < 0)
            return false;
        tf_turns_add(&p->turns, &reading);
        cost = tf_now_ns() - begin;
        tf_stage_add(p, TF_STAGE_TURNS, cost);
        p->turn_cost_ns = p->turn_cost_ns ? (7 * p->turn_cost_ns + cost) / 8 : cost;
    }
    return true;
}

void tf_turn_probe(struct tf_pipeline *p)
{
    struct tf_turns *t = &p->turns;
    struct tf_source *source;
    struct tf_frame *frame;
    bool readable = true;

    if (!p->turn_auto || !can_read_twice(p->options.source.url) || tf_capture_open(p, &source, NULL) < 0)
        return;
    for (uint32_t n = 0; n < PROBE_FRAMES_MAX && t->verdict != TF_TURNS_CLEAR && readable; n++) {
        if (tf_source_next(source, -1, &frame, NULL) != TF_NEXT_FRAME)
            break;
        if (!(frame->flags & (TF_FLAG_CORRUPT | TF_FLAG_FFC | TF_FLAG_DUPLICATE)))
            readable = read_due(p, frame, EVERY_NS);
        tf_frame_unref(frame);
    }
    tf_source_close(source);
    /* From here on it is as if it had been given. */
    p->turn_auto = false;
    p->options.no_turn_check = true;
    atomic_store(&p->turn_open, false);
    if (t->verdict == TF_TURNS_CLEAR) {
        p->options.source.rotate = t->best;
        tf_source_turn(p->first_source, t->best);
        set_state(p, TF_TURN_DECIDED, 0);
    } else if (t->verdict == TF_TURNS_TIE) {
        set_state(p, TF_TURN_TIE, t->best ? t->best : t->second);
    }
    tf_turns_reset(t);
}

static void decide(struct tf_pipeline *p, uint16_t now)
{
    uint16_t best = p->turns.best;
    bool held;

    pthread_mutex_lock(&p->lock);
    p->status.turn.state = TF_TURN_DECIDED;
    held = p->turn_held;
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->turn_open, false);
    if (best != now)
        atomic_store(&p->turn_wanted, best);
    if (!p->options.log)
        return;
    if (best == now)
        tf_log(TF_LOG_NOTICE, p->camera,
               "rotate=auto: faces stand upright with rotate=%u, as the picture stands", best);
    else
        tf_log(TF_LOG_NOTICE, p->camera,
               "rotate=auto: faces stand upright with rotate=%u: the picture is turned%s", best,
               held ? " when the recording has ended, which keeps its turn" : "");
}

static void find(struct tf_pipeline *p, uint16_t now)
{
    const struct tf_turns *t = &p->turns;
    uint16_t other = t->best == now ? t->second : t->best;

    if (t->verdict == TF_TURNS_CLEAR) {
        decide(p, now);
        return;
    }
    if (t->verdict != TF_TURNS_TIE || p->turn_said)
        return;
    p->turn_said = true;
    set_state(p, TF_TURN_TIE, other);
    if (p->options.log)
        tf_log(
            TF_LOG_WARNING, p->camera,
            "rotate=auto: rotate=%u and rotate=%u fit the faces alike; the picture stays at rotate=%u: say "
            "which it is",
            t->best, t->second, now);
}

static void watch(struct tf_pipeline *p, uint16_t now)
{
    struct tf_turns *t = &p->turns;
    uint16_t best = t->best;
    int before = atomic_load(&p->turn_better);

    if (t->verdict != TF_TURNS_CLEAR)
        return;
    /* The next verdict comes from what is seen from here on: somebody may turn the camera. */
    tf_turns_reset(t);
    p->turn_watched = true;
    if (best == now) {
        atomic_store(&p->turn_better, -1);
        set_state(p, TF_TURN_CONFIGURED, 0);
        if (before >= 0 && p->options.log)
            tf_log(TF_LOG_NOTICE, p->camera, "faces stand upright again with rotate=%u", now);
        return;
    }
    atomic_store(&p->turn_better, best);
    set_state(p, TF_TURN_WRONG, best);
    if (before != best && p->options.log)
        tf_log(TF_LOG_WARNING, p->camera,
               "faces do not stand upright with rotate=%u: rotate=%u fits clearly better, and until then "
               "what is "
               "measured is not what it is called",
               now, best);
}

void tf_turn_look(struct tf_pipeline *p, const struct tf_frame *frame)
{
    uint64_t every = EVERY_NS;

    if (!p->analyser || (p->turn_auto ? !atomic_load_explicit(&p->turn_open, memory_order_relaxed)
                                      : p->options.no_turn_check))
        return;
    if (!p->turn_auto && p->live)
        every = p->turn_watched ? EVERY_SETTLED_NS : EVERY_WATCHED_NS;
    else if (p->turn_watched)
        every = EVERY_SETTLED_NS;
    if (p->live && every < LOAD * p->turn_cost_ns)
        every = LOAD * p->turn_cost_ns;
    if (!read_due(p, frame, every))
        return;
    if (p->turn_auto)
        find(p, frame->rotate);
    else
        watch(p, frame->rotate);
}

void tf_turn_begin_anew(struct tf_pipeline *p)
{
    tf_turns_reset(&p->turns);
    p->turn_watched = p->turn_said = false;
    if (!p->turn_auto)
        return;
    /* It stays as it was found until it is found otherwise. */
    atomic_store(&p->turn_wanted, -1);
    atomic_store(&p->turn_open, true);
    set_state(p, TF_TURN_UNDECIDED, 0);
}

void tf_turn_take(struct tf_pipeline *p, struct tf_source *source)
{
    const struct tf_source_info *info = tf_source_info(source);
    int wanted;

    pthread_mutex_lock(&p->lock);
    wanted = p->turn_held ? -1 : atomic_load(&p->turn_wanted);
    if (wanted >= 0) {
        atomic_store(&p->turn_wanted, -1);
        tf_source_turn(source, (uint16_t)wanted);
        p->options.source.rotate = (uint16_t)wanted;
        p->present.rotate = p->status.turn.rotate = (uint16_t)wanted;
        p->status.width = wanted % 180 ? info->height : info->width;
        p->status.height = wanted % 180 ? info->width : info->height;
        p->turn_changed_ns = tf_now_ns();
    }
    pthread_mutex_unlock(&p->lock);
}

void tf_turn_hold(struct tf_pipeline *p)
{
    uint64_t changed;

    pthread_mutex_lock(&p->lock);
    p->turn_held = true;
    changed = p->turn_changed_ns;
    pthread_mutex_unlock(&p->lock);
    if (changed)
        tf_sleep_until_ns(changed + LAG_NS);
}

void tf_turn_release(struct tf_pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->turn_held = false;
    pthread_mutex_unlock(&p->lock);
}

void tf_turn_note(const struct tf_pipeline *p, struct tf_overlay_note *note)
{
    int better = atomic_load_explicit(&p->turn_better, memory_order_relaxed);

    if (note->banner != TF_BANNER_NONE || better < 0)
        return;
    note->banner = TF_BANNER_TURN;
    note->rotate = (uint16_t)better;
}
