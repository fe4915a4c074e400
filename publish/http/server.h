/*
 * The HTTP server's inside, shared by its files; publish/http/ only.
 *
 *   server.c    the server, its thread, its socket
 *   place.c     connections: deadlines, shares, who goes when all places are taken
 *   target.c    a request's first line
 *   request.c   a request from its first byte to its answer
 *   access.c    who may ask for what
 *   routes.c    the one table of paths and methods, and what each answers
 *   landmarks.c the readers of records; stream.c their rings
 *   viewers.c   those who take pictures; motion.c makes their JPEGs
 *   review.c    recorded sessions; download.c sends their files
 *   files.c     the console's files
 *   jobs.c      what takes longer than a moment, in threads of its own
 *   texts.c     /state and /metrics
 *
 * Everything that touches libmicrohttpd happens in the server's thread, which never waits for anybody.
 */
#ifndef TF_PUBLISH_HTTP_SERVER_H
#define TF_PUBLISH_HTTP_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "publish/http/access.h"
#include "publish/http/http.h"
#include "publish/http/jobs.h"
#include "publish/http/place.h"
#include "publish/http/secure.h"
#include "publish/http/stream.h"
#include "publish/http/target.h"
#include "publish/http/viewers.h"
#include "publish/video/live.h"

#define TF_HTTP_CAMERAS_MAX 16
#define TF_HTTP_LIVES_MAX 32 /* cameras and pairs */
#define TF_HTTP_PROXIES_MAX 16
#define TF_HTTP_BODY_MAX (16u << 10)
#define TF_HTTP_DOWNLOADS_MAX 16 /* each has a piece of its file in memory */

/* A reader of /landmarks; lives in the server's thread. */
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
    struct tf_http_access access;
    bool asks;                     /* for a login */
    bool logins_gone;              /* some that were taken once are none any more */
    struct tf_http_secure *secure; /* NULL: without TLS */
    uint16_t port;
    uint64_t started_ns;
    pthread_t thread;
    bool thread_runs;
    int listener, bell;
    uint64_t listen_again_ns; /* 0, or when accepting goes on after descriptors ran out */
    atomic_bool stopping;
    struct tf_places places;
    struct tf_address proxies[TF_HTTP_PROXIES_MAX];
    unsigned proxy_count;
    struct tf_place *accepting; /* the place of the connection that libmicrohttpd is being given */
    struct tf_http_client *clients;
    unsigned client_count;
    struct tf_http_viewer *viewers;
    unsigned viewer_count;
    struct tf_http_motion *motions;
    struct tf_http_download *downloads;
    unsigned download_count;
    struct tf_http_request *held; /* suspended requests */
    struct tf_http_jobs *jobs[TF_HTTP_JOB_QUEUES];
    struct tf_http_picture *pictures; /* the latest, encoded */
    unsigned picture_waiters;

    pthread_mutex_t lock;               /* adding a camera, next_access */
    struct tf_http_access *next_access; /* read again, not taken over yet */
    struct tf_live *lives[TF_HTTP_LIVES_MAX];
    _Atomic int live_count;
    struct tf_stream *streams[TF_HTTP_CAMERAS_MAX];
    _Atomic int stream_count;

    struct tf_status statuses[TF_HTTP_CAMERAS_MAX]; /* the server's thread's copy */
    char nonce_seed[32];                            /* libmicrohttpd keeps the pointer */
};

/* --- request.c --- */

/* Header fields that decide how a request is understood. */
struct tf_http_head {
    const char *host, *type, *origin, *site, *destination, *range;
    unsigned hosts, lengths, codings, types, origins, authorisations;
    uint64_t length; /* Content-Length as far as it matters: at most TF_HTTP_BODY_MAX + 1 is told apart */
    bool chunked, other_coding, malformed, expects;
};

struct tf_http_route;

/* One request; made when its first line is there, freed when its answer is out or its connection gone. */
struct tf_http_request {
    struct tf_http *http;
    struct MHD_Connection *connection;
    struct tf_place *place;
    struct tf_target target;
    const char *wrong;   /* what is wrong with its first line, or NULL */
    const char *version; /* where the version follows the target */
    uint64_t t_mono_ns;  /* when its headers were here: the moment that a mark stands for */
    int64_t t_utc_ns;
    bool begun;
    const struct tf_http_route *route;
    char route_name[64]; /* what "*" of the route stands for */
    enum tf_http_role role;
    const char *range; /* the field Range, or NULL; lives as long as the request */

    /* Decided when the headers came; sent once a short body has gone by, or at once. */
    struct MHD_Response *refusal;
    unsigned refusal_status; /* 0: not refused */
    bool refuse_now, challenge, stale, drop;
    bool head; /* HEAD: no body, please */

    char *body; /* of a POST that is taken; NUL-terminated when it is whole */
    size_t size, ignored;

