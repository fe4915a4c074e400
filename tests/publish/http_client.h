/* The HTTP server for real, on a free port of this machine, with a made-up service behind it, and clients:
 * libcurl and bare sockets. */
#ifndef TF_TESTS_PUBLISH_HTTP_CLIENT_H
#define TF_TESTS_PUBLISH_HTTP_CLIENT_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "publish/http/http.h"

#define SECOND TF_NS_PER_S

/* What the server is told. Changed by a test while the server's thread asks. */
extern struct world {
    _Atomic int cameras;
    _Atomic int healthy;
    _Atomic int snapshot;     /* below 0: snapshots fail with it */
    _Atomic int snapshot_us;  /* how long one takes */
    _Atomic int snapshots;    /* how many were asked for */
    _Atomic uint64_t version; /* of the next */
} world;

extern struct tf_record record; /* the last one sent; of the main thread */

/* A server before a world of one healthy camera. */
struct tf_http *start(struct tf_http_options options);
/* Ends it, and fails when that takes a second. */
void stop(struct tf_http *http);

struct reply {
    long status;
    char type[128], allow[64], challenge[512];
    char *body; /* the caller's to free; never NULL */
    size_t size;
};

struct request {
    const char *host, *method, *body, *host_header, *user;
    long auth; /* CURLAUTH_ */
    bool head;
};

struct reply ask_as(struct tf_http *http, const char *path, const struct request *q);
struct reply ask(struct tf_http *http, const char *path);
long ask_status_of(struct tf_http *http, const char *path, const struct request *q);

/* Bare sockets; receive_bytes: a small buffer makes a slow client, 0 leaves the system's. */
int open_socket(struct tf_http *http, int receive_bytes);
void say(int fd, const char *text, size_t size);
int open_stream(struct tf_http *http, const char *camera, int receive_bytes);

/* Waits until so many clients read. */
void await_clients(struct tf_http *http, const char *camera, uint32_t count);

/* Reads the head of an answer, then whole lines. */
struct lines {
    int fd;
    char *text; /* the caller's to free */
    size_t size, at;
};

struct lines read_head(int fd);
/* The next line without its end; NULL when the server has ended. */
char *next_line(struct lines *l);
json_int_t frame_of(const char *line);

void send_record(struct tf_http *http, const char *camera, uint64_t frame, uint32_t faces);

#endif
