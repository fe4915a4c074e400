/* Reading the landmarks of a face: of one that is followed, and of one that was found. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "inference/face/analyser.h"

/* A followed face may be a little smaller than a new one. */
#define SIZE_MIN_FOLLOWED 16
/* A second reading may be that much less confident: its window is the one that following goes on with. */
#define AGAIN_SLACK 0.05f
/* A followed face that moved, or grew, by that share of its box since the last frame is read once more, in
 * the window of the points so found: at a quarter its edge leaves the window. */
#define MOVED 0.2f

#define STARTS_FOUND 3 /* besides the first, for a new face of a camera */

const struct tf_start tf_starts[TF_STARTS] = {{0, 1},     {-0.15f, 1},    {0, 1.2f},  {-0.3f, 1},
                                              {0, 0.85f}, {-0.15f, 1.2f}, {0.15f, 1}, {-0.3f, 1.2f}};

static int run_landmarks(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                         const struct tf_window *window, struct tf_point points[TF_POINTS])
{
    uint64_t start = tf_now_ns();
    int r = tf_landmarks_run_window(a->landmarks, view, &frame->radiometry, window, points);

    if (r == 0) {
        a->times.normalise_ns += a->landmarks->net.sample_ns;
        a->times.landmarks_ns += tf_now_ns() - start - a->landmarks->net.sample_ns;
    }
    return r;
}

/* The last reading's result: kept when it is a face at all. */
static bool accept(const struct tf_analyser *a, const struct tf_view *view,
                   const struct tf_point points[TF_POINTS], float *confidence)
{
    *confidence = a->landmarks->firmness;
    return *confidence >= a->options.score_min && tf_points_plausible(points, view->width, view->height);
}

void tf_analyser_update(struct tf_track *t, const struct tf_point points[TF_POINTS], float confidence)
{
    memcpy(t->points, points, sizeof(t->points));
    tf_points_box(points, TF_POINTS, t->box);
    t->confidence = confidence;
}

static bool moved(const struct tf_window *from, const struct tf_window *to, float scale)
{
    float side = to->span_x / scale;

    return hypotf(to->cx - from->cx, to->cy - from->cy) > MOVED * side ||
           fabsf(to->span_x - from->span_x) > MOVED * from->span_x;
}

/* Reads points once more in their own window, which is where a followed face is looked at, and takes what is
 * found there unless it is less sure. */
static int read_again(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                      const struct tf_window *own, struct tf_point points[TF_POINTS], float *confidence)
{
    struct tf_point again[TF_POINTS];
    float second;
    int r = run_landmarks(a, view, frame, own, again);

    if (r < 0)
        return r == -EINVAL ? 0 : r;
    if (accept(a, view, again, &second) && second >= *confidence - AGAIN_SLACK) {
        memcpy(points, again, sizeof(again));
        *confidence = second;
    }
    return 0;
}

int tf_analyser_follow(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                       bool *lost)
{
    struct tf_point points[TF_POINTS];
    float confidence, box[4];

    *lost = false;
    for (int i = 0; i < TF_TRACKS; i++) {
        struct tf_track *t = &a->tracks[i];

        if (!t->live)
            continue;
        t->fresh = false;
        struct tf_window window = tf_track_window(t->points, a->landmarks->net.crop_scale);
        int r = run_landmarks(a, view, frame, &window, points);
        if (r < 0 && r != -EINVAL)
            return r;
        if (r == 0 && accept(a, view, points, &confidence)) {
            struct tf_window own = tf_track_window(points, a->landmarks->net.crop_scale);
            /* It lies off the middle of the window, or fills it otherwise than the network is used to. A face
             * that sits still costs nothing more. */
            if (moved(&window, &own, a->landmarks->net.crop_scale)) {
                r = read_again(a, view, frame, &own, points, &confidence);
                if (r < 0)
                    return r;
            }
            tf_points_box(points, TF_POINTS, box);
            if (fmaxf(box[2], box[3]) >= SIZE_MIN_FOLLOWED &&
                tf_track_can_move(t->box, box, frame->t_mono_ns - t->seen_ns)) {
                tf_analyser_update(t, points, confidence);
                continue;
            }
        }
        t->live = false;
        *lost = true;
    }
    return 0;
}

int tf_analyser_from_start(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                           const float found[4], const struct tf_start *start,
                           struct tf_point points[TF_POINTS], float *confidence)
{
    const float box[4] = {found[0], found[1] + start->down * found[3], found[2], found[3]};
    struct tf_window window = tf_window_square(box, a->landmarks->net.crop_scale * start->scale, 0);
    int r = run_landmarks(a, view, frame, &window, points);

    if (r < 0)
        return r == -EINVAL ? 0 : r;
    *confidence = a->landmarks->firmness;
    if (!tf_points_plausible(points, view->width, view->height))
        return 0;
    window = tf_track_window(points, a->landmarks->net.crop_scale);
    r = read_again(a, view, frame, &window, points, confidence);
    return r < 0 ? r : 1;
}

int tf_analyser_from_box(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                         const float box[4], struct tf_point points[TF_POINTS], float *confidence)
{
    struct tf_point other[TF_POINTS];
    uint32_t more = !a->options.track ? TF_STARTS - 1 : a->thorough ? STARTS_FOUND : 0;
    float c;
    int r = tf_analyser_from_start(a, view, frame, box, &tf_starts[0], points, confidence);

    if (r < 0)
        return r;
    if (r == 0)
        *confidence = 0;
    for (uint32_t i = 0; i < more && *confidence < TF_FACE_SURE; i++) {
        const struct tf_start *start =
            &tf_starts[1 + (a->options.track ? a->next_start++ : i) % (TF_STARTS - 1)];

        r = tf_analyser_from_start(a, view, frame, box, start, other, &c);
        if (r < 0)
            return r;
        if (r > 0 && c > *confidence) {
            memcpy(points, other, sizeof(other));
            *confidence = c;
        }
    }
    return *confidence >= a->options.score_min;
}
