/* What the parts of the analyser share: analyser.c joins them, follow.c reads landmarks, look.c finds faces.
 */
#ifndef TF_INFERENCE_FACE_ANALYSER_H
#define TF_INFERENCE_FACE_ANALYSER_H

#include "inference/face/faults.h"
#include "inference/face/finder.h"
#include "inference/face/heatmap.h"
#include "inference/face/segment.h"
#include "inference/face/tracker.h"
#include "inference/face/upright.h"

/* From here on the landmarks need no second opinion. */
#define TF_FACE_SURE 0.9f
/* Longer side of a face's box, pixels: none of a smaller one's regions has enough of them. */
#define TF_FACE_SIZE_MIN 18

/*
 * Where else around the finder's box the landmarks are tried: moved down by a share of its height, and with a
 * larger or smaller window. On thermal faces the finder errs downwards most (warm necks, cold hair), so most
 * starts look higher.
 */
struct tf_start {
    float down, scale;
};
#define TF_STARTS 8
extern const struct tf_start tf_starts[TF_STARTS];

/* Something new that is not believed yet. */
struct tf_doubt {
    float box[4];
    float odds; /* their running mean */
    uint32_t looks;
    uint64_t seen_ns; /* 0: free */
};
#define TF_DOUBTS 8

struct tf_analyser {
    struct tf_landmarks *landmarks;
    struct tf_finder *finder;
    struct tf_segmenter *segmenter; /* or NULL */
    uint8_t part_of_class[TF_SEGMENT_CLASSES_MAX];
    struct tf_analyser_options options;
    struct tf_track tracks[TF_TRACKS];
    struct tf_found found[TF_FINDER_MAX];
    struct tf_doubt doubts[TF_DOUBTS];
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

/* follow.c */
void tf_analyser_update(struct tf_track *t, const struct tf_point points[TF_POINTS], float confidence);

/* Every face in view from where it was. Returns whether one was lost. */
int tf_analyser_follow(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                       bool *lost);

/*
 * Landmarks from one start: once in the square of that box, once more in the window of the points so found,
 * which is where a followed face would be looked at. Returns 1 when the points can be a face, with their
 * confidence.
 */
int tf_analyser_from_start(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                           const float found[4], const struct tf_start *start,
                           struct tf_point points[TF_POINTS], float *confidence);

/*
 * Landmarks of a face that the finder just saw: from its box, and while they are not sure, from other starts
 * around it; the most confident win. Single pictures get every start. A camera gets a few ten times
 * a second, others each time, so that one frame never costs much and something that is no face costs little.
 * Returns 1 when it is a face.
 */
int tf_analyser_from_box(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                         const float box[4], struct tf_point points[TF_POINTS], float *confidence);

/* doubt.c */
/*
 * Whether something new is reported: 1, or 0 while it is doubted. `before`: the track that it may go on with,
 * or NULL; `score` is the finder's. `trust` is what its track begins with.
 */
int tf_analyser_believes(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                         const struct tf_point points[TF_POINTS], const float box[4], float score,
                         const struct tf_track *before, float *trust);
/* Whether a followed face that the finder just saw has turned out to be none: 1, or 0. */
int tf_analyser_doubts(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame,
                       float score, struct tf_track *t);

/* look.c */
int tf_analyser_look(struct tf_analyser *a, const struct tf_view *view, const struct tf_frame *frame);

bool tf_analyser_time_to_look(const struct tf_analyser *a, const struct tf_frame *frame, bool lost);

#endif
