/* thermoface annotate: what its files share. */
#ifndef TF_CLI_ANNOTATE_H
#define TF_CLI_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "inference/face/face.h"

#define TF_ANNOTATE_ITEMS_MAX 100000
#define TF_ANNOTATE_BYTES_MAX (1ull << 30) /* of pictures held in memory */
/* How far a point may lie outside its picture, in sides of it: a chin below the edge. */
#define TF_ANNOTATE_OUTSIDE 0.25f

/* What a person says of one face. Points in pixels of the upright picture; (0, 0) is the first one's centre.
 */
struct tf_label {
    bool there;
    float point[TF_POINTS][2];
    bool seen[TF_POINTS]; /* false: cannot be seen, blank in the table */
    bool glasses, mask;
    char person[64], yaw[16], quality[16];
};

/* One frame, or one still. */
struct tf_item {
    char rec[256];  /* file name of the recording or still */
    char file[300]; /* of its picture, below images/ */
    uint64_t frame;
    uint16_t rotate, width, height; /* upright */
    uint16_t *pixels;               /* width * height values as the camera gave them */
    bool wide;                      /* 16 bits; else 8 */
    bool found;                     /* the network sees a face: start, confidence */
    float confidence;
    float start[TF_POINTS][2];
    struct tf_label label;
};

struct tf_items {
    struct tf_item *list;
    size_t count, capacity;
    uint64_t bytes;
};

/* --- annotate_frames.c --- */

struct tf_annotate_input {
    char url[4608];       /* of the source */
    char rec[256];        /* its file name */
    char person[64];      /* who it is, as far as its name tells */
    char format[32];      /* row, or empty */
    uint16_t rotate;      /* of a session's recording, from its description */
    bool flip, described; /* described: rotate, flip, scale and offset are the recording's own */
    uint16_t limits[2];
    float scale, offset, fps;
};

struct tf_annotate_frames {
    const char *raw, *stream;
    uint64_t count; /* frames of each recording */
    bool doubtful;  /* where the network is least sure, in as many stretches of time */
    int points;     /* 6 or 68 */
    struct tf_analyser *analyser;
};

/*
 * Adds an input's frames to `items`: those that are labelled already (`labelled`, sorted), then chosen ones.
 * `said` is called between frames with what was read so far; it ends the work by returning false (-EINTR).
 */
int tf_annotate_take(const struct tf_annotate_frames *options, const struct tf_annotate_input *input,
                     const uint64_t *labelled, size_t labelled_count, struct tf_items *items,
                     bool (*said)(void *context, uint64_t frames), void *context, struct tf_error *err);
void tf_items_free(struct tf_items *items);

/* The six of 68 points, in the order of tf_six_names. */
void tf_six_of_points(const float points[TF_POINTS][2], float ret[6][2]);

/* --- annotate_table.c --- */

/* The table as it was found: rows of our items become labels, the others are kept as they are. */
struct tf_annotate_table {
    const char *path;
    int points;
    char **kept;
    size_t kept_count;
    struct tf_table_row {
        char rec[256];
        uint64_t frame;
        uint16_t rotate;
        struct tf_label label;
        char file[300];
        unsigned line;
        bool used;
    } * rows;
    size_t row_count;
};

/* -ENOENT is no error: an empty table. Others name the file and the line. */
int tf_annotate_read(struct tf_annotate_table *table, const char *path, int points, struct tf_error *err);
/* Rows of a recording that is not among ours are kept for the next save. */
int tf_annotate_keep(struct tf_annotate_table *table, struct tf_error *err);
/* Writes the table anew, whole or not at all, and before it the picture of `changed` (NULL: none). */
int tf_annotate_save(const struct tf_annotate_table *table, const struct tf_items *items,
                     const struct tf_item *changed, struct tf_error *err);
void tf_annotate_free(struct tf_annotate_table *table);
/* Whether a text can stand in a table: no commas, quotes or control characters. */
bool tf_annotate_plain(const char *text);
extern const char *const tf_annotate_yaws[], *const tf_annotate_qualities[];

/* --- annotate_serve.c --- */

/* A file of the page, put into the program by the build. */
struct tf_annotate_file {
    const char *path, *type;
    const uint8_t *data;
    size_t size;
};
extern const struct tf_annotate_file tf_annotate_files[];
extern const size_t tf_annotate_file_count;

struct tf_annotate_server;
int tf_annotate_serve(struct tf_annotate_table *table, struct tf_items *items, uint16_t port,
                      struct tf_annotate_server **ret, struct tf_error *err);
/* "http://127.0.0.1:PORT/?token=…" */
const char *tf_annotate_url(const struct tf_annotate_server *server);
void tf_annotate_stop(struct tf_annotate_server *server);

#endif
