/* The camera's analyser: finder, landmarks and tracks joined into the faces of a frame. docs/landmarks.md
 * explains the rules. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "inference/face/faults.h"
#include "inference/face/finder.h"
#include "inference/face/heatmap.h"
#include "inference/face/skin.h"
#include "inference/face/tracker.h"
#include "inference/face/upright.h"
#include "inference/face/segment.h"

#define FACES_DEFAULT 4
#define SCORE_MIN_DEFAULT 0.5f
#define PICTURE_MIN 32

/* TF_MIRROR_AUTO: faces are read twice where frames come at least so far apart, and once where they come
 * nearer; in between it stays as it is. */
#define MIRROR_ON_NS 30000000ull
#define MIRROR_OFF_NS 25000000ull

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
/* Below this overlap with the finder's box a followed face is tried again from that box. */
#define DRIFT_IOU 0.5f

/* Longer side of a face's box, pixels: none of a smaller one's regions has enough of them. A followed one may
 * be a little smaller. */
#define SIZE_MIN 18
#define SIZE_MIN_FOLLOWED 16
/* A new face that the finder is not sure of is taken when the landmarks are. */
#define FOUND_SURE 0.55f
#define FOUND_CONFIDENCE 0.7f

/* From here on the landmarks need no second opinion. */
#define SURE 0.9f
/* A second reading may be that much less confident: its window is the one that following goes on with. */
#define AGAIN_SLACK 0.05f
/* A followed face that moved, or grew, by that share of its box since the last frame is read once more, in
 * the window of the points so found: at a quarter its edge leaves the window. */
#define MOVED 0.2f
/* A followed face changes over to another start's points when they are that much more confident. */
#define CHANGE_GAIN 0.02f

/*
 * Where else around the finder's box the landmarks are tried: moved down by a share of its height, and with a
 * larger or smaller window. On thermal faces the finder errs downwards most (warm necks, cold hair), so most
 * starts look higher.
 */
static const struct start {
    float down, scale;
} starts[] = {{0, 1},     {-0.15f, 1},    {0, 1.2f},  {-0.3f, 1},
              {0, 0.85f}, {-0.15f, 1.2f}, {0.15f, 1}, {-0.3f, 1.2f}};
#define STARTS TF_COUNT(starts)
#define STARTS_FOUND 3 /* besides the first, for a new face of a camera */

struct tf_analyser {
    struct tf_landmarks *landmarks;
    struct tf_finder *finder;
    struct tf_segmenter *segmenter; /* or NULL */
    uint8_t part_of_class[TF_SEGMENT_CLASSES_MAX];
    struct tf_analyser_options options;
    struct tf_track tracks[TF_TRACKS];
    struct tf_found found[TF_FINDER_MAX];
    uint32_t next_id;
    uint32_t since_look;  /* frames */
    uint32_t looks;       /* thorough ones, while somebody is followed */
    uint32_t next_start;  /* which of the starts has its turn */
    uint64_t look_ns;     /* capture time of the last look; 0 = none */
    uint64_t thorough_ns; /* and of the last that tried more than one start */
    bool thorough;        /* this look does */
    uint32_t tries;       /* new faces tried in this look */
    uint64_t last_ns;     /* capture time of the last frame looked at; 0 = none */
    uint64_t interval_ns; /* between frames, as a running mean; 0 = not known yet */
    struct tf_faults faults;
    struct tf_upright_memory upright;
    uint16_t rotate; /* of the last frame looked at */
    bool flip;
    struct tf_analyser_times times;
};

static const char *const mirror_names[] = {
    [TF_MIRROR_AUTO] = "auto", [TF_MIRROR_NO] = "no", [TF_MIRROR_YES] = "yes"};

const char *tf_mirror_name(enum tf_mirror mirror)
{
    return mirror_names[mirror];
}

bool tf_mirror_parse(const char *text, enum tf_mirror *ret)
{
    for (int i = 0; i <= TF_MIRROR_YES; i++) {
        if (strcmp(text, mirror_names[i]) == 0) {
            *ret = (enum tf_mirror)i;
            return true;
        }
    }
    return false;
}

static bool mirror_at_first(const struct tf_analyser_options *o)
{
    return o->mirror == TF_MIRROR_YES || (o->mirror == TF_MIRROR_AUTO && !o->track);
}

static int model_path(const char *given, const char *models, const char *name, char *path, size_t size,
                      struct tf_error *err)
{
    int n;

