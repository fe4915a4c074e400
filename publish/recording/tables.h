/*
 * The tables of a camera's recording, a row for each frame: made while it is recorded, and again offline.
 *
 *   STEM_frames.csv, _frames.ndjson    the records, with the frame's place in the raw video
 *   STEM_signals.tsv, .json            every region's statistics, nose minus forehead, breathing
 *   STEM_physio.tsv.gz, .json          region means at a steady rate (BIDS)
 *   motion/…_tracksys-…_motion.tsv, .json, _channels.tsv, .json    the 68 points (BIDS), beside beh/
 *
 * The same records give the same bytes.
 */
#ifndef TF_PUBLISH_RECORDING_TABLES_H
#define TF_PUBLISH_RECORDING_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "publish/record/record.h"
#include "publish/record/sink.h"

struct tf_tables_options {
    const char *camera;
    const char *folder, *stem; /* of the file names; the folder exists */
    bool derived;              /* signals, physio and motion, too */
    float physio_rate;         /* Hz; 0 = 5 */
    float fps;                 /* nominal, 0 = unknown */
    bool celsius;
    uint64_t t_start_ns;            /* the session's start: onsets count from it */
    bool plain_video;               /* a file that is no session: a frame's place in it is its sequence */
    const struct tf_own_names *own; /* own regions, as every record has them; NULL: none */
};

/*
 * A sink that writes them (offline): waits for the disk, loses nothing. Record.video_frame says which frame
 * of the video a record is of. Strings need not outlive the call. Errors: those of files; -EEXIST.
 */
int tf_sink_tables(const struct tf_tables_options *options, struct tf_sink *ret, struct tf_error *err);

/* The names of the camera's files for a stem: "…/motion/sub-07_…_tracksys-cam_run-1_motion.tsv" or, where the
 * stem is not a session's, "folder/stem_motion.tsv". -ENAMETOOLONG. */
int tf_tables_motion_path(const char *folder, const char *stem, const char *ending, char *path, size_t size);

#endif
