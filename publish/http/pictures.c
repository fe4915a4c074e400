/* /snapshot: pictures are made once a frame, however many ask, and never in the server's thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/http/server.h"

#define WAITERS_MAX 32

/* The latest picture of one name in one format, and the job that makes the next. */
struct tf_http_picture {
    struct tf_http_job job; /* first */
    struct tf_http_picture *next;
    struct tf_http *http;
    char name[TF_TARGET_NAME];
    bool pair;
    enum tf_snapshot_format format;
    unsigned waiters;
    bool running;
    int result;
    uint64_t version; /* of `response` */
    struct MHD_Response *response;
    /* The job's. */
    int made;
    struct tf_snapshot snapshot;
};

static void make(struct tf_http_job *job)
{
    struct tf_http_picture *p = (struct tf_http_picture *)job;

    p->made = p->http->options.snapshot(p->http->options.context, p->name, &p->snapshot);
}

static void destroy(struct tf_http_picture *p)
{
    if (p->response)
        MHD_destroy_response(p->response);
    free(p->snapshot.data);
    free(p);
}

/* Takes over what the job has made. */
static void harvest(struct tf_http_picture *p)
{
    struct MHD_Response *response;

    p->running = false;
    p->result = p->made == -EALREADY && p->response ? 0 : p->made;
    if (p->made != 0)
        return;
    response = MHD_create_response_from_buffer(p->snapshot.size, p->snapshot.data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(p->snapshot.data);
    p->snapshot.data = NULL;
    if (p->response)
        MHD_destroy_response(p->response);
    p->response = response;
    p->version = p->snapshot.version;
    p->result = response ? 0 : -ENOMEM;
    if (response) {
        char number[24];

        snprintf(number, sizeof(number), "%llu", (unsigned long long)p->snapshot.frame);
        MHD_add_response_header(response, "X-Frame", number);
        snprintf(number, sizeof(number), "%llu", (unsigned long long)p->snapshot.t_mono_ns);
        MHD_add_response_header(response, "X-T-Mono-Ns", number);
    }
    if (response)
        tf_http_add_headers(response, p->format == TF_SNAPSHOT_PNG ? "image/png" : "image/jpeg");
}

static void forget_if_useless(struct tf_http *http, struct tf_http_picture *p)
{
    struct tf_http_picture **at = &http->pictures;

    if (p->waiters || p->running || p->result == 0)
        return;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    destroy(p);
}

static struct tf_http_picture *find(struct tf_http *http, const char *name, bool pair,
                                    enum tf_snapshot_format format)
{
    struct tf_http_picture *p = http->pictures;

    while (p && (p->format != format || p->pair != pair || strcmp(p->name, name) != 0))
        p = p->next;
    if (p || !(p = calloc(1, sizeof(*p))))
        return p;
    p->http = http;
    p->pair = pair;
    p->format = format;
    p->result = -EAGAIN;
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->next = http->pictures;
    http->pictures = p;
    return p;
}

static enum MHD_Result begin(struct tf_http_request *q, const char *name, bool pair,
                             enum tf_snapshot_format format)
{
    struct tf_http *http = q->http;
    struct tf_http_picture *p;

    if (http->picture_waiters >= WAITERS_MAX)
        return tf_http_error(q, 503, "%u requests wait for pictures already", WAITERS_MAX);
    p = find(http, name, pair, format);
    if (!p)
        return tf_http_error(q, 500, "no memory");
    if (p->running && tf_http_job_done(&p->job))
        harvest(p);
    if (!p->running) {
        p->job.work = make;
        p->snapshot = (struct tf_snapshot){.format = format, .version = p->response ? p->version : 0};
        if (tf_http_jobs_add(http->jobs[TF_HTTP_JOBS_PICTURE], &p->job) < 0) {
            forget_if_useless(http, p);
            return tf_http_error(q, 503,
                                 http->jobs[TF_HTTP_JOBS_PICTURE] ? "too many pictures are wanted at once"
                                                                  : "the service is ending");
        }
        p->running = true;
    }
    p->waiters++;
    http->picture_waiters++;
    q->picture = p;
    q->job = &p->job;
    tf_place_enter(&http->places, q->place, TF_PLACE_WAITING, tf_now_ns());
    tf_http_suspend(q);
    return MHD_YES;
}

void tf_http_leave_picture(struct tf_http_request *q)
{
    struct tf_http_picture *p = q->picture;

    /* Without a picture the job is an errand's. */
    if (!p)
        return;
    q->picture = NULL;
    q->job = NULL;
    p->waiters--;
    q->http->picture_waiters--;
    forget_if_useless(q->http, p);
}

enum MHD_Result tf_http_give_picture(struct tf_http_request *q, const char *name, bool pair,
                                     enum tf_snapshot_format format)
{
    const char *kind = pair ? "pair" : "camera";
    struct tf_http_picture *p = q->picture;
    enum MHD_Result result;

    if (!p)
        return begin(q, name, pair, format);
    if (p->running && tf_http_job_done(&p->job))
        harvest(p);
    if (p->result == 0) {
        tf_place_enter(&q->http->places, q->place, TF_PLACE_ANSWERING, tf_now_ns());
        result = MHD_queue_response(q->connection, 200, p->response);
    } else if (p->result == -ENOENT) {
        result = tf_http_error(q, 404, "%s \"%.64s\" has no pictures", kind, name);
    } else if (p->result == -EAGAIN) {
        result = tf_http_error(q, 503, "%s \"%.64s\" has not delivered a picture yet", kind, name);
    } else {
        result = tf_http_error(q, 500, "no snapshot of %s \"%.64s\": %s", kind, name, strerror(-p->result));
    }
    tf_http_leave_picture(q);
    return result;
}

void tf_http_free_pictures(struct tf_http *http)
{
    while (http->pictures) {
        struct tf_http_picture *p = http->pictures;

        http->pictures = p->next;
        destroy(p);
    }
}
