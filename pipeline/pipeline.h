/*
 * One camera's way, from source to sinks, with its threads and rings.
 * Capture, inference and pictures are a thread each; shared.h shows who gives what to whom.
 *
 * Live sources: the rings drop the oldest, so a frame that inference skips still yields a record (state
 * skipped), in order. Offline (a source that waits): nothing is skipped, latency is null. The supervisor
 * re-opens a lost camera (0.25 s doubling to 5 s, without end) and keeps pictures ("no signal") flowing while
 * it is away.
 */
#ifndef TF_PIPELINE_PIPELINE_H
#define TF_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "capture/source.h"
#include "inference/face/face.h"
#include "inference/face/pairing.h"
#include "overlay/overlay.h"
#include "pipeline/exchange.h"
#include "publish/video/encoder.h"
#include "publish/video/live.h"
#include "publish/recording/recording.h"
#include "publish/rtsp/rtsp.h"
#include "publish/record/sink.h"
#include "publish/status/status.h"
#include "publish/video/snapshot.h"

#define TF_PIPELINE_SINKS_MAX 8

struct tf_pipeline;

/* The thermal camera's side of a pair: docs/pairs.md. */
struct tf_pipeline_pair {
    const char *partner;          /* the visible camera's name in records */
    struct tf_exchange *exchange; /* where its results come from; not owned, outlives the pipeline */
    const struct tf_registration *registration; /* NULL: stamps are paired, nothing is mapped */
    enum tf_pair_use use;
    uint64_t max_skew_ns; /* a partner's frame further off in time is none */
    /* At most so long inference waits for a result of a frame that is not older than its own. 0: takes what
     * is there. */
    uint64_t wait_ns;
};

struct tf_pipeline_options {
    const char *camera;              /* the name in records; [a-z0-9_-], at most 63 */
    struct tf_source_options source; /* rotate may be TF_ROTATE_AUTO */
    struct tf_analyser_options analyser;
    bool analyse;                        /* false: no inference, records say no_face */
    bool no_turn_check;                  /* a turn that was given is not looked after */
    struct tf_exchange *exchange;        /* what this camera sees is put there, or NULL; not owned */
    const struct tf_pipeline_pair *pair; /* NULL: none */

    uint32_t first_face_id; /* 0 = 1; of a session that is played again */
    uint16_t black_body[4]; /* x, y, w, h of the upright picture; w 0 = none */
    float black_body_c;     /* its true temperature */

    const struct tf_own_regions *own; /* the laboratory's own regions, of this camera; NULL: none */
    bool outlines;                    /* records say where their regions were measured */

    bool pictures; /* overlay and encoder */
    struct tf_overlay_options overlay;
    struct tf_encoder_options encoder; /* size and fps are filled in */
    struct tf_rtsp *rtsp;              /* mounted at /camera, or NULL; not owned */
    struct tf_live *live;              /* for viewers over HTTP, or NULL; not owned */
    const char *video;                 /* annotated video file, or NULL */
    bool overwrite;                    /* files that exist */
    float picture_fps_max;             /* 0 = every frame */

    /* tf_pipeline_recording_start will be called: frames are held for it, too. */
    bool recordable;
    bool retry; /* supervise: re-open a lost camera; false: a lost camera ends the run with an error */
    bool log;   /* say states in the log (the daemon); false: only through status and the result */
};

/* Opens models and rings; the source itself is opened by the capture thread when `retry`, else here, so that
 * errors come back. */
int tf_pipeline_create(const struct tf_pipeline_options *options, struct tf_pipeline **ret,
                       struct tf_error *err);
/* Before start. The pipeline closes the sink at its end. -ENOSPC past TF_PIPELINE_SINKS_MAX. */
int tf_pipeline_add_sink(struct tf_pipeline *pipeline, const struct tf_sink *sink);
int tf_pipeline_start(struct tf_pipeline *pipeline, struct tf_error *err);
/* True while frames or retries go on; false after the end of a file, its limit, or an error without retry. */
bool tf_pipeline_running(const struct tf_pipeline *pipeline);
/* Waits for the end; timeout_ms < 0 without end. 0 = ended, -ETIMEDOUT. */
int tf_pipeline_wait(struct tf_pipeline *pipeline, int timeout_ms);
/* Asks for the end without waiting for it, so that several pipelines can end at the same time. From any
 * thread. */
