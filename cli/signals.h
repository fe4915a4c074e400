/*
 * A recording's curves and marks, read back: from STEM_signals.tsv, or from STEM_frames.csv where that one
 * was not written. Regions are whatever columns NAME_mean and NAME_valid name, the laboratory's own among
 * them.
 */
#ifndef TF_CLI_SIGNALS_H
#define TF_CLI_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TF_SIGNAL_REGIONS_MAX 64

struct tf_signal_row {
    double t; /* seconds since the session's start, or since the first row where nobody knows it */
    const char *state, *flags;         /* valid until the next call */
    float mean[TF_SIGNAL_REGIONS_MAX]; /* NAN: not valid */
    float difference;                  /* nose minus forehead; NAN: not known */
    float breathing; /* breaths a minute; NAN: not known, or of a quality that means nothing */
    const char *utc; /* "2026-03-01T10:15:30.123456Z", or empty; valid until the next call */
};

struct tf_signals;

/* `start_ns`: t_mono_ns of the session's start, 0: not known. -ENOENT: neither table is there; -EINVAL: not
 * one of ours. */
int tf_signals_open(const char *folder, const char *stem, uint64_t start_ns, struct tf_signals **ret,
                    struct tf_error *err);
void tf_signals_close(struct tf_signals *signals);
const char *tf_signals_path(const struct tf_signals *signals);
int tf_signals_regions(const struct tf_signals *signals);
const char *tf_signals_region(const struct tf_signals *signals, int i);
/* The next whole row; false at the end. Rows that are damaged are passed over. */
bool tf_signals_next(struct tf_signals *signals, struct tf_signal_row *ret);
/* From the first row again. */
void tf_signals_again(struct tf_signals *signals);
/* Rows passed over since the beginning, a last one without an end among them. */
uint64_t tf_signals_damaged(const struct tf_signals *signals);

#define TF_MARKS_MAX 1000
struct tf_mark_read {
    double t; /* seconds since the session's start */
    char text[1024], value[256];
};
/*
 * The session's marks, for a recording's stem; of results, those of the session that they were made from.
 * Returns how many (at most TF_MARKS_MAX), 0 without a table, or -ENOMEM. The caller frees *ret.
 */
int tf_marks_read(const char *folder, const char *stem, struct tf_mark_read **ret);

/* Where a session's file stands whose results lie in DATASET/derivatives/thermoface/…: the same folder of
 * DATASET. False: the folder is none of results. */
bool tf_original_folder(const char *folder, char *ret, size_t size);

#endif
