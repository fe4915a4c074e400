/* The thermal camera's side of a pair: what the visible camera saw at about the same time, into the record.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/inference.h"

/* How often inference looks again while it waits. */
#define LOOK_NS 500000ull
/* A partner whose newest result is older than this is away: nobody waits for it. */
#define AWAY_NS TF_NS_PER_S
/* A partner's picture that lies on its side is waited for so long before it is called a mistake. */
#define TURN_NS 30000000000ull

/*
 * Until there is a result that is not older than this frame, after which none can be nearer. Only as long as
 * the configuration allows, and not at all while the partner is away or the pipeline ends.
 */
static void wait_for_partner(const struct tf_inference *x, uint64_t t_mono_ns)
{
    uint64_t end = tf_now_ns() + x->setup->pair.wait_ns, newest;

    for (;;) {
        const struct timespec step = {.tv_nsec = LOOK_NS};

        newest = tf_exchange_newest(x->setup->pair.exchange);
        if (newest >= t_mono_ns || newest + AWAY_NS < t_mono_ns || tf_now_ns() + LOOK_NS > end ||
            atomic_load_explicit(&x->shared->stopping, memory_order_relaxed))
            return;
        nanosleep(&step, NULL);
    }
}

/* Of a camera whose turn is still to be told from faces the sizes may be the wrong way round for a while. */
static bool may_turn(struct tf_inference *x, const struct tf_frame *frame)
{
    const struct tf_registration *g = x->setup->pair.registration;
    bool swapped = x->pair.partner.partner.width == g->visible_height &&
                   x->pair.partner.partner.height == g->visible_width;

    if (!x->pair.size_since_ns)
        x->pair.size_since_ns = frame->t_mono_ns;
    return atomic_load_explicit(&x->shared->turn.open, memory_order_relaxed) ||
           (swapped && frame->t_mono_ns - x->pair.size_since_ns < TURN_NS);
}

static void say_size(struct tf_inference *x, const struct tf_frame *frame)
{
    const struct tf_registration *g = x->setup->pair.registration;
    struct tf_error err = {0};

    if (x->pair.size_said || may_turn(x, frame))
        return;
    x->pair.size_said = true;
    tf_fail(
        &err, -EINVAL,
        "camera %s: the calibration is for pictures of %ux%u beside %ux%u of camera %s, but they have %ux%u "
        "and %ux%u: no points are mapped; calibrate again",
        x->setup->camera, g->thermal_width, g->thermal_height, g->visible_width, g->visible_height,
        x->setup->pair.partner, tf_frame_upright_width(frame), tf_frame_upright_height(frame),
        x->pair.partner.partner.width, x->pair.partner.partner.height);
    if (x->setup->options.log)
        tf_log(TF_LOG_ERROR, x->setup->camera, "%s", err.text);
}

void tf_pair_merge(struct tf_inference *x, const struct tf_frame *frame, struct tf_record *record)
{
    bool looked = record->state == TF_STATE_OK || record->state == TF_STATE_NO_FACE, there;

    if (x->setup->pair.wait_ns)
        wait_for_partner(x, record->t_mono_ns);
    there = tf_exchange_nearest(x->setup->pair.exchange, record->t_mono_ns, x->setup->pair.max_skew_ns,
                                &x->pair.partner);
    if (there) {
        record->pair.camera = x->setup->pair.partner;
        record->pair.frame = x->pair.partner.frame;
        record->pair.skew_us = (int64_t)(x->pair.partner.t_mono_ns - record->t_mono_ns) / 1000;
    }
    /* A closed shutter's picture has no temperatures, wherever the face is. */
    if (!looked)
        return;
    if (tf_pairing_merge(&x->pair.pairing, x->setup->pair.use, x->setup->pair.registration, x->analyser,
                         frame, there ? &x->pair.partner.partner : NULL, &record->faces) == -ERANGE)
        say_size(x, frame);
    record->state = record->faces.count ? TF_STATE_OK : TF_STATE_NO_FACE;
}
