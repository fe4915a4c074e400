/*
 * A session's folder, named and described as BIDS has it, and its events.
 *
 *   DIRECTORY/dataset_description.json, participants.tsv, README, .bidsignore
 *   DIRECTORY/sub-07/ses-2/beh/sub-07_ses-2_task-stroop_run-1_events.tsv, _events.json, _manifest.sha256
 *                              sub-07_ses-2_task-stroop_run-1_recording-thermal_video.mkv …
 *
 * A run number that is free is taken; nothing that exists is replaced.
 */
#ifndef TF_PUBLISH_RECORDING_SESSION_H
#define TF_PUBLISH_RECORDING_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TF_LABEL_MAX 64  /* bytes of a subject's, session's or task's label */
#define TF_MARK_MAX 1000 /* bytes of a mark's text */

struct tf_session_options {
    const char *directory;      /* exists; the data set's */
    const char *subject, *task; /* labels: letters and digits */
    const char *session;        /* label, or NULL */
    const char *note;           /* or NULL; for people, kept in the events' description */
    uint64_t t_start_ns;        /* CLOCK_MONOTONIC; onsets count from it */
    int64_t t_start_utc_ns;
    struct tf_sealer *sealer; /* takes the digests of its manifest; or NULL: it has none */
};

struct tf_session;
struct tf_manifest;

/* Errors: -EINVAL (a label, a note), -ENOENT (no such directory), -EACCES, -EROFS, -ENOSPC, -EMFILE (no free
 * run number below 10,000). Strings need not outlive the call. */
int tf_session_create(const struct tf_session_options *options, struct tf_session **ret,
                      struct tf_error *err);
/*
 * Once its recordings are closed. Waits at most wait_ns for the manifest's digests, then those are taken in
 * the background (*sealing, may be NULL). Returns the first error of events, clock and manifest. Accepts
 * NULL.
 */
int tf_session_close(struct tf_session *session, uint64_t wait_ns, bool *sealing, struct tf_error *err);

struct tf_session_state {
    int result; /* 0, or what is wrong with marks and clock: a table cannot be written, or is gone */
    struct tf_error error;
    uint64_t stalled_ns; /* how long their disk has not answered */
    int64_t step_ns;     /* how far UTC was moved against the monotonic clock since it was last asked */
};
void tf_session_state(struct tf_session *session, struct tf_session_state *ret);

const char *tf_session_folder(const struct tf_session *session);
/* It, open; the session's. */
int tf_session_folder_fd(const struct tf_session *session);
/* For its recordings, which close before it; NULL: none. And its name. */
struct tf_manifest *tf_session_manifest(struct tf_session *session);
const char *tf_session_manifest_name(const struct tf_session *session);
/* "sub-07_ses-2_task-stroop_run-1" */
const char *tf_session_stem(const struct tf_session *session);
unsigned tf_session_run(const struct tf_session *session);
/* "…_run-1_recording-thermal"; a camera's name loses what a label cannot have. -EINVAL: nothing is left of
 * it. */
int tf_session_camera_stem(const struct tf_session *session, const char *camera, char *text, size_t size);

struct tf_mark {
    const char *text;  /* no control characters, at most TF_MARK_MAX bytes */
    const char *value; /* the same, or NULL */
    uint64_t t_mono_ns;
    int64_t t_utc_ns;
    const char *source; /* who made it: "http", "trigger NAME" …; NULL: not told */
    const char *t_from; /* whose stamp it is: "client", "arrival", "kernel" …; NULL: not told */
};
/* Whether it can be one; -EINVAL says why not. */
int tf_mark_check(const struct tf_mark *mark, struct tf_error *err);
/*
 * A row in the events' table, on the disk when this returns. *onset_ns: since the session's start.
 * -ETIMEDOUT: the disk does not answer; it is written when it does.
 */
int tf_session_mark(struct tf_session *session, const struct tf_mark *mark, int64_t *onset_ns,
                    struct tf_error *err);
/*
 * The same without waiting for the disk, for marks that nobody waits for: rows that come while it is busy are
 * written together. What goes wrong later is in tf_session_state. -ENOBUFS: too many wait already, it is
 * lost.
 */
int tf_session_mark_later(struct tf_session *session, const struct tf_mark *mark, int64_t *onset_ns,
                          struct tf_error *err);

#endif
