/* What `watch` prints: a line a second for each camera, from records of one or many. */
#ifndef TF_CLI_WATCH_H
#define TF_CLI_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TF_WATCH_CAMERAS_MAX 64

struct tf_watch_camera {
    char name[64];
    uint64_t line_ns;   /* of the last line, 0 = none yet */
    uint64_t record_ns; /* of the last record */
    unsigned records;   /* since the last line */
    uint64_t gaps, next_frame;
    bool has_next, said_silent;
};

struct tf_watch {
    const char *url;
    bool json;
    uint64_t records;
    struct tf_watch_camera cameras[TF_WATCH_CAMERAS_MAX]; /* as they came */
    size_t count;
};

/* One line of a stream. */
void tf_watch_take(struct tf_watch *w, const char *text, size_t length);
/* A connection ends: what comes next is no gap. `camera` NULL: of all. */
void tf_watch_break(struct tf_watch *w, const char *camera);
/* To be called now and then: says which cameras fell silent. */
void tf_watch_tick(struct tf_watch *w);

#endif
