/* The HTTP server's inside, shared by its two files: server.c (server and thread) and routes.c (requests).
 */
#ifndef TF_PUBLISH_HTTP_SERVER_H
#define TF_PUBLISH_HTTP_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "publish/http/http.h"
#include "publish/http/stream.h"

#define TF_HTTP_CAMERAS_MAX 16

/* One client of /landmarks; lives in the server's thread. */
struct tf_http_client {
    struct tf_http *http;
    struct tf_http_client *next;
    struct tf_stream_reader *readers[TF_HTTP_CAMERAS_MAX]; /* of one camera, or of all */
    int count, turn;                                       /* turn: whose records come next */
    struct MHD_Connection *connection;
    bool suspended;
};

struct tf_http {
    struct MHD_Daemon *daemon;
    struct tf_http_options options;
    char *user, *password;
    bool loopback;
    uint16_t port;
    uint64_t started_ns;
    pthread_t thread;
    bool thread_runs;
    int bell;
    atomic_bool stopping;
    _Atomic uint32_t connections;
    struct tf_http_client *clients;

    pthread_mutex_t lock; /* adding a camera */
    struct tf_stream *streams[TF_HTTP_CAMERAS_MAX];
    _Atomic int stream_count;

    struct tf_status statuses[TF_HTTP_CAMERAS_MAX]; /* the server's thread's copy */
    char nonce_seed[32];                            /* libmicrohttpd keeps the pointer */
};

/* server.c */
/* Finds a camera's stream or adds one; NULL when memory or places run out. */
struct tf_stream *tf_http_stream(struct tf_http *http, const char *camera);
/* Fills http->statuses; returns how many cameras there are. From the server's thread. */
int tf_http_ask_status(struct tf_http *http);

/* routes.c; from the server's thread */
enum MHD_Result tf_http_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request);
/* Frees what tf_http_handle kept of a request. */
void tf_http_completed(void *context, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why);
/* Resumes the clients for whom there is something, or all of them, so that each looks after its socket. */
void tf_http_resume_clients(struct tf_http *http, bool all);

#endif
