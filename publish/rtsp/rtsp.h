/*
 * RTSP through gst-rtsp-server: one shared media per camera at rtsp://address:port/NAME, fed with packets
 * that are encoded already. Runs its own thread. Viewers can come and go, slow ones lose pictures, none slows
 * the caller.
 */
#ifndef TF_PUBLISH_RTSP_H
#define TF_PUBLISH_RTSP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "publish/encoder.h"

struct tf_rtsp;
struct tf_rtsp_mount;

struct tf_rtsp_options {
    const char *address;         /* NULL = 127.0.0.1; elsewhere needs user and password */
    uint16_t port;               /* 0 = any free one */
    const char *user, *password; /* digest; NULL = none */
    uint32_t clients_max;        /* 0 = 16 */
};

/* Errors: -EADDRINUSE, -EACCES, -EINVAL (listening beyond loopback without credentials), -ENOSYS (built
 * without RTSP). */
int tf_rtsp_create(const struct tf_rtsp_options *options, struct tf_rtsp **ret, struct tf_error *err);
/* Ends all sessions within a second. Accepts NULL. */
void tf_rtsp_destroy(struct tf_rtsp *rtsp);
uint16_t tf_rtsp_port(const struct tf_rtsp *rtsp);

/* Mount /name before or after viewers come. `fps` is a hint for the SDP. */
int tf_rtsp_mount(struct tf_rtsp *rtsp, const char *name, float fps, struct tf_rtsp_mount **ret,
                  struct tf_error *err);
/* Never blocks and never fails for the caller's sake: bounded queue, counted drops. Safe from one thread a
 * mount. */
void tf_rtsp_push(struct tf_rtsp_mount *mount, const struct tf_packet *packet);
/* Viewers that play now: the pipeline encodes only while this is above 0. */
uint32_t tf_rtsp_viewers(const struct tf_rtsp_mount *mount);
/* True once after a viewer joined or asked: the next picture should be a key frame. */
bool tf_rtsp_take_key_request(struct tf_rtsp_mount *mount);
uint64_t tf_rtsp_dropped(const struct tf_rtsp_mount *mount);

#endif
