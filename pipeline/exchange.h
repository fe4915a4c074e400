/*
 * What a camera saw in its last frames, for the thermal camera that it is paired with: one writer, any number
 * of readers, in two threads that never wait for each other. Nothing is allocated after create.
 */
#ifndef TF_PIPELINE_EXCHANGE_H
#define TF_PIPELINE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/face/pairing.h"
#include "publish/record/record.h"

/* Half a second of a 30 Hz camera, a quarter of one of 60 Hz: a result is used within a frame or two. */
#define TF_EXCHANGE_FRAMES 16

struct tf_exchange;

int tf_exchange_create(struct tf_exchange **ret);
void tf_exchange_destroy(struct tf_exchange *exchange);

/* A record of a frame that was looked at (state ok or no_face); any other is not taken. By one thread. */
void tf_exchange_put(struct tf_exchange *exchange, const struct tf_record *record,
                     const struct tf_frame *frame);

struct tf_exchanged {
    uint64_t frame; /* the record's number */
    uint64_t t_mono_ns;
    struct tf_partner partner;
};

/* Capture stamp of the newest result, 0 before the first. */
uint64_t tf_exchange_newest(const struct tf_exchange *exchange);
/* The result whose stamp is nearest to t_mono_ns, at most max_ns away. False: there is none. From any thread.
 */
bool tf_exchange_nearest(const struct tf_exchange *exchange, uint64_t t_mono_ns, uint64_t max_ns,
                         struct tf_exchanged *ret);

#endif
