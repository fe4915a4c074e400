/*
 * A sink takes records as they are made: a file, HTTP's landmark stream, later Lab Streaming Layer. One file
 * a sink.
 *
 * Called in the pipeline's record thread, in frame order. A sink must not wait for a client or a disk longer
 * than a write to the page cache: slow consumers get a bounded queue of their own inside the sink.
 */
#ifndef TF_PUBLISH_RECORD_SINK_H
#define TF_PUBLISH_RECORD_SINK_H

#include "base/error.h"
#include "publish/record/record.h"

struct tf_sink {
    const char *name;
    void *self;
    /* The record is valid during the call only. An error is reported once by the pipeline; the sink stays
     * attached. */
    int (*record)(void *self, const struct tf_record *record, struct tf_error *err);
    /* Flushes and frees. NULL: nothing to do. */
    int (*close)(void *self, struct tf_error *err);
};

/* Writes NDJSON or CSV to a file ("-" = standard output). -EEXIST unless `overwrite`. */
enum tf_file_format {
    TF_FILE_NDJSON,
    TF_FILE_CSV,
    TF_FILE_CSV_OPENFACE,
    TF_FILE_CSV_FACES, /* TF_FILE_CSV's columns and `face`: a row for each face, counted from 0 in its frame
                        */
};
int tf_sink_file(const char *path, enum tf_file_format format, bool overwrite, struct tf_sink *ret,
                 struct tf_error *err);
/* The same with columns for own regions, as every record has them (tf_record_csv_header). */
int tf_sink_file_own(const char *path, enum tf_file_format format, bool overwrite,
                     const struct tf_own_names *own, struct tf_sink *ret, struct tf_error *err);

#endif
