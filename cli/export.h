/* thermoface export: what its formats share: one recording as it was found, its output files, its frames. */
#ifndef TF_CLI_EXPORT_H
#define TF_CLI_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"
#include "base/options.h"
#include "cli/progress.h"
#include "cli/run_sidecar.h"

#define TF_EXPORT_PATH 4096

struct tf_export_options {
    const char *to, *output, *camera, *format, *raw, *frames;
    double from, until; /* seconds since the session's start; NAN: all */
    double scale, offset;
    uint64_t rate;        /* Hz of edf; 0: the physio table's */
    uint64_t first, last; /* of frames: numbers in the raw video, both included */
    bool celsius, with_frames, overwrite, quiet;
};

/* One recording, or a video that is none (without a table and a description). */
struct tf_export_item {
    const struct tf_usage *usage;
    const struct tf_export_options *options;
    char folder[TF_EXPORT_PATH], stem[512];
    char video[TF_EXPORT_PATH + 640]; /* a plain video's path, or empty */
    struct tf_sidecar about;
    bool described; /* about is the recording's; else zeros */
    struct tf_progress progress;
    char note[256]; /* what its reader should know, for the summary */
};

/*
 * An output file: written beside its place under a hidden name, and put there whole. `path` is the final
 * name, `part` the one to write to.
 */
struct tf_export_file {
    char path[TF_EXPORT_PATH + 700], part[TF_EXPORT_PATH + 720];
    bool begun, overwrite;
};
/* Makes the part. Errors: -EEXIST (without overwrite), the folder's. */
int tf_export_file_begin(struct tf_export_file *file, const char *path, bool overwrite, struct tf_error *err);
/* On the disk, and in its place; never over a file that came meanwhile, unless overwrite. */
int tf_export_file_commit(struct tf_export_file *file, struct tf_error *err);
/* Takes the part away, if it was not committed. */
void tf_export_file_abort(struct tf_export_file *file);
/* "cannot be written: No space left on device; …" */
int tf_export_file_failed(const struct tf_export_file *file, int code, struct tf_error *err);

/* "OUTPUT/STEMENDING", or OUTPUT itself where it names a file. -ENAMETOOLONG. */
int tf_export_path(const struct tf_export_item *item, const char *ending, char *path, size_t size,
                   struct tf_error *err);

/* --- frames --- */

/* What is said of all of them. */
struct tf_export_frames {
    const struct tf_export_item *item;
    uint16_t width, height;
    unsigned bytes; /* of a value: 1 or 2 as captured, 4 with --celsius */
    struct tf_radiometry radiometry;
    uint16_t rotate;
    bool flip;
    float fps;
    uint64_t start_ns;         /* CLOCK_MONOTONIC that times count from */
    uint64_t total;            /* rows, 0: not known */
    uint64_t written, without; /* frames so far; rows whose frame was refused */
    uint64_t damaged;
};
/* One of them: `values` is the picture, row by row, without a gap. */
struct tf_export_frame {
    const struct tf_frame *frame;
    const void *values;
    uint64_t number; /* in the raw video */
    double t;        /* seconds since the start */
};
/* Where they go. A failed call ends it; `end` is called after the last one only. */
struct tf_export_writer {
    void *self;
    int (*begin)(void *self, const struct tf_export_frames *all, struct tf_error *err);
    int (*frame)(void *self, const struct tf_export_frames *all, const struct tf_export_frame *one,
                 struct tf_error *err);
    int (*end)(void *self, const struct tf_export_frames *all, struct tf_error *err);
};
/*
 * Reads the frames that the options ask for and gives them to the writer, in order. -ECANCELED: interrupted;
 * -ENODATA: none is in the range; those of sources and of the writer.
 */
int tf_export_each_frame(struct tf_export_item *item, const struct tf_export_writer *writer,
                         struct tf_error *err);
/* One JSON object about them, for people and programs; malloc'd, NULL: no memory. `one` NULL: of all. */
char *tf_export_describe(const struct tf_export_frames *all, const struct tf_export_frame *one);

/* --- tables --- */

struct tf_export_event {
    double onset, duration;
    int64_t t_mono_ns;
    char *type, *value; /* value "" where there is none */
};
/* The session's marks; of results, those of the session that they were made from. How many, or -ENOMEM. */
int tf_export_events(const struct tf_export_item *item, struct tf_export_event **ret);
void tf_export_events_free(struct tf_export_event *events, int count);

/* --- the formats --- */

int tf_export_npy(struct tf_export_item *item, struct tf_error *err);
int tf_export_tiff(struct tf_export_item *item, struct tf_error *err);
int tf_export_mat(struct tf_export_item *item, struct tf_error *err);
int tf_export_hdf5(struct tf_export_item *item, struct tf_error *err);
int tf_export_edf(struct tf_export_item *item, struct tf_error *err);
int tf_export_faces(struct tf_export_item *item, struct tf_error *err);
int tf_export_remux(struct tf_export_item *item, struct tf_error *err);

#endif
