/*
 * HTTP through libmicrohttpd: /landmarks?camera=NAME (NDJSON, live), /state, /metrics, /healthz,
 * /snapshot.png?camera=NAME.
 */
#ifndef TF_PUBLISH_HTTP_H
#define TF_PUBLISH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "publish/record/lsl.h"
#include "publish/record/sink.h"
#include "publish/video/snapshot.h"
#include "publish/status/status.h"

struct tf_http;
struct tf_live;
struct tf_tls_pair;

#define TF_TOKENS_MAX 64
#define TF_TOKEN_BYTES 256

struct tf_tokens {
    size_t count;
    char text[TF_TOKENS_MAX][TF_TOKEN_BYTES + 1];
};

enum tf_http_session {
    TF_HTTP_SESSION_STATUS, /* GET /record */
    TF_HTTP_SESSION_START,  /* POST /record/start */
    TF_HTTP_SESSION_STOP,   /* POST /record/stop */
    TF_HTTP_SESSION_MARK,   /* POST /mark */
    TF_HTTP_SESSION_UNDO,   /* POST /mark/undo */
    TF_HTTP_SESSION_CHECK,  /* GET /record/check */
    TF_HTTP_SESSION_FLEET,  /* POST /record/fleet */
};

struct tf_http_options {
    const char *address; /* NULL = 127.0.0.1; elsewhere needs user and password */
    uint16_t port;       /* 0 = any free one */
    /*
     * Who may do everything, and who may only look. Basic over TLS and on a loopback address; Digest
     * elsewhere (docs/http.md).
     */
    const char *user, *password;
    const char *watch_user, *watch_password;
    const struct tf_tokens *tokens; /* for looking only, over TLS or on a loopback address; NULL: none */
    const struct tf_tls_pair *tls;  /* NULL: without TLS */
    uint32_t clients_max;           /* readers of /landmarks at once; 0 = 32 */
    uint32_t
        address_max; /* connections of one address that is neither this machine nor a proxy; 0 = any number */
    const char
        *proxies; /* addresses, separated by commas or blanks, for which address_max does not hold; or NULL */
    uint32_t viewers_max; /* of /video.mp4 and /mjpeg together; 0 = 16 */
    uint32_t queue_bytes; /* per landmark client; 0 = 4 MiB; what does not fit is dropped by whole records and
                             counted */

    /* Asked from the server's thread, which waits: they have to answer at once. */
    int (*status)(void *context, struct tf_status *statuses, int max); /* returns how many cameras */
    /* 0 = healthy, else a reason is written. */
    int (*health)(void *context, char *reason, size_t size);
    /*
     * Asked from threads of their own: one for pictures, one for recording and marks (in the order in which
     * they came), one for shutters.
     *
     * The latest annotated picture of a camera or a pair. -EALREADY: it is that of snapshot->version;
     * -ENOENT: no such camera; -EAGAIN: no picture yet.
     */
    int (*snapshot)(void *context, const char *name, struct tf_snapshot *snapshot);
    /*
     * Sessions and marks; NULL: there are none. `body`: JSON, NUL-terminated, of a POST; `t_mono_ns`: when
     * the request came. Returns HTTP's status and malloc'd JSON text in *answer (NULL: out of memory).
     */
    int (*session)(void *context, enum tf_http_session what, const char *body, size_t size,
                   uint64_t t_mono_ns, char **answer);
    /* POST /camera/NAME/ffc; NULL: there is none. `body`, answer and result as in `session`. */
    int (*ffc)(void *context, const char *camera, const char *body, size_t size, char **answer);
    /* GET /regions (`body` NULL) and PUT /regions, from the recording's thread; NULL: there are none. */
    int (*regions)(void *context, const char *body, size_t size, char **answer);
    /* Trigger inputs, as `status`; NULL: there are none. */
    int (*triggers)(void *context, struct tf_trigger_told *told, int max);
    /* Failed logins of the RTSP server; NULL: there is none. */
    uint64_t (*rtsp_logins_failed)(void *context);
    /* The connection to an MQTT broker; NULL: there is none. */
    void (*mqtt)(void *context, struct tf_mqtt_told *ret);
    /*
     * Recorded sessions, from a thread of their own; NULL: there are none.
     * The list, or with `id` one of them: as `session`.
     */
    int (*session_list)(void *context, const char *id, char **answer);
    /* A file of a session, open for reading, or a negative errno. Whatever the names say: none but those of a
     * session are opened. */
    int (*session_file)(void *context, const char *id, const char *name);
    /* A piece of a camera's annotated video as MP4, malloc'd: from the key picture at or before `from`.
     * -ERANGE: it ends before; -EINVAL: `camera` is NULL, and there are several; -EBADMSG: it cannot be read.
     */
    int (*session_video)(void *context, const char *id, const char *camera, double from, double seconds,
                         uint8_t **data, size_t *size);
    /* What is known of Lab Streaming Layer; false: it is not configured. NULL: nothing is. */
    bool (*lsl)(void *context, struct tf_lsl_told *ret);
    bool sessions_for_watchers; /* else only who controls may see them */
    void *context;
};

/* Errors as tf_rtsp_create. */
int tf_http_create(const struct tf_http_options *options, struct tf_http **ret, struct tf_error *err);
void tf_http_destroy(struct tf_http *http);
uint16_t tf_http_port(const struct tf_http *http);
/* From now on new connections get this certificate; -EINVAL: the server has none. From any thread. */
int tf_http_set_tls(struct tf_http *http, const struct tf_tls_pair *pair, struct tf_error *err);
/*
 * From now on the logins of `logins` count (user to tokens; nothing else of it is looked at). Connections
 * whose last request came with one that is not among them are ended, streams too. -EINVAL: the server asks
 * nobody, or would no more. From any thread.
 */
int tf_http_set_logins(struct tf_http *http, const struct tf_http_options *logins, struct tf_error *err);
/* Failed logins so far; from any thread. */
uint64_t tf_http_logins_failed(const struct tf_http *http);
/* The landmark stream as a sink; records of several cameras may come from several threads. The http outlives
 * it. */
struct tf_sink tf_http_sink(struct tf_http *http);
/*
 * Where the encoded pictures of a camera or a pair go for /video.mp4?camera=NAME; found again when it is
 * there. It lives as long as the http, and nobody may write into it after.
 */
int tf_http_live(struct tf_http *http, const char *name, struct tf_live **ret, struct tf_error *err);
uint32_t tf_http_clients(const struct tf_http *http, const char *camera);
uint64_t tf_http_dropped(const struct tf_http *http, const char *camera);

/* "user:password" on the first line of a file of at most 1 KiB (systemd LoadCredential). */
int tf_credentials_read(const char *path, char user[64], char password[128], struct tf_error *err);
/*
 * A bearer token a line, 16 to 256 of the characters that RFC 6750 allows; empty lines and those that begin
 * with # do not count. At most 64.
 */
int tf_tokens_read(const char *path, struct tf_tokens *ret, struct tf_error *err);

#endif
