/*
 * Viewers: connections that take pictures as long as they last, as MP4 or as JPEG. Inside publish/http only,
 * from the server's thread.
 */
#ifndef TF_PUBLISH_HTTP_VIEWERS_H
#define TF_PUBLISH_HTTP_VIEWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tf_http;
struct tf_http_motion;

/* --- motion.c: JPEG pictures of one name, made once for all its viewers --- */

/* One picture with its part's head; shared by those who send it. */
struct tf_http_part {
    unsigned references;
    size_t size;
    uint8_t data[];
};

#define TF_HTTP_BOUNDARY "thermoface-picture"

/* A camera's or a pair's; made when it is first asked for. Counts the viewer. NULL: no memory. */
struct tf_http_motion *tf_http_motion_enter(struct tf_http *http, const char *name, bool pair);
void tf_http_motion_leave(struct tf_http *http, struct tf_http_motion *motion);
/* The newest picture if it is not that of *number, which becomes its own; NULL: not yet. The caller lets it
 * go. */
struct tf_http_part *tf_http_motion_take(struct tf_http_motion *motion, uint64_t *number);
/* Viewers of a camera's name. */
uint32_t tf_http_motion_viewers(const struct tf_http *http, const char *name);
bool tf_http_motion_has(const struct tf_http_motion *motion, uint64_t number);
/* It will never have one: there is no such picture. */
bool tf_http_motion_is_none(const struct tf_http_motion *motion);
void tf_http_part_release(struct tf_http_part *part);
/* Takes what jobs have made and sends them for the next. */
void tf_http_motions_run(struct tf_http *http, uint64_t now_ns);
/* When that is next due for the time's sake; UINT64_MAX: not. */
uint64_t tf_http_motions_until(const struct tf_http *http);
/* Once the jobs have ended. */
void tf_http_motions_free(struct tf_http *http);

/* --- viewers.c --- */

struct tf_http_viewer;

/* Resumes those for whom there is something, or all, so that each looks after its socket. */
void tf_http_resume_viewers(struct tf_http *http, bool all);

#endif
