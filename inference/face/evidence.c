/* How firmly a face's points are read, and what follows from that. */
#include <errno.h>
#include <math.h>

#include "inference/face/evidence.h"
#include "inference/face/heatmap.h"
#include "inference/face/metadata.h"
#include "inference/face/skin.h"
#include "inference/face/tracker.h"

#define TILT_RAD 0.3f
#define SHIFT_X 0.1f
#define SHIFT_Y 0.07f
/* Readings of a still face differ by about a hundredth of its size. */
#define APART_LEAST 0.001f
#define WARMER_LEAST_C (-1.0f)
/* Faces are warmer by 4 on the median. What is much warmer is no more a face for it: it may as well be a
 * lamp. */
#define WARMER_MOST_C 2.5f
#define WARMER_USUAL_C 2.0f
#define SCORE_LEAST 0.001f

static const char *const names[TF_EVIDENCE_TERMS] = {[TF_EVIDENCE_MIRROR] = "mirror",
                                                     [TF_EVIDENCE_TILT] = "tilt",
                                                     [TF_EVIDENCE_SHIFT] = "shift",
                                                     [TF_EVIDENCE_WARMER] = "warmer",
                                                     [TF_EVIDENCE_FINDER] = "finder"};

const char *tf_evidence_term_name(enum tf_evidence_term term)
{
    return names[term];
}

int tf_evidence_read_weights(const struct tf_engine *engine, const char *path,
                             struct tf_evidence_weights *ret, struct tf_error *err)
{
    const char *value = tf_engine_metadata(engine, "tf.evidence");
    struct tf_evidence_weights w = {.there = true};
    struct tf_meta_key keys[TF_EVIDENCE_TERMS + 1] = {{"bias", &w.bias, -1000, 1000, true}};
    int r;

    if (!value) {
        *ret = (struct tf_evidence_weights){0};
        return 0;
    }
    if (!tf_meta_is(value, "logistic"))
        return tf_fail(err, -EINVAL, "%s: metadata tf.evidence: '%s' does not begin with logistic", path,
                       value);
    for (int i = 0; i < TF_EVIDENCE_TERMS; i++)
        keys[1 + i] = (struct tf_meta_key){names[i], &w.weight[i], -1000, 1000, false};
    r = tf_meta_pairs(path, "tf.evidence", value, keys, TF_EVIDENCE_TERMS + 1, err);
    if (r == 0)
        *ret = w;
    return r;
}

/* Mean distance of two readings as a share of the longer side of the first one's box, without what all points
 * have in common where `shape`. */
static float apart(const struct tf_point a[TF_POINTS], const struct tf_point b[TF_POINTS], bool shape)
{
    float sum = 0, x = 0, y = 0, box[4];

    for (int k = 0; shape && k < TF_POINTS; k++) {
        x += (b[k].x - a[k].x) / TF_POINTS;
        y += (b[k].y - a[k].y) / TF_POINTS;
    }
    for (int k = 0; k < TF_POINTS; k++)
        sum += hypotf(b[k].x - a[k].x - x, b[k].y - a[k].y - y);
    tf_points_box(a, TF_POINTS, box);
    return logf(sum / TF_POINTS / fmaxf(fmaxf(box[2], box[3]), 1) + APART_LEAST);
}

static float warmer(const struct tf_view *view, const struct tf_radiometry *radiometry,
                    const struct tf_point points[TF_POINTS])
{
    struct tf_skin skin;

    if (!tf_skin_measure(view, radiometry, points, &skin) || !(skin.around < TF_SKIN_AROUND_WARM_C))
        return 0;
    return fmaxf(WARMER_LEAST_C, fminf(WARMER_MOST_C, skin.warm - skin.around)) - WARMER_USUAL_C;
}

static int measure(struct tf_landmarks *l, const struct tf_view *view, const struct tf_radiometry *radiometry,
                   const struct tf_window *window, struct tf_evidence *ret)
{
    struct tf_point first[TF_POINTS], other[TF_POINTS];
    struct tf_window moved = *window;
    const float c = cosf(TILT_RAD), s = sinf(TILT_RAD);
    int r = tf_landmarks_run_window(l, view, radiometry, window, first);

    if (r < 0 || (r = tf_landmarks_run_mirrored(l, window, other)) < 0)
        return r;
    ret->term[TF_EVIDENCE_MIRROR] = apart(first, other, true);
    moved.cos = window->cos * c - window->sin * s;
    moved.sin = window->sin * c + window->cos * s;
    r = tf_landmarks_run_window(l, view, radiometry, &moved, other);
    if (r < 0)
        return r;
    ret->term[TF_EVIDENCE_TILT] = apart(first, other, false);
    moved = *window;
    moved.cx += SHIFT_X * window->span_x;
    moved.cy += SHIFT_Y * window->span_y;
    r = tf_landmarks_run_window(l, view, radiometry, &moved, other);
    if (r == 0)
        ret->term[TF_EVIDENCE_SHIFT] = apart(first, other, false);
    return r;
}

int tf_evidence_measure(struct tf_landmarks *landmarks, const struct tf_view *view,
                        const struct tf_radiometry *radiometry, const struct tf_point points[TF_POINTS],
                        float score, struct tf_evidence *ret)
{
    struct tf_window window = tf_track_window(points, landmarks->net.crop_scale);
    bool mirror = landmarks->mirror;
    int r;

    /* Single readings are compared, not means of two. */
    landmarks->mirror = false;
    r = measure(landmarks, view, radiometry, &window, ret);
    landmarks->mirror = mirror;
    if (r < 0)
        return r;
    score = fmaxf(SCORE_LEAST, fminf(1 - SCORE_LEAST, score));
    ret->term[TF_EVIDENCE_FINDER] = logf(score / (1 - score));
    ret->term[TF_EVIDENCE_WARMER] = warmer(view, radiometry, points);
    return 0;
}

float tf_evidence_odds(const struct tf_evidence_weights *weights, const struct tf_evidence *evidence)
{
    float sum = weights->bias;

    for (int i = 0; i < TF_EVIDENCE_TERMS; i++)
        sum += weights->weight[i] * evidence->term[i];
    return sum;
}