    if (!given && !models)
        return tf_fail(err, -EINVAL, "no model folder and no file for %s given", name);
    n = given ? snprintf(path, size, "%s", given) : snprintf(path, size, "%s/%s", models, name);
    if (n < 0 || (size_t)n >= size)
        return tf_fail(err, -ENAMETOOLONG, "the path of %s is longer than %zu characters", name, size - 1);
    return 0;
}

static int check_options(const struct tf_analyser_options *o, struct tf_error *err)
{
    if (o->faces_max > TF_FACES_MAX)
        return tf_fail(err, -EINVAL, "faces_max is %u; at most %d faces are followed", o->faces_max,
                       TF_FACES_MAX);
    if ((unsigned)o->mirror > TF_MIRROR_YES)
        return tf_fail(err, -EINVAL, "mirror is %u; it must be one of enum tf_mirror", (unsigned)o->mirror);
    if (o->region_masks && !o->segmentation)
        return tf_fail(err, -EINVAL, "region masks need a segmentation network");
    if (!(o->score_min >= 0 && o->score_min < 1))
        return tf_fail(err, -EINVAL, "score_min is %g; it must be from 0 to below 1", (double)o->score_min);
    if (!(o->filter_min_cutoff >= 0 && o->filter_min_cutoff <= 1000) ||
        !(o->filter_beta >= 0 && o->filter_beta <= 10000))
        return tf_fail(err, -EINVAL,
                       "filter_min_cutoff %g or filter_beta %g is out of its limits (0 to 1000, 0 to 10000)",
                       (double)o->filter_min_cutoff, (double)o->filter_beta);
    return 0;
}

static int open_segmenter(struct tf_analyser *a, const struct tf_analyser_options *o, struct tf_error *err)
{
    const struct tf_segmenter_info *info;
    int r = tf_segmenter_open(o->segmentation, o->threads, o->cpu, &a->segmenter, err);

    if (r < 0)
        return r;
    info = tf_segmenter_info(a->segmenter);
    if (info->width > TF_MASK_SIDE_MAX || info->height > TF_MASK_SIDE_MAX)
        return tf_fail(err, -EINVAL, "%s: a class map of %u x %u; the service takes up to %d x %d",
                       o->segmentation, info->width, info->height, TF_MASK_SIDE_MAX, TF_MASK_SIDE_MAX);
    for (uint32_t c = 0; c < info->classes; c++) {
        int part = 0;

        while (part < TF_PARTS && strcmp(tf_part_name((enum tf_part)part), info->names[c]) != 0)
            part++;
        if (part == TF_PARTS)
            return tf_fail(
                err, -EINVAL,
                "%s: metadata tf.classes: '%s' is none of background, skin, brows, eyes, nose, mouth",
                o->segmentation, info->names[c]);
        a->part_of_class[c] = (uint8_t)part;
    }
    return 0;
}

int tf_analyser_create(const struct tf_analyser_options *options, struct tf_analyser **ret,
                       struct tf_error *err)
{
    struct tf_analyser *a;
    char path[4096];
    int r = check_options(options, err);

    if (r < 0)
        return r;
    a = calloc(1, sizeof(*a));
    if (!a)
        return tf_fail(err, -ENOMEM, "out of memory");
    a->options = *options;
    /* The caller's strings are needed here only. */
    a->options.models = a->options.landmarks = a->options.finder = a->options.cpu = NULL;
    a->options.segmentation = NULL;
    a->next_id = 1;
    if (a->options.faces_max == 0)
        a->options.faces_max = FACES_DEFAULT;
    if (a->options.score_min == 0)
        a->options.score_min = SCORE_MIN_DEFAULT;
    if (a->options.filter_min_cutoff == 0)
        a->options.filter_min_cutoff = TF_FILTER_MIN_CUTOFF;
    if (a->options.filter_beta == 0)
        a->options.filter_beta = TF_FILTER_BETA;

    r = model_path(options->landmarks, options->models, "landmarks68.onnx", path, sizeof(path), err);
    if (r == 0)
        r = tf_landmarks_open(path, options->threads, options->cpu, &a->landmarks, err);
    if (r < 0)
        goto fail;
    if (a->landmarks->points != TF_POINTS || strcmp(a->landmarks->order, "ibug68") != 0) {
        r = tf_fail(err, -EINVAL,
                    "%s: metadata tf.points is %u and tf.order '%s'; the service needs 68 in ibug68", path,
                    a->landmarks->points, a->landmarks->order);
        goto fail;
    }
    r = tf_network_keep_mirrored(&a->landmarks->net); /* also for tf_analyser_read_turn */
    if (r < 0) {
        tf_fail(err, r, "out of memory");
        goto fail;
    }
    a->landmarks->mirror = mirror_at_first(options);
    r = model_path(options->finder, options->models, "finder.onnx", path, sizeof(path), err);
    if (r == 0)
        r = tf_finder_open(path, options->threads, options->cpu, &a->finder, err);
    if (r == 0 && options->segmentation)
        r = open_segmenter(a, options, err);
    if (r < 0)
        goto fail;
    *ret = a;
    return 0;
fail:
    tf_analyser_destroy(a);
    return r;
}

