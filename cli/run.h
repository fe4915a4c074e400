/* thermoface run: what its three ways share: one video to named files, recordings and many videos to a
 * folder, packing for keeping. */
#ifndef TF_CLI_RUN_H
#define TF_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "base/own_region.h"
#include "inference/face/face.h"
#include "publish/status/status.h"

struct tf_run {
    const char *raw, *stream, *format, *camera, *ndjson, *csv, *csv_faces, *csv_profile, *video, *codec,
        *preset, *palette, *models, *cpu, *output, *segmentation;
    const char *subject, *session, *task; /* a video's results are named as BIDS has it */
    const char *black_body, *mirror;
    uint16_t rotate;
    uint64_t quality, limit, threads, faces, jobs;
    double scale, offset, black_body_c, physio_rate, fps;
    bool no_frozen, flip, overwrite, no_filter, outlines, region_masks, no_video, quiet, archive;
    const char *shard;
    bool list, merge, json;
    struct json_t *settings; /* those given, that change what is made: run_result.h */
    const char *regions;
    struct tf_own_regions own;  /* of regions */
    uint16_t rectangle[4];      /* of black_body */
    enum tf_mirror mirror_mode; /* of mirror */
};

/* A recording that is in a folder: "STEM_frames.csv" and its video. */
struct tf_recording_found {
    char folder[4096], stem[512];
    const char *problem; /* tf_find_dataset: what it lacks, or NULL */
};

/*
 * The recordings in a folder and below (not in derivatives/), in order of their names. The caller frees *ret.
 * Returns how many, or a negative errno.
 */
int tf_find_recordings(const char *folder, struct tf_recording_found **ret);
/* The same, and tables without a raw video beside them: what `thermoface run --output` leaves. */
int tf_find_results(const char *folder, struct tf_recording_found **ret);

/* Recordings as tf_find_recordings finds them, and those of which the table or the video is missing. */
int tf_find_dataset(const char *folder, struct tf_recording_found **ret);

struct tf_video_found {
    char path[4096];
};
/*
 * The videos in a folder and below, by their endings, in order of their names; not in derivatives/ and not in
 * `output` (may be NULL). `raw`: headerless files are some, too. As tf_find_recordings.
 */
int tf_find_videos(const char *folder, const char *output, bool raw, struct tf_video_found **ret);

struct tf_pipeline_options;
/* What the command says of every video: its source, analysis and picture. Strings stay the command's. */
struct tf_pipeline_options tf_run_options(const struct tf_run *r);
/* What is to be said of the turn, on standard error; `name`: of the recording, or empty. */
void tf_run_say_turn(const struct tf_turn_status *turn, const char *name);

/* Exit statuses. */
int tf_run_many(const struct tf_usage *usage, const struct tf_run *r, const char *const *inputs, int count);
int tf_run_archive(const struct tf_usage *usage, const struct tf_run *r, const char *const *inputs,
                   int count);

#endif
