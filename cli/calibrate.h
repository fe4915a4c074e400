/* What the parts of `thermoface calibrate` share. */
#ifndef TF_CLI_CALIBRATE_H
#define TF_CLI_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "inference/face/face.h"
#include "inference/face/registration.h"

/* The only face of a frame, upright pixels. */
struct tf_sighting {
    int64_t t_ns;
    struct tf_point points[TF_POINTS];
};

#define TF_SIGHTINGS_MAX 200000 /* an hour at 55 frames/s, 170 MB */

/* What one camera saw over time, in order. */
struct tf_sightings {
    struct tf_sighting *at;
    size_t count, room;
    size_t frames;          /* with or without a face */
    uint32_t width, height; /* of the upright picture; 0: not known */
};
void tf_sightings_free(struct tf_sightings *sightings);

/* A line of NDJSON, one record. Frames without exactly one face are counted and left out. -EINVAL: not a
 * record. */
int tf_sightings_add_line(struct tf_sightings *sightings, const char *line, size_t length,
                          struct tf_error *err);
/* A file of records; each message begins with FILE:LINE. */
int tf_sightings_read_records(struct tf_sightings *sightings, const char *path, struct tf_error *err);

struct tf_sightings_video {
    const char *url, *format, *models, *cpu;
    uint16_t rotate;
    uint64_t threads, limit;
};
/* Looks for faces in a video; times are the container's, in UTC. */
int tf_sightings_watch_video(struct tf_sightings *sightings, const struct tf_sightings_video *video,
                             struct tf_error *err);

struct tf_sightings_live {
    const char *url, *credentials, *token, *ca, *cameras[2];
    uint64_t seconds;
};
/* Follows two cameras of a running thermofaced; sizes come from /state. */
int tf_sightings_watch_live(struct tf_sightings sightings[2], const struct tf_sightings_live *live,
                            struct tf_error *err);

/*
 * Points of both cameras at the same time: of each thermal sighting and the visible one nearest to it, at
 * most max_skew_ns away, those that both networks are sure of. *ret is malloc'd. *eyes: the median distance
 * of the outer eye corners in the thermal picture; *frames: sightings that found a partner.
 */
int tf_sightings_match(const struct tf_sightings *thermal, const struct tf_sightings *visible,
                       int64_t max_skew_ns, struct tf_match **ret, size_t *count, double *eyes,
                       size_t *frames, struct tf_error *err);

#endif