void tf_analyser_destroy(struct tf_analyser *analyser)
{
    if (!analyser)
        return;
    tf_landmarks_close(analyser->landmarks);
    tf_finder_close(analyser->finder);
    tf_segmenter_close(analyser->segmenter);
    free(analyser);
}

struct tf_analyser_times tf_analyser_times(const struct tf_analyser *analyser)
{
    return analyser->times;
}

void tf_analyser_reset(struct tf_analyser *analyser)
{
    memset(analyser->tracks, 0, sizeof(analyser->tracks));
    analyser->look_ns = analyser->thorough_ns = analyser->last_ns = 0;
    analyser->interval_ns = 0;
    analyser->landmarks->mirror = mirror_at_first(&analyser->options);
    analyser->since_look = analyser->next_start = analyser->looks = 0;
    tf_finder_reset(analyser->finder);
    tf_faults_reset(&analyser->faults);
}

const struct tf_faults *tf_analyser_faults(const struct tf_analyser *analyser)
{
    return &analyser->faults;
}

uint32_t tf_analyser_next_id(const struct tf_analyser *analyser)
{
    return analyser->next_id;
}

void tf_analyser_set_next_id(struct tf_analyser *analyser, uint32_t id)
{
    analyser->next_id = id;
}

uint32_t tf_analyser_take_id(struct tf_analyser *analyser)
{
    return analyser->next_id++;
}

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

/* A pass's result: kept when it is a face at all. */
static bool accept(const struct tf_analyser *a, const struct tf_view *view,
                   const struct tf_point points[TF_POINTS], float *confidence)
{
    *confidence = tf_points_confidence(points, TF_POINTS);
    return *confidence >= a->options.score_min && tf_points_plausible(points, view->width, view->height);
}

static void update(struct tf_track *t, const struct tf_point points[TF_POINTS], float confidence)
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

/* Every face in view from where it was. Returns whether one was lost. */
static int follow(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame, bool *lost)
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
                update(t, points, confidence);
                continue;
            }
        }
        t->live = false;
        *lost = true;
    }
    return 0;
}

/*
 * Landmarks from one start: once in the square of that box, once more in the window of the points so found,
 * which is where a followed face would be looked at. Returns 1 when the points can be a face, with their
 * confidence.
 */
static int landmarks_from_start(struct tf_analyser *a, const struct tf_view *view,
                                const struct tf_frame *frame, const float found[4], const struct start *start,
                                struct tf_point points[TF_POINTS], float *confidence)
{
    const float box[4] = {found[0], found[1] + start->down * found[3], found[2], found[3]};
    struct tf_window window = tf_window_square(box, a->landmarks->net.crop_scale * start->scale, 0);
    int r = run_landmarks(a, view, frame, &window, points);

    if (r < 0)
        return r == -EINVAL ? 0 : r;
    *confidence = tf_points_confidence(points, TF_POINTS);
    if (!tf_points_plausible(points, view->width, view->height))
        return 0;
    window = tf_track_window(points, a->landmarks->net.crop_scale);
    r = read_again(a, view, frame, &window, points, confidence);
    return r < 0 ? r : 1;
}

/*
 * Landmarks of a face that the finder just saw: from its box, and while they are not sure, from other starts
 * around it; the most confident win. Single pictures get every start. A camera gets a few ten times
 * a second, others each time, so that one frame never costs much and something that is no face costs little.
 * Returns 1 when it is a face.
 */
