/*
 * What reads the pictures of one file, whatever its kind. Not for other rooms. file.c makes frames of them:
 * plays them at their time, chooses the row of the format table, turns bytes into values.
 */
#ifndef TF_CAPTURE_READER_H
#define TF_CAPTURE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "capture/source.h"

/* A file's own limits: pictures larger than this are refused before memory is taken for them. */
#define TF_READER_BYTES_MAX (256u << 20)

enum tf_loss { TF_LOSS_NONE, TF_LOSS_MAYBE, TF_LOSS_ALWAYS };

struct tf_reader;

struct tf_reader_ops {
    /* Fills *ret (unreferenced by the caller before) and `picture`; FRAME, END or ERROR. */
    enum tf_next (*next)(struct tf_reader *reader, AVFrame *ret, struct tf_error *err);
    int (*rewind)(struct tf_reader *reader); /* to the first picture again; negative: cannot */
    void (*close)(struct tf_reader *reader);
};

struct tf_reader {
    const struct tf_reader_ops *ops;
    char *path;
    double rate;        /* pictures a second; > 0 */
    uint64_t period_ns; /* 1 / rate */
    uint64_t frames;    /* in all, 0 = not known */
    int64_t utc_ns;     /* when the first picture was taken */
    enum tf_loss lossy; /* whether the codec changes values */
    bool rate_guessed;  /* nothing in the file says how fast it is */
    const char *codec;  /* for messages */
    const char *row;    /* the row that the file's own words name, or NULL */
    char notice[160];   /* what a reader of the results should know, or empty */
    struct {            /* of the picture that `next` gave */
        uint64_t index; /* in the file, lost ones counted */
        uint64_t t_ns;  /* from the first one; grows */
        uint64_t lost;  /* pictures that could not be decoded before it */
        bool jump;      /* the file's own time jumps before it: joined, or a pause */
        bool damaged;
    } picture;
};

/*
 * Opens what the path is: a picture sequence (frame_%04d.png), a TIFF, a recorder's own format, headerless
 * values (options->raw), else anything libavformat reads. Errors as tf_source_open's.
 */
int tf_reader_open(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                   struct tf_error *err);
/* Accepts NULL. */
void tf_reader_close(struct tf_reader *reader);

/* One file that is there; `row`: the user's, or NULL. */
int tf_reader_open_av(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                      struct tf_error *err);
int tf_reader_open_raw(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err);
int tf_reader_open_y16(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err);
int tf_reader_open_tiff(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                        struct tf_error *err);
/* Opens one file by what its first bytes say. */
int tf_reader_open_one(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err);

/*
 * Whether the path is a list of files (ffconcat) that names what it must not (something elsewhere, a list)
 * or, with `try`, that cannot be opened; `err` then says what and why.
 */
bool tf_reader_list_fault(const char *path, bool try, struct tf_error *err);

/* The kind of a file by its first bytes (and its name). */
enum tf_file_kind {
    TF_FILE_OTHER, /* libavformat may know it */
    TF_FILE_TIFF,
    TF_FILE_GZIP,
    TF_FILE_FOREIGN, /* a maker's own: not read */
    TF_FILE_TEXT,
};
/* `foreign` receives the format's name and how to convert it (two static strings). */
enum tf_file_kind tf_file_kind(const char *path, const uint8_t *head, size_t size, const char *foreign[2]);

/* Whether pictures of that pixel format can be values of a YUYV or UYVY row: packed, or planar 4:2:2. */
bool tf_reader_packed(enum AVPixelFormat format);
/* Whether the picture of a row can be made of such pictures. */
bool tf_reader_row_fits(const struct tf_format *row, enum AVPixelFormat format, uint16_t w, uint16_t h);
/* When a file was last written to, less a length: when a recording began, if nothing says better. */
int64_t tf_reader_written_ns(const char *path, uint64_t length_ns);

#endif
