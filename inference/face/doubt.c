/* The second look: when what was found is reported, and when what is followed has turned out to be none.
 * docs/landmarks.md explains the rules. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "inference/face/analyser.h"

/* Log odds from which on something new is a face at once, and their mean from which on it is one when several
 * frames say so. What stands still says the same again and again, so they are not summed up. */
#define SURE 3.0f
#define SURE_TOGETHER 1.5f
/* What a look changes of the mean. */
#define RENEWED 0.5f
/* And in a single picture, which has no other frames. */
#define SURE_SINGLE (-2.0f)
/* Frames that come quickly tell less each: what they say counts in full once in that time. */
#define FULL_NS 100000000ull
/* Something new that was not found again for so long is forgotten; so many frames are always waited for. */
#define FORGET_NS 300000000ull
#define FORGET_FRAMES 3
/* A face that has reached so much is not doubted any more, however it turns; one that has fallen to that much
 * is none. */
#define TRUSTED 8.0f
#define NONE (-2.0f)
/* No single look says more than that. */
#define LOOK_MOST 4.0f
/* A face that was trusted, was lost and is found again a moment later. */
#define SURE_AGAIN (-3.0f)

static int odds_of(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                   const struct tf_point points[TF_POINTS], float score, float *ret)
{
    uint64_t start = tf_now_ns();
    struct tf_evidence evidence;
    int r = tf_evidence_measure(a->landmarks, view, &frame->radiometry, points, score, &evidence);

    a->times.landmarks_ns += tf_now_ns() - start;
    if (r == 0)
        *ret = tf_evidence_odds(&a->landmarks->evidence, &evidence);
    /* Points of which nothing lies in the picture are no face. */
    if (r == -EINVAL) {
        *ret = -LOOK_MOST;
        r = 0;
    }
    return r;
}

static float share(uint64_t since_ns)
{
    return fminf(1, (float)since_ns / (float)FULL_NS);
}

/* The entry of what lies there, else one that is free or the longest not seen. */
static struct tf_doubt *doubt_at(struct tf_analyser *a, const float box[4], uint64_t now_ns, bool *known)
{
    uint64_t memory = a->interval_ns * FORGET_FRAMES > FORGET_NS ? a->interval_ns * FORGET_FRAMES : FORGET_NS;
    struct tf_doubt *oldest = &a->doubts[0];

    *known = true;
    for (int i = 0; i < TF_DOUBTS; i++) {
        struct tf_doubt *d = &a->doubts[i];

        if (d->seen_ns != 0 && now_ns - d->seen_ns > memory)
            d->seen_ns = 0;
        if (d->seen_ns != 0 && d->seen_ns != now_ns && tf_same_face(d->box, box))
            return d;
        if (d->seen_ns < oldest->seen_ns)
            oldest = d;
    }
    *known = false;
    return oldest;
}

int tf_analyser_believes(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                         const struct tf_point points[TF_POINTS], const float box[4], float score,
                         const struct tf_track *before, float *trust)
{
    uint64_t now = frame->t_mono_ns;
    float odds = 0;
    bool known;
    int r;

    *trust = TRUSTED;
    if (!a->landmarks->evidence.there)
        return 1;
    r = odds_of(a, view, frame, points, score, &odds);
    if (r < 0)
        return r;
    if (!a->options.track)
        return odds >= SURE_SINGLE;
    if (before && before->trust >= TRUSTED && odds >= SURE_AGAIN)
        return 1;
    struct tf_doubt *d = doubt_at(a, box, now, &known);
    float seen = fmaxf(-LOOK_MOST, fminf(LOOK_MOST, odds));
    *trust = known ? d->odds + (seen - d->odds) * RENEWED * share(now - d->seen_ns) : seen;
    *d = (struct tf_doubt){.odds = *trust, .seen_ns = now, .looks = known ? d->looks + 1 : 1};
    memcpy(d->box, box, sizeof(d->box));
    if (odds < SURE && (d->looks < 2 || *trust < SURE_TOGETHER))
        return 0;
    d->seen_ns = 0;
    return 1;
}

int tf_analyser_doubts(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                       float score, struct tf_track *t)
{
    float odds = 0;
    int r;

    if (!a->landmarks->evidence.there || t->trust >= TRUSTED)
        return 0;
    r = odds_of(a, view, frame, t->points, score, &odds);
    if (r < 0)
        return r;
    odds = fmaxf(-LOOK_MOST, fminf(LOOK_MOST, odds));
    t->trust += odds * share(frame->t_mono_ns - t->doubted_ns);
    t->doubted_ns = frame->t_mono_ns;
    return t->trust < NONE;
}
