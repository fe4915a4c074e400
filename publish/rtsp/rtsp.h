/*
 * RTSP: one shared stream per camera at rtsp://address:port/NAME, fed with packets that are encoded already.
 * Viewers can come and go, slow ones lose pictures, none slows the caller.
 *
 * The server (gst-rtsp-server) runs in a process of its own, which this starts and starts again when it ends:
 * what strangers can use up or break (descriptors, threads, memory, GStreamer) is that process's, never the
 * recording's. Pictures go there through shared memory.
 */
#ifndef TF_PUBLISH_RTSP_H
#define TF_PUBLISH_RTSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "publish/video/encoder.h"

struct tf_rtsp;
struct tf_rtsp_mount;
struct tf_tls_pair;

/*
 * The process is this program again (/proc/self/exe) with this one argument: a program that calls
 * tf_rtsp_create must begin its main with `if (tf_rtsp_is_worker(argc, argv)) return tf_rtsp_worker_main();`.
 */
#define TF_RTSP_WORKER_ARGUMENT "--rtsp-process"
/* Its threads that send over TCP, one a camera, bear this name. */
#define TF_RTSP_SENDER "tf-rtsp-send"
bool tf_rtsp_is_worker(int argc, char **argv);
int tf_rtsp_worker_main(void);

struct tf_rtsp_options {
    const char *address;           /* NULL = 127.0.0.1; elsewhere needs user and password */
    uint16_t port;                 /* 0 = any free one */
    const char *user, *password;   /* digest, and basic over TLS; NULL = none */
    uint32_t clients_max;          /* viewers; 0 = 16 */
    uint32_t clients_per_address;  /* viewers of one address, loopback and proxies apart; 0 = no limit */
    const char *proxies;           /* addresses without that limit, blanks between; NULL = none */
    const struct tf_tls_pair *tls; /* NULL = none; copied */
    bool log;                      /* through base/log.h */
};

/* Errors: -EADDRINUSE, -EACCES, -EINVAL (listening beyond loopback without credentials), -ENOSYS (built
 * without RTSP). */
int tf_rtsp_create(const struct tf_rtsp_options *options, struct tf_rtsp **ret, struct tf_error *err);
/* Ends all sessions within a second. Accepts NULL. */
void tf_rtsp_destroy(struct tf_rtsp *rtsp);
uint16_t tf_rtsp_port(const struct tf_rtsp *rtsp);
/* Another certificate for connections from now on (those that are there go on). -EINVAL: it serves without
 * TLS. */
int tf_rtsp_set_tls(struct tf_rtsp *rtsp, const struct tf_tls_pair *pair, struct tf_error *err);
/*
 * Another login, if it is another: every connection that is there ends, for it came with the old one.
 * -EINVAL: it asks nobody.
 */
int tf_rtsp_set_login(struct tf_rtsp *rtsp, const char *user, const char *password, struct tf_error *err);
/* So far; at most half a second old. From any thread. */
uint64_t tf_rtsp_logins_failed(const struct tf_rtsp *rtsp);
/* The process that serves, 0 between two. For tests and figures. */
int tf_rtsp_process(const struct tf_rtsp *rtsp);

/* Mount /name before or after viewers come. `fps` is a hint for the SDP. */
int tf_rtsp_mount(struct tf_rtsp *rtsp, const char *name, float fps, struct tf_rtsp_mount **ret,
                  struct tf_error *err);
/* Parameter sets (Annex B) of what will be pushed: with them a DESCRIBE is answered without any picture.
 * Without, the first one waits for a picture. Safe as tf_rtsp_push. */
void tf_rtsp_headers(struct tf_rtsp_mount *mount, const uint8_t *data, size_t size, float fps);
/* Never blocks and never fails for the caller's sake: bounded queue, counted drops. Safe from one thread a
 * mount. */
void tf_rtsp_push(struct tf_rtsp_mount *mount, const struct tf_packet *packet);
/* Viewers that play now: the pipeline encodes only while this is above 0. */
uint32_t tf_rtsp_viewers(const struct tf_rtsp_mount *mount);
/* True once after a viewer joined or asked: the next picture should be a key frame. */
bool tf_rtsp_take_key_request(struct tf_rtsp_mount *mount);
uint64_t tf_rtsp_dropped(const struct tf_rtsp_mount *mount);

#endif
