/* Which face of this frame is which of the frames before. */
#include <math.h>
#include <stddef.h>

#include "inference/face/finder.h"
#include "inference/face/tracker.h"

#define LEVEL_RAD 0.0872665f /* 5 degrees */
#define TURN_MAX_RAD 0.785f  /* 45 degrees */

void tf_points_box(const struct tf_point *points, int count, float box[4])
{
    float x0 = points[0].x, y0 = points[0].y, x1 = x0, y1 = y0;

    for (int k = 1; k < count; k++) {
        x0 = fminf(x0, points[k].x);
        x1 = fmaxf(x1, points[k].x);
        y0 = fminf(y0, points[k].y);
        y1 = fmaxf(y1, points[k].y);
    }
    box[0] = x0;
    box[1] = y0;
    box[2] = x1 - x0;
    box[3] = y1 - y0;
}

float tf_points_confidence(const struct tf_point *points, int count)
{
    float sum = 0;

    for (int k = 0; k < count; k++)
        sum += points[k].confidence;
    return sum / (float)count;
}

static void mean_of(const struct tf_point *points, int first, int count, float *x, float *y)
{
    *x = *y = 0;
    for (int k = first; k < first + count; k++) {
        *x += points[k].x / (float)count;
        *y += points[k].y / (float)count;
    }
}

struct tf_window tf_track_window(const struct tf_point points[TF_POINTS], float scale)
{
    float rx, ry, lx, ly, angle, box[4];

    mean_of(points, 36, 6, &rx, &ry);
    mean_of(points, 42, 6, &lx, &ly);
    angle = atan2f(ly - ry, lx - rx);
    angle = angle > LEVEL_RAD ? angle - LEVEL_RAD : angle < -LEVEL_RAD ? angle + LEVEL_RAD : 0;
    angle = fmaxf(-TURN_MAX_RAD, fminf(TURN_MAX_RAD, angle));
    if (angle == 0) {
        tf_points_box(points, TF_POINTS, box);
        return tf_window_square(box, scale, 0);
    }

    /* The tight box along the turned axes, and its centre turned back. */
    float c = cosf(angle), s = sinf(angle);
    float u0 = INFINITY, v0 = INFINITY, u1 = -INFINITY, v1 = -INFINITY;
    for (int k = 0; k < TF_POINTS; k++) {
        float u = c * points[k].x + s * points[k].y, v = -s * points[k].x + c * points[k].y;

        u0 = fminf(u0, u);
        u1 = fmaxf(u1, u);
        v0 = fminf(v0, v);
        v1 = fmaxf(v1, v);
    }
    float side = scale * fmaxf(u1 - u0, v1 - v0), u = (u0 + u1) * 0.5f, v = (v0 + v1) * 0.5f;
    return (struct tf_window){
        .cx = c * u - s * v, .cy = s * u + c * v, .span_x = side, .span_y = side, .cos = c, .sin = s};
}

bool tf_points_plausible(const struct tf_point points[TF_POINTS], uint32_t width, uint32_t height)
{
    float rx, ry, lx, ly, mx, my, box[4];
    int inside = 0;

    for (int k = 0; k < TF_POINTS; k++) {
        if (!isfinite(points[k].x) || !isfinite(points[k].y))
            return false;
        inside += points[k].x >= -0.5f && points[k].y >= -0.5f && points[k].x <= (float)width - 0.5f &&
                  points[k].y <= (float)height - 0.5f;
    }
    tf_points_box(points, TF_POINTS, box);
    float side = fmaxf(box[2], box[3]);
    if (inside < TF_POINTS * 6 / 10 || side < 8 || fminf(box[2], box[3]) < 0.4f * side)
        return false;
    mean_of(points, 36, 6, &rx, &ry);
    mean_of(points, 42, 6, &lx, &ly);
    mean_of(points, 48, 12, &mx, &my);
    float ex = lx - rx, ey = ly - ry, eyes = hypotf(ex, ey);
    /* Full profiles bring the eyes together to about a sixth of the face's side. */
    if (eyes < 0.12f * side)
        return false;
    float cx = (rx + lx) * 0.5f, cy = (ry + ly) * 0.5f;
    float down_x = -ey / eyes, down_y = ex / eyes;
    float mouth = (mx - cx) * down_x + (my - cy) * down_y;
    float nose = (points[30].x - cx) * down_x + (points[30].y - cy) * down_y;
    return mouth > 0.2f * side && mouth < side && nose > 0 && nose < mouth;
}

bool tf_track_can_move(const float from[4], const float to[4], uint64_t dt_ns)
{
    float a = fmaxf(from[2], from[3]), b = fmaxf(to[2], to[3]);
    float dt = fminf((float)dt_ns * 1e-9f, 1.0f);
    float moved = hypotf(to[0] + to[2] * 0.5f - from[0] - from[2] * 0.5f,
                         to[1] + to[3] * 0.5f - from[1] - from[3] * 0.5f);

    /* Half a face within a frame, or six faces a second: a person stepping up to a slow camera. */
    return moved <= a * fmaxf(0.5f, 6.0f * dt) && b < a * 1.6f && a < b * 1.6f;
}

bool tf_same_face(const float a[4], const float b[4])
{
    float side = fminf(fmaxf(a[2], a[3]), fmaxf(b[2], b[3]));
    float d = hypotf(a[0] + a[2] * 0.5f - b[0] - b[2] * 0.5f, a[1] + a[3] * 0.5f - b[1] - b[3] * 0.5f);

    return tf_box_iou(a, b) > 0.35f || d < 0.3f * side;
}

struct tf_track *tf_track_slot(struct tf_track tracks[TF_TRACKS], const float box[4], uint64_t now_ns,
                               bool *known)
{
    struct tf_track *best = NULL, *free_slot = NULL, *oldest = NULL;
    float best_distance = INFINITY;

    *known = false;
    for (int i = 0; i < TF_TRACKS; i++) {
        struct tf_track *t = &tracks[i];

        if (t->live)
            continue;
        if (t->id != 0 && now_ns - t->seen_ns > TF_TRACK_MEMORY_NS)
            t->id = 0;
        if (t->id == 0) {
            free_slot = free_slot ? free_slot : t;
            continue;
        }
        if (!oldest || t->seen_ns < oldest->seen_ns)
            oldest = t;
        float side = fmaxf(t->box[2], t->box[3]);
        float d = hypotf(box[0] + box[2] * 0.5f - t->box[0] - t->box[2] * 0.5f,
                         box[1] + box[3] * 0.5f - t->box[1] - t->box[3] * 0.5f);
        float ratio = fmaxf(box[2], box[3]) / side;
        if (d < side && d < best_distance && ratio > 0.5f && ratio < 2.0f) {
            best = t;
            best_distance = d;
        }
    }
    if (best) {
        *known = true;
        return best;
    }
    return free_slot ? free_slot : oldest;
}

void tf_tracks_drop_duplicates(struct tf_track tracks[TF_TRACKS])
{
    for (int i = 0; i < TF_TRACKS; i++) {
        for (int k = i + 1; k < TF_TRACKS; k++) {
            struct tf_track *x = &tracks[i], *y = &tracks[k];

            if (!x->live || !y->live || !tf_same_face(x->box, y->box))
                continue;
            bool keep_x = x->unconfirmed != y->unconfirmed ? x->unconfirmed < y->unconfirmed : x->id < y->id;
            (keep_x ? y : x)->live = false;
        }
    }
}
