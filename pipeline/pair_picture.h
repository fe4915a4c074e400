/*
 * The picture of a pair of cameras, at /NAME of RTSP: a thread of its own that takes the newest frame of each
 * camera, draws and encodes, while somebody watches. The cameras' threads do nothing for it.
 */
#ifndef TF_PIPELINE_PAIR_PICTURE_H
#define TF_PIPELINE_PAIR_PICTURE_H

#include "overlay/pair.h"
#include "pipeline/pipeline.h"
#include "publish/video/snapshot.h"

struct tf_pair_picture;

struct tf_pair_picture_options {
    const char *name;
    struct tf_pipeline *thermal, *visible; /* not owned, outlive the picture */
    enum tf_pair_layout layout;
    struct tf_overlay_options overlay;
    struct tf_encoder_options encoder; /* size and fps are filled in; codec outlives the picture */
    struct tf_rtsp *rtsp;              /* NULL: no RTSP */
    struct tf_live *live;              /* for viewers over HTTP, or NULL; with neither: snapshots only */
    float fps_max;                     /* 0: every thermal frame */
    bool log;
};

int tf_pair_picture_create(const struct tf_pair_picture_options *options, struct tf_pair_picture **ret,
                           struct tf_error *err);
/* Ends the thread: no picture goes to viewers any more, snapshots do. Accepts NULL. */
void tf_pair_picture_stop(struct tf_pair_picture *picture);
/* Ends the thread. Before the pipelines and RTSP are destroyed. Accepts NULL. */
void tf_pair_picture_destroy(struct tf_pair_picture *picture);
void tf_pair_picture_set_overlay(struct tf_pair_picture *picture, const struct tf_overlay_options *overlay);
/* The newest frames, drawn for the occasion; errors as tf_pipeline_snapshot. From any thread. */
int tf_pair_picture_snapshot(struct tf_pair_picture *picture, struct tf_snapshot *snapshot,
                             struct tf_error *err);

#endif
