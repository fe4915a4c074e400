/*
 * Which way up the camera is mounted, told from the faces that are seen (inference/face/turns.h): a turn that
 * is to be found is found and taken over, one that was given is looked after.
 *
 * Readings cost as much as a few faces do, so they are spread over frames by capture time, and where the
 * processor is slow, by what they take. Once there is a verdict they end, or come a round at a time with long
 * rests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/inference.h"

#define EVERY_NS 28000000ull         /* a camera of 30 frames/s: one in each frame, of 9: four */
#define EVERY_WATCHED_NS 84000000ull /* nobody waits for what is found out about a turn that was given */
#define LOAD 4u                      /* live, a reading is followed by at least so many times its length */
#define PROBE_FRAMES_MAX 200000u

int tf_turn_init(struct tf_inference *x, struct tf_source_options *source, struct tf_error *err)
{
    struct tf_turn_status *s = &x->shared->status.turn;

    x->turn.automatic = source->rotate == TF_ROTATE_AUTO;
    x->turn.unwatched = x->setup->options.no_turn_check;
    x->turn.settled = -1;
    s->flip = source->flip;
    if (!x->turn.automatic) {
        s->rotate = source->rotate;
        return 0;
    }
    if (!x->setup->options.analyse)
        return tf_fail(
            err, -EINVAL,
            "camera %s: rotate=auto is told from faces, and none are looked for: say which turn it "
            "is, or analyse=yes",
            x->setup->camera);
    source->rotate = 0;
    s->state = TF_TURN_UNDECIDED;
    atomic_store(&x->shared->turn.open, true);
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

static void set_state(struct tf_shared *s, enum tf_turn_state state, uint16_t better)
{
    pthread_mutex_lock(&s->lock);
    s->status.turn.state = state;
    s->status.turn.better = better;
    pthread_mutex_unlock(&s->lock);
}

/* Readings that are due in a frame. False: the frame cannot be read. */
static bool read_due(struct tf_inference *x, const struct tf_frame *frame, uint64_t every_ns)
{
    uint16_t rotate;

    while (tf_turns_due(&x->turn.turns, frame->t_mono_ns, every_ns, &rotate)) {
        uint64_t begin = tf_now_ns(), cost;
        struct tf_turn_reading reading;
        int r = tf_analyser_read_turn(x->analyser, frame, rotate, &reading);

        if (r < 0)
            return false;
        tf_turns_add(&x->turn.turns, &reading);
        cost = tf_now_ns() - begin;
        tf_stage_add(x->shared, TF_STAGE_TURNS, cost);
        x->turn.cost_ns = x->turn.cost_ns ? (7 * x->turn.cost_ns + cost) / 8 : cost;
    }
    return true;
}

bool tf_turn_can_probe(const struct tf_inference *x)
{
    return x->turn.automatic && can_read_twice(x->setup->options.source.url);
}

int tf_turn_probe(struct tf_inference *x, struct tf_source *source)
{
    struct tf_turns *t = &x->turn.turns;
    struct tf_frame *frame;
    bool readable = true;
    int turn = -1;

    for (uint32_t n = 0; n < PROBE_FRAMES_MAX && t->verdict != TF_TURNS_CLEAR && readable; n++) {
        if (tf_source_next(source, -1, &frame, NULL) != TF_NEXT_FRAME)
            break;
        if (!(frame->flags & (TF_FLAG_CORRUPT | TF_FLAG_FFC | TF_FLAG_DUPLICATE)))
            readable = read_due(x, frame, EVERY_NS);
        tf_frame_unref(frame);
    }
    /* From here on it is as if it had been given. */
    x->turn.automatic = false;
    x->turn.unwatched = true;
    atomic_store(&x->shared->turn.open, false);
    if (t->verdict == TF_TURNS_CLEAR) {
        turn = t->best;
        set_state(x->shared, TF_TURN_DECIDED, 0);
    } else if (t->verdict == TF_TURNS_TIE) {
        set_state(x->shared, TF_TURN_TIE, t->best ? t->best : t->second);
    }
    tf_turns_reset(t);
    return turn;
}

static void decide(struct tf_inference *x, uint16_t now)
{
    uint16_t best = x->turn.turns.best;
    bool held;

    pthread_mutex_lock(&x->shared->lock);
    x->shared->status.turn.state = TF_TURN_DECIDED;
    held = x->shared->turn.held;
    pthread_mutex_unlock(&x->shared->lock);
    atomic_store(&x->shared->turn.open, false);
    if (best != now)
        atomic_store(&x->shared->turn.wanted, best);
    if (!x->setup->options.log)
        return;
    if (best == now)
        tf_log(TF_LOG_NOTICE, x->setup->camera,
               "rotate=auto: faces stand upright with rotate=%u, as the picture stands", best);
    else
        tf_log(TF_LOG_NOTICE, x->setup->camera,
               "rotate=auto: faces stand upright with rotate=%u: the picture is turned%s", best,
               held ? " when the recording has ended, which keeps its turn" : "");
}

static void find(struct tf_inference *x, uint16_t now)
{
    const struct tf_turns *t = &x->turn.turns;
    uint16_t other = t->best == now ? t->second : t->best;

    if (t->verdict == TF_TURNS_CLEAR) {
        decide(x, now);
        return;
    }
    if (t->verdict != TF_TURNS_TIE || x->turn.said)
        return;
    x->turn.said = true;
    set_state(x->shared, TF_TURN_TIE, other);
    if (x->setup->options.log)
        tf_log(
            TF_LOG_WARNING, x->setup->camera,
            "rotate=auto: rotate=%u and rotate=%u fit the faces alike; the picture stays at rotate=%u: say "
            "which it is",
            t->best, t->second, now);
}

static void watch(struct tf_inference *x, uint16_t now)
{
    struct tf_turns *t = &x->turn.turns;
    uint16_t best = t->best;
    int before = atomic_load(&x->shared->turn.better);

    if (t->verdict != TF_TURNS_CLEAR)
        return;
    /* The next verdict comes from what is seen from here on: somebody may turn the camera. */
    tf_turns_reset(t);
    x->turn.settled = best;
    if (best == now) {
        atomic_store(&x->shared->turn.better, -1);
        set_state(x->shared, TF_TURN_CONFIGURED, 0);
        if (before >= 0 && x->setup->options.log)
            tf_log(TF_LOG_NOTICE, x->setup->camera, "faces stand upright again with rotate=%u", now);
        return;
    }
    atomic_store(&x->shared->turn.better, best);
    set_state(x->shared, TF_TURN_WRONG, best);
    if (before != best && x->setup->options.log)
        tf_log(TF_LOG_WARNING, x->setup->camera,
               "faces do not stand upright with rotate=%u: rotate=%u fits clearly better, and until then "
               "what is "
               "measured is not what it is called",
               now, best);
}

void tf_turn_look(struct tf_inference *x, const struct tf_frame *frame)
{
    struct tf_turn_search *turn = &x->turn;
    bool watched = !turn->automatic;
    uint64_t every = watched && x->setup->live ? EVERY_WATCHED_NS : EVERY_NS;

    if (!x->analyser ||
        (watched ? turn->unwatched : !atomic_load_explicit(&x->shared->turn.open, memory_order_relaxed)))
        return;
    if (watched && tf_turns_resting(&turn->rest, &turn->turns, frame->t_mono_ns))
        return;
    if (x->setup->live && every < LOAD * turn->cost_ns)
        every = LOAD * turn->cost_ns;
    if (!read_due(x, frame, every))
        return;
    if (!watched) {
        find(x, frame->rotate);
        return;
    }
    watch(x, frame->rotate);
    /* A recording may be over before the next round: there the verdict is waited for. */
    tf_turns_may_rest(&turn->rest, &turn->turns, turn->settled, x->setup->live ? frame->rotate : -1,
                      frame->t_mono_ns);
}

void tf_turn_begin_anew(struct tf_inference *x)
{
    tf_turns_reset(&x->turn.turns);
    x->turn.rest = (struct tf_turns_rest){0};
    x->turn.settled = -1;
    x->turn.said = false;
    if (!x->turn.automatic)
        return;
    /* It stays as it was found until it is found otherwise. */
    atomic_store(&x->shared->turn.wanted, -1);
    atomic_store(&x->shared->turn.open, true);
    set_state(x->shared, TF_TURN_UNDECIDED, 0);
}
