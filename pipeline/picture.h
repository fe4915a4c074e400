/* The picture thread's own. */
#ifndef TF_PIPELINE_PICTURE_H
#define TF_PIPELINE_PICTURE_H

#include "pipeline/recorder.h"
#include "pipeline/shared.h"
#include "publish/video/fragment.h"

/* Pictures that may be in the encoder: it keeps no more stamps. */
#define TF_PICTURES_GIVEN 64

/* Create's before the thread starts. */
struct tf_pictures {
    const struct tf_setup *setup;
    struct tf_shared *shared;
    struct tf_picture_queue *queue;
    struct tf_recorder *recorder;
    struct tf_overlay *overlay;
    uint32_t overlay_taken, overlay_width, overlay_height; /* upright geometry it was made for */
    struct tf_encoder *encoder;
    bool encoder_failed;
    struct tf_muxer *muxer;
    struct tf_fragmenter *fragmenter; /* for queue->live, or NULL */
    uint64_t last_ns;                 /* stamp of the newest picture encoded */
    bool key_wanted;
    uint32_t recording; /* of the picture that is being drawn; 0: none */
    /* Which recording each picture is of that was given to the encoder: packets may come out pictures later.
     */
    struct {
        uint64_t t_ns;
        uint32_t recording;
    } given[TF_PICTURES_GIVEN];
    uint64_t given_count;
    /* Live: an encoder that does not open, or fails, is opened again, each time after a longer wait. */
    uint64_t retry_ns, backoff_ns;
    /* Pictures; of these, not in the video file since it has failed. Read by any thread. */
    _Atomic uint64_t encoded, video_lost;
};

void *tf_picture_main(void *pictures);
/* Overlay, encoder and, unless it is for a card, video file for frames of an upright size; anew when the size
 * has changed. */
int tf_picture_prepare(struct tf_pictures *pictures, uint32_t width, uint32_t height, bool card,
                       struct tf_error *err);
/* Closes encoder and video file. Create's, too: when the thread has ended. */
void tf_picture_finish(struct tf_pictures *pictures);

/* snapshot.c: drawn in the asker's thread, one at a time. */
struct tf_snapshots {
    const struct tf_setup *setup;
    struct tf_shared *shared;
    pthread_mutex_t lock;
    struct tf_overlay *overlay;
    uint32_t width, height, number;
};

/* As tf_pipeline_snapshot. */
int tf_snapshots_draw(struct tf_snapshots *s, struct tf_snapshot *snapshot, struct tf_error *err);

#endif