    /* While it is suspended: until a time, or until its job is done. */
    struct tf_http_request *next_held;
    uint64_t hold_until_ns;
    struct tf_http_job *job;
    struct tf_http_picture *picture;
};

/* libmicrohttpd's callbacks. */
void *tf_http_first_line(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result tf_http_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request);
void tf_http_completed(void *context, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why);

/* Until its job is done or hold_until_ns has come; `answer` is called again then. */
void tf_http_suspend(struct tf_http_request *q);
/* Those that have waited long enough; all of them when the server stops. */
void tf_http_resume_held(struct tf_http *http, uint64_t now_ns);
/* When tf_http_resume_held has to be called next for a time's sake; UINT64_MAX: not. */
uint64_t tf_http_held_until(const struct tf_http *http);

/* --- answers, also in request.c --- */

/* What every answer says: its type, and that it is not to be stored, guessed at or embedded elsewhere. */
void tf_http_add_headers(struct MHD_Response *response, const char *type);
/* Takes the response over; NULL closes the connection. `type` NULL: it has its headers already. */
enum MHD_Result tf_http_queue(struct tf_http_request *q, unsigned status, const char *type,
                              struct MHD_Response *response);
enum MHD_Result tf_http_say(struct tf_http_request *q, unsigned status, const char *type, const char *text);
/* Takes malloc'd data over; NULL: out of memory. */
enum MHD_Result tf_http_give(struct tf_http_request *q, unsigned status, const char *type, void *data,
                             size_t size);
/* {"error":"…"} */
enum MHD_Result tf_http_error(struct tf_http_request *q, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct MHD_Response *tf_http_error_response(unsigned status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- routes.c --- */

enum tf_http_method {
    TF_HTTP_GET = 1, /* and HEAD */
    TF_HTTP_POST = 2,
    TF_HTTP_PUT = 4,
};

struct tf_http_route {
    const char *path; /* "*" stands for one name */
    enum tf_http_method method;
    bool always; /* answers whoever else is there: its connection is the last to make room */
    enum MHD_Result (*answer)(struct tf_http_request *q);
    int what; /* for `answer` */
};

/*
 * The route of a path and method. NULL: none; *methods are those that the path has (0: there is no such
 * path). `name` is what "*" stands for.
 */
const struct tf_http_route *tf_http_find_route(const char *path, enum tf_http_method method, char name[64],
                                               unsigned *methods);
/* What a request that goes away had sent for. */
void tf_http_leave_errand(struct tf_http_request *q);

/* --- pictures.c --- */

/*
 * Answers with the latest picture of a camera or a pair, made in a thread of its own; those who ask while it
 * is being made share it. Called again when it is there.
 */
enum MHD_Result tf_http_give_picture(struct tf_http_request *q, const char *name, bool pair,
                                     enum tf_snapshot_format format);
/* What a request that goes away had of a picture. */
void tf_http_leave_picture(struct tf_http_request *q);
void tf_http_free_pictures(struct tf_http *http);

/* --- landmarks.c --- */

/* The records of `count` cameras over one connection. */
enum MHD_Result tf_http_open_stream(struct tf_http_request *q, const char *const *cameras, int count);
/* Resumes the clients for whom there is something, or all of them, so that each looks after its socket. */
void tf_http_resume_clients(struct tf_http *http, bool all);

/* --- files.c --- */

/* A file of the console. */
enum MHD_Result tf_http_give_file(struct tf_http_request *q);

/* --- viewers.c --- */

enum tf_http_viewing {
    TF_HTTP_MP4,
    TF_HTTP_MOTION,
};
/* Pictures of a camera or a pair as long as somebody takes them. */
enum MHD_Result tf_http_open_viewer(struct tf_http_request *q, const char *name, bool pair,
                                    enum tf_http_viewing kind);

/* --- server.c --- */

/* What has pictures and is none of the `count` cameras in http->statuses; returns how many. */
int tf_http_list_pairs(const struct tf_http *http, int count, const char *pairs[TF_HTTP_LIVES_MAX]);
/* NULL: it has no pictures. */
struct tf_live *tf_http_find_live(const struct tf_http *http, const char *name);
/* Resumes those whose next piece is there. */
void tf_http_resume_downloads(struct tf_http *http);
/* A suspended connection is not polled, so a client that went away is noticed by asking its socket. */
bool tf_http_peer_closed(struct MHD_Connection *connection);

/* Finds a camera's stream or adds one; NULL when memory or places run out. */
struct tf_stream *tf_http_stream(struct tf_http *http, const char *camera);
/* Fills http->statuses; returns how many cameras there are. From the server's thread. */
int tf_http_ask_status(struct tf_http *http);
/* From any thread: there is something to look after. */
void tf_http_ring(struct tf_http *http);

#endif
