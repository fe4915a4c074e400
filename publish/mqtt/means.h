/*
 * Means of a camera's regions over intervals of steady length. The record's thread puts a few numbers of each
 * frame into a ring; everything else is done by whoever takes the intervals.
 */
#ifndef TF_PUBLISH_MQTT_MEANS_H
#define TF_PUBLISH_MQTT_MEANS_H

#include <stdbool.h>
#include <stdint.h>

#include "publish/record/record.h"

#define TF_MEANS_VALUES (TF_REGIONS + TF_OWN_MAX)

struct tf_means;

/* One interval: mean of the frames' means, over frames where the region was valid. */
struct tf_means_interval {
    uint64_t t_end_ns;                /* CLOCK_MONOTONIC */
    uint32_t frames;                  /* records of the interval */
    uint32_t faces;                   /* of these, with a face */
    bool celsius;                     /* means nothing while there is no frame */
    double sum[TF_MEANS_VALUES];      /* built-in regions of the largest face, then own regions of the face,
                                         then of the picture */
    uint32_t n[TF_MEANS_VALUES];      /* frames in `sum`; 0: there is no value */
    const struct tf_own_names *names; /* of own regions; valid until the next call */
};

/* What a frame's flags say: the shutter closed or opened at that frame. */
typedef void tf_means_shutter(void *context, bool closed, uint64_t t_mono_ns);

/* Where the interval begins (CLOCK_MONOTONIC) that is running: a multiple of its length in UTC as it is now.
 */
uint64_t tf_means_origin(uint64_t interval_ns);
/* Intervals from `origin_ns` on, the same for cameras whose means are to lie beside each other. -ENOMEM. */
int tf_means_create(uint64_t interval_ns, uint64_t origin_ns, struct tf_means **ret);
/* Accepts NULL. */
void tf_means_destroy(struct tf_means *means);
/* From the thread of records. Never waits and never allocates; what finds no room is counted. */
void tf_means_record(struct tf_means *means, const struct tf_record *record);
/*
 * The next interval that has come to its end: a frame after it was seen, or it ended a second ago. From one
 * other thread. `shutter` is called for what the frames taken on the way say; may be NULL.
 */
bool tf_means_take(struct tf_means *means, uint64_t now_ns, tf_means_shutter *shutter, void *context,
                   struct tf_means_interval *ret);
/* Names of own regions as of the last frame taken. From that thread. */
const struct tf_own_names *tf_means_names(const struct tf_means *means);
/* Frames that are in no mean: no room, or later than a second after their interval's end. */
uint64_t tf_means_lost(const struct tf_means *means);

#endif
