/* The other computers of a session that several record together: how their clocks run against ours. */
#ifndef TF_PUBLISH_RECORDING_FLEET_H
#define TF_PUBLISH_RECORDING_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct tf_session;

/* One measurement of another box. Texts as a mark's. */
struct tf_fleet_row {
    const char *box;           /* its name; not empty */
    const char *session;       /* the stem of its session, or NULL */
    uint64_t t_mono_ns;        /* when it was measured, by our clock */
    int64_t t_start_ns;        /* its session's start, by its CLOCK_MONOTONIC; negative: not known */
    int64_t offset_ns;         /* what to add to its t_mono_ns to get ours */
    uint64_t error_ns;         /* how far off that is at most */
    int64_t utc_difference_ns; /* its CLOCK_REALTIME less ours at that moment, as sure as the offset */
    bool has_utc_difference;
    int synchronised; /* its clock of the day: 1, 0, or negative: not known */
};

#define TF_FLEET_ROWS_MAX 10000

/* The table, STEM_fleet.tsv with STEM_fleet.json; the session's. */
struct tf_fleet_table;
struct tf_manifest;
struct tf_fleet_options {
    int folder;        /* open */
    const char *shown; /* as errors call it */
    const char *stem;
    struct tf_manifest *manifest; /* or NULL */
    uint64_t t_start_ns;
};
int tf_fleet_row_check(const struct tf_fleet_row *row, struct tf_error *err);
/* Strings need not outlive the call; folder and manifest do. */
int tf_fleet_table_create(const struct tf_fleet_options *options, struct tf_fleet_table **ret,
                          struct tf_error *err);
int tf_fleet_table_add(struct tf_fleet_table *table, const struct tf_fleet_row *row, struct tf_error *err);
/* The file is final: into the manifest. Accepts NULL. */
void tf_fleet_table_close(struct tf_fleet_table *table);

/*
 * Appends a row to the session's fleet.tsv, which is made with the first one; on the disk when this returns.
 * -EINVAL: a text; -ENOSPC also past TF_FLEET_ROWS_MAX rows; else as the disk has it.
 */
int tf_session_fleet(struct tf_session *session, const struct tf_fleet_row *row, struct tf_error *err);

#endif
