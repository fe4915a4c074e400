/* A recording's description of itself, STEM_video.json: what is needed to analyse it again. */
#ifndef TF_CLI_RUN_SIDECAR_H
#define TF_CLI_RUN_SIDECAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own_region.h"
#include "inference/face/face.h"

struct tf_sidecar {
    char camera[64];
    const char *format; /* row of the table to read its video with, or NULL: as it is */
    uint16_t rotate;    /* 0, 90, 180, 270 */
    bool flip;
    uint16_t limits[2]; /* counts that the camera can measure; 0, 0: not known */
    bool celsius;
    float scale, offset; /* of a picture in degrees */
    float fps;           /* 0: not known */
    bool analyse, filter;
    uint32_t faces_max, find_every;                  /* 0: not said */
    float filter_min_cutoff, filter_beta, score_min; /* 0: not said */
    enum tf_mirror mirror;
    uint16_t black_body[4]; /* without width: none */
    float black_body_c;
    struct tf_own_regions own; /* as the recording had them */
    uint32_t first_face_id;    /* 0: nobody wrote it down */
    uint64_t t_start_ns;
    float physio_rate; /* Hz; 0: not said */
};

/* -EINVAL: no JSON object, or a value that no recording has; others that make no sense count as not there. */
int tf_sidecar_read(const char *text, size_t size, struct tf_sidecar *ret, struct tf_error *err);

#endif
