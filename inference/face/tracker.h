/*
 * Following faces: which face of this frame is which of the frame before. Geometry and bookkeeping only; the
 * networks are run by analyser.c.
 */
#ifndef TF_INFERENCE_FACE_TRACKER_H
#define TF_INFERENCE_FACE_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/face/face.h"
#include "inference/face/breathing.h"
#include "inference/face/filter.h"
#include "inference/face/sample.h"

/* Room for faces in view and for those lost a moment ago, which get their id back. */
#define TF_TRACKS (2 * TF_FACES_MAX)
#define TF_TRACK_MEMORY_NS 2000000000ull

struct tf_track {
    uint32_t id;          /* 0: free */
    bool live;            /* in view; else remembered until seen_ns + TF_TRACK_MEMORY_NS */
    bool fresh;           /* found in this frame: its score is the finder's */
    bool confirmed;       /* by the last look of the finder */
    uint32_t unconfirmed; /* looks in a row that did not see it */
    uint64_t seen_ns;
    float box[4];
    float confidence;    /* mean of the points' */
    float score;         /* the finder's, at discovery */
    float trust;         /* summed log odds that it is a face (doubt.c) */
    uint64_t doubted_ns; /* when they were last added to */
    struct tf_point points[TF_POINTS];
    struct tf_filter filter;
    struct tf_breathing breathing;
};

/* The tight box of points, x, y, w, h. */
void tf_points_box(const struct tf_point *points, int count, float box[4]);
float tf_points_confidence(const struct tf_point *points, int count);

/*
 * The landmark window for a face whose points are known: along its eye line, with the tight box measured in
 * the turned axes. Turns smaller than 5 degrees are left out, larger ones are made 5 degrees smaller:
 * networks are used to small tilts, and a level window is sampled several times faster.
 */
struct tf_window tf_track_window(const struct tf_point points[TF_POINTS], float scale);

/*
 * Whether points can be a face in a picture of that size: eyes apart, mouth below the eyes, nose between,
 * most points in the picture. Catches what a confident network makes of something that is no face.
 */
bool tf_points_plausible(const struct tf_point points[TF_POINTS], uint32_t width, uint32_t height);

/* Whether a face can have got from one box to the other between two frames, `dt_ns` apart. */
bool tf_track_can_move(const float from[4], const float to[4], uint64_t dt_ns);

/* Whether two boxes hold the same face: they overlap, or one's centre lies well inside the other. */
bool tf_same_face(const float a[4], const float b[4]);

/* A slot for a new face: a remembered one near `box` (its id goes on), else a free one, else the oldest
 * remembered. */
struct tf_track *tf_track_slot(struct tf_track tracks[TF_TRACKS], const float box[4], uint64_t now_ns,
                               bool *known);

/* Two tracks that ended on one face: the one the finder saw last, else the older, stays live. */
void tf_tracks_drop_duplicates(struct tf_track tracks[TF_TRACKS]);

#endif
