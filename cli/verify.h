/* thermoface verify: what its parts share. */
#ifndef TF_CLI_VERIFY_H
#define TF_CLI_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct tf_verify {
    bool trim;
    unsigned recordings, events, problems;
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
/* Any table of lines. `stamp`: a column of a TSV file whose numbers have to increase, or NULL. */
void tf_verify_lines(struct tf_verify *v, const char *path, const char *stamp, struct tf_verify_table *ret);
/* Lines compressed by gzip; with --trim one that a crash has cut is packed anew with its whole lines. */
void tf_verify_gzip(struct tf_verify *v, const char *path, struct tf_verify_table *ret);

struct tf_verify_video {
    uint64_t frames, broken;
    bool stamps_back;
};
/* Decodes all of it, checksums checked. */
void tf_verify_video(struct tf_verify *v, const char *path, struct tf_verify_video *ret);
/* Before the first one: FFmpeg's complaints are listened to. */
void tf_verify_video_init(void);

#endif
