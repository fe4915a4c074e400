/* The six points that thermal faces are labelled with: read from a row, judged against reported faces. */
#ifndef TF_CLI_EVAL_SIX_H
#define TF_CLI_EVAL_SIX_H

#include <stdbool.h>

#include "cli/eval_csv.h"
#include "inference/face/face.h"

/* In the order of the columns eye_r_x, eye_r_y, … chin_y; an eye is its middle. */
enum { TF_EYE_R, TF_EYE_L, TF_NOSE, TF_MOUTH_R, TF_MOUTH_L, TF_CHIN, TF_SIX };
extern const char *const tf_six_names[TF_SIX];

/* The columns of one file. */
struct tf_six_columns {
    int mask, point[TF_SIX][2];
};

/* One labelled face, in pixels of the upright picture. */
struct tf_six {
    float point[TF_SIX][2];
    bool there[TF_SIX]; /* false: a blank coordinate, a point that cannot be seen */
    bool mask;          /* mouth and chin lie under a mask: they do not count */
};

struct tf_six_score {
    bool found;
    uint32_t face;      /* which of the reported ones, if found */
    float error;        /* mean over the points that count, in percent of the eye distance */
    float each[TF_SIX]; /* the same by point; NAN: does not count */
    float down[TF_SIX]; /* of it what is along the face's own downward axis: above 0 the point was read too
                           low */
    float confidence[TF_SIX]; /* what was said of each point that counts; an eye's is the mean of its six */
};

/* Negative errno with FILE:LINE where a column is missing. */
int tf_six_columns(const struct tf_csv *csv, struct tf_six_columns *ret, struct tf_error *err);

/* The row that `csv` is at. Coordinates may be blank in pairs; two eyes that are one point are an error. */
int tf_six_read(const struct tf_csv *csv, const struct tf_six_columns *columns, struct tf_six *ret,
                struct tf_error *err);

/* The distance of the eyes' middles in pixels; 0 where an eye cannot be seen. */
float tf_six_eyes(const struct tf_six *six);

/*
 * Against what was reported for the picture: found is the face with the nearest nose (right eye, where the
 * nose cannot be seen) if that lies within one eye distance. `six` must have both eyes.
 */
struct tf_six_score tf_six_judge(const struct tf_six *six, const struct tf_faces *faces);

#endif
