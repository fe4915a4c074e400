/* The newest of a camera, for pictures that are drawn for the occasion or of two cameras. */
#ifndef TF_PIPELINE_LATEST_H
#define TF_PIPELINE_LATEST_H

#include <stdatomic.h>

#include "pipeline/pipeline.h"

/* A record with the frame it was made of, shared by inference, picture thread and snapshots. */
struct tf_shared_record {
    atomic_uint references;
    atomic_bool taken; /* cleared last of all, when everything that it holds has been let go */
    struct tf_frame *frame;
    struct tf_record record;
    uint32_t recording; /* number of the recording that its picture belongs to, 0 = none */
    int turn_better;    /* what its picture warns of, -1: nothing */
};

void tf_shared_record_ref(struct tf_shared_record *record);
void tf_shared_record_unref(struct tf_shared_record *record);

struct tf_latest {
    /* The newest record and its frame, NULL while the camera is away. Held for the caller, who gives it back
     * with tf_shared_record_unref within a picture's time: the camera's frames are counted. */
    struct tf_shared_record *record;
    uint32_t width, height; /* upright: of that frame, else of the camera as last opened; 0 before */
    enum tf_camera_state state;
    int64_t since_utc_ns; /* of the state */
    uint64_t frames;      /* records made so far */
    uint64_t last_frame;  /* number of the last one */
    int turn_better;      /* the turn that would make faces upright, -1: nothing to warn of */
};

/*
 * Copies that, all of one moment, under the lock of the pipeline's shared state, which is held for the copy
 * alone; frame and record are not copied. From any thread.
 */
void tf_pipeline_latest(struct tf_pipeline *pipeline, struct tf_latest *ret);
/* The camera's name; valid as long as the pipeline. */
const char *tf_pipeline_camera(const struct tf_pipeline *pipeline);

/* The banner of a picture that has none. */
static inline void tf_turn_note(int better, struct tf_overlay_note *note)
{
    if (note->banner != TF_BANNER_NONE || better < 0)
        return;
    note->banner = TF_BANNER_TURN;
    note->rotate = (uint16_t)better;
}

/* queues.c: whether a frame of that time becomes a picture under a limit of pictures per second (0: none);
 * *due_ns is kept by the caller, from 0. */
bool tf_picture_due(uint64_t *due_ns, float fps_max, uint64_t t_ns);

#endif
