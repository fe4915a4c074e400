/*
 * The finder's candidates in raw frames, and the evidence measured of each (inference/face/evidence.h), one
 * JSON object a line: what training/evidence.py learns from.
 *
 *     evidence MODELS WIDTH HEIGHT BITS SCALE OFFSET THRESHOLD < FRAMES
 *
 * Frames are upright, one after the other, 8 or 16 bits a pixel; a SCALE of 0: the camera has no °C.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/frame.h"
#include "inference/face/finder.h"
#include "inference/face/heatmap.h"
#include "inference/face/tracker.h"

static struct tf_finder *finder;
static struct tf_landmarks *landmarks;

/* Points as the analyser reads those of a new face: in the finder's box, and again in their own window. */
static bool read_points(const struct tf_view *view, const struct tf_radiometry *r, const float found[4],
                        struct tf_point points[TF_POINTS])
{
    struct tf_window window = tf_window_square(found, landmarks->net.crop_scale, 0);

    if (tf_landmarks_run_window(landmarks, view, r, &window, points) < 0)
        return false;
    window = tf_track_window(points, landmarks->net.crop_scale);
    return tf_landmarks_run_window(landmarks, view, r, &window, points) == 0;
}

static void print_candidate(const struct tf_view *view, const struct tf_radiometry *r, int frame,
                            const struct tf_found *found)
{
    struct tf_point points[TF_POINTS];
    struct tf_evidence evidence;
    float box[4];

    if (!read_points(view, r, found->box, points) ||
        tf_evidence_measure(landmarks, view, r, points, found->score, &evidence) < 0)
        return;
    tf_points_box(points, TF_POINTS, box);
    printf("{\"frame\":%d,\"box\":[%g,%g,%g,%g],\"score\":%g,\"confidence\":%g,\"plausible\":%d", frame,
           (double)box[0], (double)box[1], (double)box[2], (double)box[3], (double)found->score,
           (double)tf_points_confidence(points, TF_POINTS),
           tf_points_plausible(points, view->width, view->height));
    for (int i = 0; i < TF_EVIDENCE_TERMS; i++)
        printf(",\"%s\":%g", tf_evidence_term_name((enum tf_evidence_term)i), (double)evidence.term[i]);
    printf("}\n");
}

static int open_models(const char *folder, float threshold)
{
    struct tf_error err = {0};
    char path[4096];
    int r;

    snprintf(path, sizeof(path), "%s/finder.onnx", folder);
    r = tf_finder_open(path, 1, NULL, &finder, &err);
    if (r == 0) {
        snprintf(path, sizeof(path), "%s/landmarks68.onnx", folder);
        r = tf_landmarks_open(path, 1, NULL, &landmarks, &err);
    }
    if (r == 0 && (r = tf_landmarks_set_mirror(landmarks, true)) < 0)
        tf_fail(&err, r, "%s: not the 68 points of iBUG, or no memory", path);
    if (r < 0) {
        fprintf(stderr, "%s\n", err.text);
        return r;
    }
    finder->threshold = threshold;
    return 0;
}

int main(int argc, char **argv)
{
    static struct tf_found found[TF_FINDER_MAX];
    struct tf_frame frame = {0};
    struct tf_view view;

    if (argc != 8)
        return fprintf(stderr, "usage: evidence MODELS WIDTH HEIGHT BITS SCALE OFFSET THRESHOLD < FRAMES\n"),
               2;
    if (open_models(argv[1], strtof(argv[7], NULL)) < 0)
        return 1;
    frame.width = (uint16_t)atoi(argv[2]);
    frame.height = (uint16_t)atoi(argv[3]);
    frame.pixel = atoi(argv[4]) == 16 ? TF_PIXEL_U16 : TF_PIXEL_U8;
    frame.radiometry.scale = strtof(argv[5], NULL);
    frame.radiometry.offset = strtof(argv[6], NULL);
    frame.radiometry.valid = frame.radiometry.scale > 0;
    frame.stride[0] = frame.width * (frame.pixel == TF_PIXEL_U16 ? 2u : 1u);
    size_t size = (size_t)frame.stride[0] * frame.height;
    frame.plane[0] = malloc(size);
    if (!frame.plane[0] || !tf_view_init(&view, &frame))
        return fprintf(stderr, "%s x %s: no such picture\n", argv[2], argv[3]), 1;
    for (int n = 0; fread(frame.plane[0], size, 1, stdin) == 1; n++) {
        tf_finder_reset(finder);
        int count = tf_finder_run(finder, &view, &frame.radiometry, TF_FINDER_ALL, found);
        for (int i = 0; i < count; i++)
            print_candidate(&view, &frame.radiometry, n, &found[i]);
    }
    free(frame.plane[0]);
    tf_finder_close(finder);
    tf_landmarks_close(landmarks);
    return 0;
}
