/* Looking for faces: which of the finder's boxes are known, which are new, and when to look again. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "inference/face/analyser.h"
#include "inference/face/skin.h"

/* The finder looks for new faces, and looks after the known ones, that often. */
#define FIND_EVERY_NS 100000000ull
#define SLACK_NS 5000000ull /* a frame that comes a moment early still counts */
/* So many boxes beyond faces_max are tried in a look: clutter must not make a frame late. */
#define TRIES_SPARE 2
/* A followed face that the finder did not see in so many looks, although the face is weak, or in so many at
 * all, is dropped. */
#define LOOKS_WEAK 3
/* While the finder sees all followed faces, every so many looks see another part of the values, for who may
 * come. */
#define LOOKS_OTHER 5
#define LOOKS_ANY 10
#define WEAK 0.75f
/* A new face that the finder is not sure of is taken when the landmarks are. */
#define FOUND_SURE 0.55f
#define FOUND_CONFIDENCE 0.7f
/* A followed face changes over to another start's points when they are that much more confident. */
#define CHANGE_GAIN 0.02f
/* Below this overlap with the finder's box a followed face is tried again from that box. */
#define DRIFT_IOU 0.5f

static struct tf_track *track_of_box(struct tf_analyser *a, const float box[4])
{
    struct tf_track *best = NULL;
    float best_iou = -1;

    for (int i = 0; i < TF_TRACKS; i++) {
        struct tf_track *t = &a->tracks[i];

        if (!t->live || !tf_same_face(t->box, box))
            continue;
        float iou = tf_box_iou(t->box, box);
        if (iou > best_iou) {
            best = t;
            best_iou = iou;
        }
    }
    return best;
}

static uint32_t live_count(const struct tf_analyser *a)
{
    uint32_t n = 0;

    for (int i = 0; i < TF_TRACKS; i++)
        n += a->tracks[i].live;
    return n;
}

/*
 * A followed face that the landmarks are not sure of, or that lies off the finder's box, is tried from
 * another start, one a look in turn: what the network once took for eyes it would otherwise go on following.
 */
static int second_opinion(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                          const float box[4], struct tf_track *t)
{
    struct tf_point points[TF_POINTS];
    bool off = tf_box_iou(t->box, box) < DRIFT_IOU;
    float confidence;
    int r;

    if (t->confidence >= TF_FACE_SURE && !off)
        return 0;
    r = tf_analyser_from_start(a, view, frame, box, &tf_starts[a->next_start++ % TF_STARTS], points,
                               &confidence);
    if (r > 0 && confidence >= a->options.score_min && confidence > t->confidence + (off ? 0 : CHANGE_GAIN))
        tf_analyser_update(t, points, confidence);
    return r < 0 ? r : 0;
}

/* Whether points lie on what can be skin, as far as the camera's °C tell. */
static bool can_be_skin(const struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                        const struct tf_point points[TF_POINTS])
{
    const struct tf_radiometry *r = &frame->radiometry;
    struct tf_skin skin;

    return !tf_skin_measure(view, r, points, &skin) ||
           tf_skin_possible(&skin, a->finder->scene * r->scale + r->offset);
}

static int take_found(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                      const struct tf_found *found)
{
    struct tf_track *t = track_of_box(a, found->box);
    struct tf_point points[TF_POINTS];
    float confidence, box[4], trust;
    bool known;
    int r;

    if (t && t->confirmed)
        return 0;
    if (t) {
        t->confirmed = true;
        if (t->fresh)
            return 0;
        r = second_opinion(a, view, frame, found->box, t);
        if (r == 0)
            r = tf_analyser_doubts(a, view, frame, found->score, t);
        if (r > 0) {
            t->live = false;
            t->id = 0;
        }
        return r < 0 ? r : 0;
    }
    if (live_count(a) >= a->options.faces_max || a->tries++ >= a->options.faces_max + TRIES_SPARE)
        return 0;
    r = tf_analyser_from_box(a, view, frame, found->box, points, &confidence);
    if (r <= 0 || !can_be_skin(a, view, frame, points))
        return r < 0 ? r : 0;
    tf_points_box(points, TF_POINTS, box);
    if (fmaxf(box[2], box[3]) < TF_FACE_SIZE_MIN ||
        (found->score < FOUND_SURE && confidence < FOUND_CONFIDENCE))
        return 0;
    /* The points may have slid onto a face that is known. */
    if (track_of_box(a, box))
        return 0;
    t = tf_track_slot(a->tracks, box, frame->t_mono_ns, &known);
    if (!t)
        return 0;
    r = tf_analyser_believes(a, view, frame, points, box, found->score, known ? t : NULL, &trust);
    if (r <= 0)
        return r;
    if (!known) {
        memset(t, 0, sizeof(*t));
        tf_breathing_reset(&t->breathing);
        t->id = a->next_id++;
    }
    tf_analyser_update(t, points, confidence);
    t->live = t->fresh = t->confirmed = true;
    t->score = found->score;
    t->trust = fmaxf(trust, known ? t->trust : trust);
    t->doubted_ns = frame->t_mono_ns;
    return 0;
}

static bool unconfirmed(const struct tf_analyser *a)
{
    for (int i = 0; i < TF_TRACKS; i++)
        if (a->tracks[i].live && a->tracks[i].unconfirmed > 0)
            return true;
    return false;
}

int tf_analyser_look(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame)
{
    uint64_t start = tf_now_ns();
    enum tf_finder_care care = TF_FINDER_ONE;
    int count, r;

    a->thorough = a->thorough_ns == 0 || frame->t_mono_ns < a->thorough_ns ||
                  frame->t_mono_ns - a->thorough_ns + SLACK_NS >= FIND_EVERY_NS;
    if (a->thorough)
        a->thorough_ns = frame->t_mono_ns;
    if (a->thorough)
        care = live_count(a) == 0                                ? TF_FINDER_ALL
               : unconfirmed(a) || a->looks++ % LOOKS_OTHER == 0 ? TF_FINDER_ONE_MORE
                                                                 : TF_FINDER_ONE;
    count = tf_finder_run(a->finder, view, &frame->radiometry, care, a->found);
    if (count < 0)
        return count;
    a->times.normalise_ns += a->finder->net.sample_ns;
    a->times.finder_ns += tf_now_ns() - start - a->finder->net.sample_ns;
    a->since_look = 0;
    a->look_ns = frame->t_mono_ns;
    a->tries = 0;
    for (int i = 0; i < TF_TRACKS; i++)
        a->tracks[i].confirmed = false;
    for (int i = 0; i < count; i++) {
        r = take_found(a, view, frame, &a->found[i]);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < TF_TRACKS; i++) {
        struct tf_track *t = &a->tracks[i];

        if (!t->live)
            continue;
        t->confirmed = t->confirmed && (t->fresh || can_be_skin(a, view, frame, t->points));
        t->unconfirmed = t->confirmed ? 0 : t->unconfirmed + 1;
        if (t->unconfirmed >= LOOKS_ANY || (t->unconfirmed >= LOOKS_WEAK && t->confidence < WEAK))
            t->live = false;
    }
    return 0;
}

bool tf_analyser_time_to_look(const struct tf_analyser *a, const struct tf_frame *frame, bool lost)
{
    if (!a->options.track || lost || live_count(a) == 0 || a->look_ns == 0)
        return true;
    if (a->options.find_every > 0)
        return a->since_look >= a->options.find_every;
    return frame->t_mono_ns < a->look_ns || frame->t_mono_ns - a->look_ns + SLACK_NS >= FIND_EVERY_NS;
}