static int landmarks_from_box(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                              const float box[4], struct tf_point points[TF_POINTS], float *confidence)
{
    struct tf_point other[TF_POINTS];
    uint32_t more = !a->options.track ? STARTS - 1 : a->thorough ? STARTS_FOUND : 0;
    float c;
    int r = landmarks_from_start(a, view, frame, box, &starts[0], points, confidence);

    if (r < 0)
        return r;
    if (r == 0)
        *confidence = 0;
    for (uint32_t i = 0; i < more && *confidence < SURE; i++) {
        const struct start *start = &starts[1 + (a->options.track ? a->next_start++ : i) % (STARTS - 1)];

        r = landmarks_from_start(a, view, frame, box, start, other, &c);
        if (r < 0)
            return r;
        if (r > 0 && c > *confidence) {
            memcpy(points, other, sizeof(other));
            *confidence = c;
        }
    }
    return *confidence >= a->options.score_min;
}

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

    if (t->confidence >= SURE && !off)
        return 0;
    r = landmarks_from_start(a, view, frame, box, &starts[a->next_start++ % STARTS], points, &confidence);
    if (r > 0 && confidence >= a->options.score_min && confidence > t->confidence + (off ? 0 : CHANGE_GAIN))
        update(t, points, confidence);
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
    float confidence, box[4];
    bool known;
    int r;

    if (t && t->confirmed)
        return 0;
    if (t) {
        t->confirmed = true;
        return t->fresh ? 0 : second_opinion(a, view, frame, found->box, t);
    }
    if (live_count(a) >= a->options.faces_max || a->tries++ >= a->options.faces_max + TRIES_SPARE)
        return 0;
    r = landmarks_from_box(a, view, frame, found->box, points, &confidence);
    if (r <= 0 || !can_be_skin(a, view, frame, points))
        return r < 0 ? r : 0;
    tf_points_box(points, TF_POINTS, box);
    if (fmaxf(box[2], box[3]) < SIZE_MIN || (found->score < FOUND_SURE && confidence < FOUND_CONFIDENCE))
        return 0;
    /* The points may have slid onto a face that is known. */
    if (track_of_box(a, box))
        return 0;
    t = tf_track_slot(a->tracks, box, frame->t_mono_ns, &known);
    if (!t)
        return 0;
    if (!known) {
        memset(t, 0, sizeof(*t));
        tf_breathing_reset(&t->breathing);
        t->id = a->next_id++;
    }
    update(t, points, confidence);
    t->live = t->fresh = t->confirmed = true;
    t->score = found->score;
    return 0;
}

static bool unconfirmed(const struct tf_analyser *a)
{
    for (int i = 0; i < TF_TRACKS; i++)
        if (a->tracks[i].live && a->tracks[i].unconfirmed > 0)
            return true;
    return false;
}

static int look(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame)
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

static bool time_to_look(const struct tf_analyser *a, const struct tf_frame *frame, bool lost)
{
    if (!a->options.track || lost || live_count(a) == 0 || a->look_ns == 0)
        return true;
    if (a->options.find_every > 0)
        return a->since_look >= a->options.find_every;
    return frame->t_mono_ns < a->look_ns || frame->t_mono_ns - a->look_ns + SLACK_NS >= FIND_EVERY_NS;
}

/* A face whose window leaves the picture has no mask, and its regions are measured without. */
static void segment(struct tf_analyser *a, const struct tf_frame *frame, const float box[4],
                    struct tf_mask *mask)
{
    float x, y;

    mask->width = mask->height = 0;
    if (!a->segmenter || tf_segmenter_run(a->segmenter, frame, box, mask->parts) < 0)
        return;
    const struct tf_segmenter_info *info = tf_segmenter_info(a->segmenter);
    size_t cells = (size_t)info->width * info->height;
    for (size_t i = 0; i < cells; i++)
        mask->parts[i] = a->part_of_class[mask->parts[i]];
    tf_segmenter_position(a->segmenter, box, 0, 0, &mask->x, &mask->y);
    tf_segmenter_position(a->segmenter, box, 1, 1, &x, &y);
    mask->step_x = x - mask->x;
    mask->step_y = y - mask->y;
    mask->width = (uint16_t)info->width;
    mask->height = (uint16_t)info->height;
}

static void report(struct tf_analyser *a, const struct tf_frame *frame, struct tf_track *t,
                   struct tf_face *face)
{
    face->id = t->id;
    face->from = TF_POINTS_FROM_NONE;
    face->unseen = face->mapped = false;
    face->score = t->fresh ? t->score : t->confidence;
    memcpy(face->box, t->box, sizeof(face->box));
    memcpy(face->points, t->points, sizeof(face->points));
    face->filtered = a->options.filter;
    if (face->filtered)
        tf_filter_step(&t->filter, a->options.filter_min_cutoff, a->options.filter_beta, frame->t_mono_ns,
                       fmaxf(t->box[2], t->box[3]), t->points, face->points_filtered);
    uint64_t start = tf_now_ns();
    segment(a, frame, t->box, &face->mask);
    tf_regions_measure_masked(frame, &a->faults, t->points,
                              a->options.region_masks && face->mask.width > 0 ? &face->mask : NULL,
                              face->regions, face->outlines);
    /* For seconds after a shutter calibration temperatures step: that is no breath. */
    if (face->regions[TF_REGION_NOSTRILS].valid && !(frame->flags & TF_FLAG_FFC_SETTLING))
        tf_breathing_step(&t->breathing, frame->t_mono_ns, face->regions[TF_REGION_NOSTRILS].mean);
    face->breathing_rate = t->breathing.rate;
    face->breathing_quality = t->breathing.quality;
    a->times.regions_ns += tf_now_ns() - start;
}

