/* The camera's analyser: finder, landmarks and tracks joined into the faces of a frame. docs/landmarks.md
 * explains the rules. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "inference/face/analyser.h"
#include "inference/face/judge.h"

#define FACES_DEFAULT 4
#define SCORE_MIN_DEFAULT 0.5f
#define PICTURE_MIN 32

/* TF_MIRROR_AUTO: faces are read twice where frames come at least so far apart, and once where they come
 * nearer; in between it stays as it is. */
#define MIRROR_ON_NS 30000000ull
#define MIRROR_OFF_NS 25000000ull

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
    if (options->clue > 0 && options->clue <= TF_CLUES)
        a->landmarks->told = options->clue - 1;
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
    memset(analyser->doubts, 0, sizeof(analyser->doubts));
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
    face->score = a->landmarks->calibration.known ? tf_points_confidence(t->points, TF_POINTS)
                  : t->fresh                      ? t->score
                                                  : t->confidence;
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
    /* For seconds after a shutter calibration temperatures step: that is no breath. What points and pose say
     * against a region comes afterwards: breath is in a nose that is seen from the side, too. */
    if (face->regions[TF_REGION_NOSTRILS].valid && !(frame->flags & TF_FLAG_FFC_SETTLING))
        tf_breathing_step(&t->breathing, frame->t_mono_ns, face->regions[TF_REGION_NOSTRILS].mean);
    face->breathing_rate = t->breathing.rate;
    face->breathing_quality = t->breathing.quality;
    tf_face_judge(face, tf_face_can_be_thermal(frame));
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
    r = tf_analyser_follow(analyser, &view, frame, &lost);
    if (r < 0)
        return r;
    if (tf_analyser_time_to_look(analyser, frame, lost)) {
        r = tf_analyser_look(analyser, &view, frame);
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