void tf_pipeline_ask_stop(struct tf_pipeline *pipeline);
/* Ends capture, drains rings and sinks, joins threads: within 2 s. Returns the run's first error, if any. */
int tf_pipeline_stop(struct tf_pipeline *pipeline, struct tf_error *err);
/* Stops if need be. Accepts NULL. */
void tf_pipeline_destroy(struct tf_pipeline *pipeline);

/* A consistent copy, from any thread. */
void tf_pipeline_status(const struct tf_pipeline *pipeline, struct tf_status *ret);
/* What the source offered, once it has been opened; NULL before. */
const struct tf_source_info *tf_pipeline_source_info(const struct tf_pipeline *pipeline);
/*
 * The latest frame, annotated, drawn for the occasion. -EALREADY: it is the picture of snapshot->version,
 * nothing was drawn; -EAGAIN: no frame yet. From any thread.
 */
int tf_pipeline_snapshot(struct tf_pipeline *pipeline, struct tf_snapshot *snapshot, struct tf_error *err);
/* Takes what can change while running: overlay, filter, score (SIGHUP). */
int tf_pipeline_set_overlay(struct tf_pipeline *pipeline, const struct tf_overlay_options *overlay,
                            struct tf_error *err);

/*
 * Other own regions, from the next frame on; those of other cameras are left out. -EBUSY: the camera is
 * recorded, and what is measured stays until the recording's end. From any thread.
 */
int tf_pipeline_set_own(struct tf_pipeline *pipeline, const struct tf_own_regions *own, struct tf_error *err);

/*
 * Moves the camera's shutter and waits for its answer. -ENOTSUP: it has none that could be moved from here;
 * -EAGAIN: the camera is away; -EBUSY, -ETIMEDOUT; errors of tf_source_ffc. From any thread.
 */
int tf_pipeline_ffc(struct tf_pipeline *pipeline, enum tf_ffc action, struct tf_error *err);

/*
 * Records what the camera delivers, beside everything else, until stop or the pipeline's end. The camera, its
 * size and its format are filled in here. -EAGAIN: it delivers nothing now; -EBUSY: recorded already;
 * -ENOTSUP: not `recordable`; errors of tf_recording_create. From any thread.
 */
int tf_pipeline_recording_start(struct tf_pipeline *pipeline, const struct tf_recording_options *options,
                                struct tf_error *err);
/*
 * Waits until every frame has its row and the files are whole. -ENOENT: nothing is recorded; else the
 * recording's first error, after which its files are still readable. `ret` may be NULL.
 */
int tf_pipeline_recording_stop(struct tf_pipeline *pipeline, struct tf_recording_status *ret,
                               struct tf_error *err);
/* -ENOENT: nothing is recorded. */
int tf_pipeline_recording_status(struct tf_pipeline *pipeline, struct tf_recording_status *ret);

/*
 * Whether each thread still moves: 0, or -ETIMEDOUT and the reason when one has not for 10 s (a driver call
 * that never returns, say). A camera that is away is no reason: it is being handled. From any thread.
 */
int tf_pipeline_health(const struct tf_pipeline *pipeline, char *reason, size_t size);

/* Means and percentiles since start, for `bench pipeline`. */
struct tf_pipeline_times {
    uint64_t frames, skipped;
    double
        cpu_us_per_frame; /* the pipeline's threads; helpers of an engine with several threads come on top */
    struct {
        const char *name; /* "capture", "normalise", "finder", "landmarks", "regions", "turns", "record",
                             "overlay", "encode" */
        double us;        /* per record made, also where a stage did not run on each of them */
    } stages[12];
    int stage_count;
    uint32_t latency_us_p50, latency_us_p99, latency_us_max; /* capture stamp to record */
};
void tf_pipeline_times(const struct tf_pipeline *pipeline, struct tf_pipeline_times *ret);

#endif
