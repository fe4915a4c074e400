/*
 * A recording beside the pipeline: begun and ended while frames flow.
 *
 * Three threads reach it, each at a seat of its own under a lock of its own, which is held for that thread's
 * one call and for the change of the recording: no thread waits for another one.
 */
#ifndef TF_PIPELINE_RECORDER_H
#define TF_PIPELINE_RECORDER_H

#include "pipeline/shared.h"

struct tf_recorder_seat {
    pthread_mutex_t lock;
    struct tf_recording *recording; /* as this thread sees it */
    uint32_t number;                /* of it, or of the last one */
};

struct tf_recorder {
    const struct tf_setup *setup;
    struct tf_shared *shared;
    struct tf_picture_queue *pictures;
    struct tf_recorder_seat seats[TF_THREADS];
    uint64_t rows_end;          /* capture's seat: frames up to this one were offered to it */
    _Atomic uint64_t rows_done; /* frames that have got their record */

    pthread_mutex_t control; /* over start, stop and status, and what follows */
    struct tf_recording *recording;
    struct tf_recording_totals totals; /* of recordings that have ended */
};

void tf_recorder_init(struct tf_recorder *r);
void tf_recorder_finish(struct tf_recorder *r);

/* From any thread: as tf_pipeline_recording_start, _stop and _status. */
int tf_recorder_start(struct tf_recorder *r, const struct tf_recording_options *options,
                      struct tf_error *err);
int tf_recorder_stop(struct tf_recorder *r, struct tf_recording_status *ret, struct tf_error *err);
int tf_recorder_status(struct tf_recorder *r, struct tf_recording_status *ret);
/* Of this recording and those before, for the status. */
void tf_recorder_tell(struct tf_recorder *r, struct tf_recording_told *ret);

/* Capture: fills in what the head says of its recording. */
void tf_recorder_frame(struct tf_recorder *r, struct tf_frame *frame, struct tf_head *head);

/* Inference. */
void tf_recorder_row(struct tf_recorder *r, const struct tf_record *record, const struct tf_head *head);
/* The recording begins with this frame; the first face that is found in it gets that id. */
void tf_recorder_first_face(struct tf_recorder *r, uint32_t id);
void tf_recorder_picture_left_out(struct tf_recorder *r, uint32_t recording);

/* The picture thread. `recording`: the picture's number of a recording, or TF_PICTURE_CARD. */
void tf_recorder_packet(struct tf_recorder *r, uint32_t recording, const struct tf_encoder *encoder,
                        const struct tf_packet *packet);
/* No more packets fit the recording's file; `place`: where its further pictures are lost. */
void tf_recorder_packets_end(struct tf_recorder *r, enum tf_picture_place place);

/* Inference and the picture thread, each as its role; `recording`: the number that the frame belongs to, 0 =
 * none. */
void tf_recorder_picture_lost(struct tf_recorder *r, enum tf_thread_role role, uint32_t recording,
                              enum tf_picture_place place);

#endif
