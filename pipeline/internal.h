/* A pipeline as a whole: for its owner's functions and the status, which may touch all of it; the threads'
 * functions take their own part. Not for other rooms. */
#ifndef TF_PIPELINE_INTERNAL_H
#define TF_PIPELINE_INTERNAL_H

#include "pipeline/capture.h"
#include "pipeline/inference.h"
#include "pipeline/picture.h"

/* Threads, queues and who waits for whom: shared.h. */
struct tf_pipeline {
    struct tf_setup setup;
    struct tf_shared shared;
    struct tf_frame_queue frames;
    struct tf_picture_queue picture_queue;
    struct tf_recorder recorder;

    struct tf_capture capture;
    struct tf_inference inference;
    struct tf_pictures pictures;
    struct tf_snapshots snapshots;

    /* The owner's. */
    pthread_t threads[TF_THREADS];
    bool thread_started[TF_THREADS];
    bool started, joined;
};

#endif
