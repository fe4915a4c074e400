/* The capture thread's own. */
#ifndef TF_PIPELINE_CAPTURE_H
#define TF_PIPELINE_CAPTURE_H

#include "pipeline/recorder.h"
#include "pipeline/shared.h"

struct tf_capture {
    const struct tf_setup *setup;
    struct tf_shared *shared;
    struct tf_frame_queue *frames;
    struct tf_recorder *recorder;
    struct tf_source_options options; /* the setup's, with the turn that was told from faces */
    struct tf_source *first_source;   /* opened by create when a failure ends the run */
    uint64_t frames_captured;
    uint32_t openings;
    bool reopened;                       /* the next frame is the first of another opening */
    struct tf_source_drops drops_before; /* of earlier openings */
    uint64_t lost_backlog;
    bool final; /* the error that ends the run: its caller says it */
    struct tf_log_limit message_limit;
    char notice_seen[256]; /* the source's notice as it was last passed on */
};

void *tf_capture_main(void *capture);
/* Opens and starts. */
int tf_capture_open(const struct tf_source_options *options, struct tf_source **ret, struct tf_error *err);

#endif
