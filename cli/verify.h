/* thermoface verify: what its parts share. */
#ifndef TF_CLI_VERIFY_H
#define TF_CLI_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct tf_verify {
    bool trim, renew;
    unsigned recordings, events, problems, hashed;
    char session[4096]; /* the one whose tables were looked for last */
};

/* Counts and prints "PATH: text". */
void tf_verify_problem(struct tf_verify *v, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct tf_verify_table {
    bool there;
    uint64_t rows, with_frame;
    bool partial; /* the last line has no end */
};

/* The frames' table: stamps increase, frames of the video are counted without a hole. */
void tf_verify_csv(struct tf_verify *v, const char *path, struct tf_verify_table *ret);
/* A table with tabs: every row has as many cells as the first one, and numbers where numbers belong. `stamp`:
 * a column whose numbers have to increase, or NULL. `head`: the first row names the columns. */
void tf_verify_tsv(struct tf_verify *v, const char *path, bool head, const char *stamp,
                   struct tf_verify_table *ret);
/* Lines of JSON objects. */
void tf_verify_ndjson(struct tf_verify *v, const char *path, struct tf_verify_table *ret);
/* Lines compressed by gzip; with --trim one that a crash has cut is packed anew with its whole lines. */
void tf_verify_gzip(struct tf_verify *v, const char *path, struct tf_verify_table *ret);

/* Sizes and digests of all files that a manifest names. False: it cannot be read, or is not finished, which
 * is said. */
bool tf_verify_manifest(struct tf_verify *v, const char *folder, const char *name);
bool tf_verify_manifest_names(const char *folder, const char *manifest, const char *file);

struct tf_verify_video {
    uint64_t frames, broken;
    bool stamps_back;
};
/* Decodes all of it, checksums checked. */
void tf_verify_video(struct tf_verify *v, const char *path, struct tf_verify_video *ret);
/* Before the first one: FFmpeg's complaints are listened to. */
void tf_verify_video_init(void);

#endif
