/*
 * The encoded pictures of one camera (or pair) on their way to viewers over HTTP: a header, then a fragment
 * for each picture, made once for all of them.
 *
 * One ring of bytes holds the fragments; each viewer is a place in it. Who writes never waits: where room is
 * needed, the oldest fragment goes. A viewer that has fallen behind goes on with a key picture, and what it
 * has not seen is counted.
 */
#ifndef TF_PUBLISH_VIDEO_LIVE_H
#define TF_PUBLISH_VIDEO_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tf_live;
struct tf_live_viewer;

/* `wake` is called from the writer's thread when a viewer waits for what has come. 0, -ENOMEM, -EINVAL (the
 * name is too long). */
int tf_live_create(const char *name, void (*wake)(void *context), void *context, struct tf_live **ret);
/* After the last viewer and the last writer. Accepts NULL. */
void tf_live_destroy(struct tf_live *live);
const char *tf_live_name(const struct tf_live *live);
/* Viewers now: pictures are made only while this is above 0. From any thread. Accepts NULL. */
uint32_t tf_live_viewers(const struct tf_live *live);
/* Pictures that viewers have not seen since they were too slow. From any thread. */
uint64_t tf_live_dropped(const struct tf_live *live);

/* The writer's side, from one thread. */

/* A header; viewers of another one come to their end. It is copied. 0 or -ENOMEM. */
int tf_live_begin(struct tf_live *live, const uint8_t *header, size_t size);
/* A picture's fragment. One that is larger than half the ring is left out, and counted. */
void tf_live_push(struct tf_live *live, const uint8_t *fragment, size_t size, bool key, uint64_t t_mono_ns);
/* The next picture should be a key picture. */
void tf_live_want_key(struct tf_live *live);
/* True when the next picture should be a key picture; twice a second at most, however many viewers come.
 * Accepts NULL. */
bool tf_live_take_key_request(struct tf_live *live, uint64_t now_ns);

/* The viewers' side; all of it from one thread. */

int tf_live_viewer_create(struct tf_live *live, struct tf_live_viewer **ret);
void tf_live_viewer_destroy(struct tf_live_viewer *viewer);
/*
 * At most `max` bytes of what comes next: header, key picture, pictures. 0: nothing yet; -EPIPE: the pictures
 * have another header now, so that this stream is at its end; -ENOMEM.
 */
long tf_live_viewer_read(struct tf_live_viewer *viewer, uint8_t *buffer, size_t max);
bool tf_live_viewer_ready(const struct tf_live_viewer *viewer);

#endif
