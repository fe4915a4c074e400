/* /mjpeg: pictures of one name as JPEG, made in the pictures' thread, once for all who watch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/http/server.h"

#define EVERY_NS 100000000ull  /* ten pictures a second */
#define AGAIN_NS 15000000ull   /* there was no new one yet */
#define ABSENT_NS 500000000ull /* a camera that is away, or one that has no picture */

struct tf_http_motion {
    struct tf_http_job job; /* first */
    struct tf_http_motion *next;
    struct tf_http *http;
    char name[TF_TARGET_NAME];
    bool pair, running, none;
    unsigned viewers;
    uint64_t due_ns, number, version;
    struct tf_http_part *newest;
    /* The job's. */
    int made;
    struct tf_snapshot snapshot;
};

static void make(struct tf_http_job *job)
{
    struct tf_http_motion *m = (struct tf_http_motion *)job;

    m->made = m->http->options.snapshot(m->http->options.context, m->name, &m->snapshot);
}

void tf_http_part_release(struct tf_http_part *part)
{
    if (part && --part->references == 0)
        free(part);
}

struct tf_http_motion *tf_http_motion_enter(struct tf_http *http, const char *name, bool pair)
{
    struct tf_http_motion *m = http->motions;

    while (m && (m->pair != pair || strcmp(m->name, name) != 0))
        m = m->next;
    if (!m) {
        m = calloc(1, sizeof(*m));
        if (!m)
            return NULL;
        m->http = http;
        m->pair = pair;
        snprintf(m->name, sizeof(m->name), "%s", name);
        m->next = http->motions;
        http->motions = m;
    }
    /* Who comes first does not get what the last one has left. */
    if (!m->viewers) {
        tf_http_part_release(m->newest);
        m->newest = NULL;
        m->version = 0;
        m->none = false;
        m->due_ns = 0;
    }
    m->viewers++;
    return m;
}

void tf_http_motion_leave(struct tf_http *http, struct tf_http_motion *m)
{
    struct tf_http_motion **at = &http->motions;

    m->viewers--;
    if (m->viewers || m->running)
        return;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    tf_http_part_release(m->newest);
    free(m);
}

struct tf_http_part *tf_http_motion_take(struct tf_http_motion *m, uint64_t *number)
{
    if (!tf_http_motion_has(m, *number))
        return NULL;
    *number = m->number;
    m->newest->references++;
    return m->newest;
}

uint32_t tf_http_motion_viewers(const struct tf_http *http, const char *name)
{
    for (const struct tf_http_motion *m = http->motions; m; m = m->next)
        if (!m->pair && strcmp(m->name, name) == 0)
            return m->viewers;
    return 0;
}

bool tf_http_motion_has(const struct tf_http_motion *m, uint64_t number)
{
    return m->newest && m->number != number;
}

bool tf_http_motion_is_none(const struct tf_http_motion *m)
{
    return m->none;
}

/*
 * Head, picture, and the boundary that ends it: a browser shows a part when it has seen its end, and would
 * wait for the next one if each began with the boundary.
 */
static struct tf_http_part *part_of(const struct tf_snapshot *s)
{
    static const char end[] = "\r\n--" TF_HTTP_BOUNDARY "\r\n";
    char head[192];
    size_t n = (size_t)snprintf(head, sizeof(head),
                                "Content-Type: image/jpeg\r\nContent-Length: %zu\r\n"
                                "X-Frame: %llu\r\nX-T-Mono-Ns: %llu\r\n\r\n",
                                s->size, (unsigned long long)s->frame, (unsigned long long)s->t_mono_ns);
    struct tf_http_part *part = malloc(sizeof(*part) + n + s->size + sizeof(end));

    if (!part)
        return NULL;
    part->references = 1;
    part->size = n + s->size + sizeof(end) - 1;
    memcpy(part->data, head, n);
    memcpy(part->data + n, s->data, s->size);
    memcpy(part->data + n + s->size, end, sizeof(end) - 1);
    return part;
}

static void harvest(struct tf_http_motion *m, uint64_t now_ns)
{
    struct tf_http_part *part;

    m->running = false;
    if (m->made == -EALREADY) {
        m->due_ns = now_ns + AGAIN_NS;
        return;
    }
    m->due_ns += EVERY_NS;
    if (m->due_ns < now_ns)
        m->due_ns = now_ns;
    if (m->made < 0) {
        m->none = m->made == -ENOENT;
        m->due_ns = now_ns + ABSENT_NS;
        return;
    }
    if (!m->snapshot.version && !m->pair) /* a card, which is always new */
        m->due_ns = now_ns + ABSENT_NS;
    part = part_of(&m->snapshot);
    free(m->snapshot.data);
    m->snapshot.data = NULL;
    if (!part)
        return;
    tf_http_part_release(m->newest);
    m->newest = part;
    m->version = m->snapshot.version;
    m->number++;
}

static void send_for(struct tf_http_motion *m, uint64_t now_ns)
{
    m->job.work = make;
    m->snapshot = (struct tf_snapshot){.format = TF_SNAPSHOT_JPEG, .version = m->version};
    if (tf_http_jobs_add(m->http->jobs[TF_HTTP_JOBS_PICTURE], &m->job) == 0)
        m->running = true;
    else
        m->due_ns = now_ns + EVERY_NS;
    if (m->running && m->due_ns + EVERY_NS < now_ns)
        m->due_ns = now_ns;
}

void tf_http_motions_run(struct tf_http *http, uint64_t now_ns)
{
    struct tf_http_motion *next;

    for (struct tf_http_motion *m = http->motions; m; m = next) {
        next = m->next;
        if (m->running && tf_http_job_done(&m->job))
            harvest(m, now_ns);
        if (!m->running && m->viewers && !m->none && m->due_ns <= now_ns && !atomic_load(&http->stopping))
            send_for(m, now_ns);
        if (!m->running && !m->viewers) { /* its viewers have gone while it was being made */
            m->viewers = 1;
            tf_http_motion_leave(http, m);
        }
    }
}

uint64_t tf_http_motions_until(const struct tf_http *http)
{
    uint64_t until = UINT64_MAX;

    for (const struct tf_http_motion *m = http->motions; m; m = m->next)
        if (m->viewers && !m->running && !m->none && m->due_ns < until)
            until = m->due_ns;
    return until;
}

void tf_http_motions_free(struct tf_http *http)
{
    while (http->motions) {
        struct tf_http_motion *m = http->motions;

        http->motions = m->next;
        tf_http_part_release(m->newest);
        if (m->running)
            free(m->snapshot.data);
        free(m);
    }
}