static void report_all(struct tf_analyser *a, const struct tf_frame *frame, struct tf_faces *ret)
{
    struct tf_track *order[TF_TRACKS];
    uint32_t n = 0;

    for (int i = 0; i < TF_TRACKS; i++) {
        struct tf_track *t = &a->tracks[i];

        if (!t->live)
            continue;
        t->seen_ns = frame->t_mono_ns;
        uint32_t at = n++;
        for (; at > 0; at--) {
            struct tf_track *before = order[at - 1];
            float mine = t->box[2] * t->box[3], theirs = before->box[2] * before->box[3];

            if (theirs > mine || (theirs == mine && before->id < t->id))
                break;
            order[at] = before;
        }
        order[at] = t;
    }
    for (uint32_t i = 0; i < n && i < TF_FACES_MAX; i++)
        report(a, frame, order[i], &ret->faces[ret->count++]);
}

/* Reading twice takes time that a quick camera may not leave. It follows from capture times alone, so that a
 * recording gives what its camera gave. */
static void choose_mirror(struct tf_analyser *a, uint64_t now_ns)
{
    uint64_t since = now_ns - a->last_ns;

    if (a->options.mirror != TF_MIRROR_AUTO || !a->options.track || a->last_ns == 0)
        return;
    /* A gap, of lost frames or a closed shutter, is no change of pace. */
    if (a->interval_ns > 0 && since > 2 * a->interval_ns)
        since = 2 * a->interval_ns;
    a->interval_ns = a->interval_ns == 0 ? since : (7 * a->interval_ns + since) / 8;
    if (a->interval_ns >= MIRROR_ON_NS)
        a->landmarks->mirror = true;
    else if (a->interval_ns < MIRROR_OFF_NS)
        a->landmarks->mirror = false;
}

int tf_analyser_process(struct tf_analyser *analyser, const struct tf_frame *frame, struct tf_faces *ret)
{
    struct tf_view view;
    bool lost = false;
    int r;

    memset(&analyser->times, 0, sizeof(analyser->times));
    if (!tf_view_init(&view, frame) || view.width < PICTURE_MIN || view.height < PICTURE_MIN)
        return -EINVAL;
    if (frame->flags & (TF_FLAG_CORRUPT | TF_FLAG_FFC)) {
        ret->count = 0;
        return 0;
    }
    /* Tracks are places of the upright picture: of another one they are none. */
    if (!analyser->options.track || frame->t_mono_ns < analyser->last_ns ||
        frame->rotate != analyser->rotate || frame->flip != analyser->flip)
        tf_analyser_reset(analyser);
    analyser->rotate = frame->rotate;
    analyser->flip = frame->flip;
    choose_mirror(analyser, frame->t_mono_ns);
    analyser->last_ns = frame->t_mono_ns;
    analyser->since_look++;
    r = follow(analyser, &view, frame, &lost);
    if (r < 0)
        return r;
    if (time_to_look(analyser, frame, lost)) {
        r = look(analyser, &view, frame);
        if (r < 0)
            return r;
    }
    tf_tracks_drop_duplicates(analyser->tracks);
    uint64_t start = tf_now_ns();
    tf_faults_learn(&analyser->faults, frame);
    analyser->times.regions_ns += tf_now_ns() - start;
    ret->count = 0;
    report_all(analyser, frame, ret);
    return 0;
}

int tf_analyser_landmarks(struct tf_analyser *analyser, const struct tf_frame *frame, const float box[4],
                          struct tf_point points[TF_POINTS])
{
    return tf_landmarks_run(analyser->landmarks, frame, box, points);
}

int tf_analyser_read_turn(struct tf_analyser *analyser, const struct tf_frame *frame, uint16_t rotate,
                          struct tf_turn_reading *ret)
{
    return tf_upright_read(analyser->finder, analyser->landmarks, &analyser->upright, frame, rotate, ret);
}
