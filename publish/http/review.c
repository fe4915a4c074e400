/* Recorded sessions: the list, one of them, its files, and its annotated video for browsers. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "publish/http/errand.h"

#define PIECE_MAX (8u << 20) /* bytes of a file that one answer to a range has */
#define SECONDS_MAX 60.0     /* of video in one answer */
#define SECONDS_USUAL 10.0

static void fail(struct tf_http_errand *e, int status, const char *text)
{
    e->status = status;
    e->type = NULL;
    free(e->text);
    if (asprintf(&e->text, "{\"error\":\"%s\"}\n", text) < 0)
        e->text = NULL;
}

static int status_of(int r)
{
    switch (-r) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP: /* a link: nothing of ours */
        return 404;
    case EINVAL:
        return 400;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    }
    return 500;
}

/* "/sessions/ID/REST"; false: it has more parts, or an empty one. */
static bool take_apart(const char *path, char id[TF_TARGET_PATH], const char **rest)
{
    const char *at = path + strlen("/sessions"), *slash;

    id[0] = '\0';
    *rest = NULL;
    if (!*at)
        return true;
    at++;
    slash = strchr(at, '/');
    if (!*at || slash == at || (slash && (!slash[1] || strchr(slash + 1, '/'))))
        return false;
    memcpy(id, at, slash ? (size_t)(slash - at) : strlen(at) + 1);
    if (slash) {
        id[slash - at] = '\0';
        *rest = slash + 1;
    }
    return true;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".json", "application/json"},
                                           {".ndjson", "application/x-ndjson"},
                                           {".tsv", "text/tab-separated-values; charset=utf-8"},
                                           {".csv", "text/csv; charset=utf-8"},
                                           {".gz", "application/gzip"},
                                           {".mkv", "video/x-matroska"},
                                           {".sha256", "text/plain; charset=utf-8"}};
    size_t n = strlen(name);

    for (size_t i = 0; i < TF_COUNT(types); i++) {
        size_t m = strlen(types[i][0]);

        if (n > m && strcmp(name + n - m, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* "bytes=A-B", "bytes=A-", "bytes=-N". False: none that is understood, and all is given (RFC 9110, 14.2). */
static bool read_range(const char *text, uint64_t total, uint64_t *first, uint64_t *last, bool *possible)
{
    char *end;
    bool tail;

    if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
        return false;
    text += 6;
    tail = *text == '-';
    if (tail)
        text++;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *first = strtoull(text, &end, 10);
    *last = total - 1;
    if (errno || (tail ? *end : *end != '-'))
        return false;
    if (tail) {
        *possible = *first > 0 && total > 0;
        *first = *first < total ? total - *first : 0;
        return true;
    }
    if (end[1]) {
        text = end + 1;
        if (*text < '0' || *text > '9')
            return false;
        *last = strtoull(text, &end, 10);
        if (errno || *end || *last < *first)
            return false;
    }
    *last = *last < total ? *last : total - 1;
    *possible = *first < total;
    return true;
}

static void read_piece(struct tf_http_errand *e, int fd, uint64_t first, uint64_t size)
{
    uint64_t done = 0;
    ssize_t n = 0;

    e->text = malloc(size ? size : 1);
    if (!e->text) {
        fail(e, 503, "no memory");
        return;
    }
    while (done < size) {
        n = pread(fd, e->text + done, size - done, (off_t)(first + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* it has become shorter: what is there */
        done += (uint64_t)n;
    }
    /* Half of a file must not look like a whole one. */
    if (n < 0 || (done < size && !done)) {
        fail(e, 500, "the file cannot be read");
        return;
    }
    e->size = done;
}

static void give_file(struct tf_http_errand *e, const char *id, const char *name)
{
    const struct tf_http_options *o = &e->q->http->options;
    int fd = o->session_file(o->context, id, name);
    uint64_t first = 0, last = 0;
    bool possible = true;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(e, fd < 0 ? status_of(fd) : 500, "there is no such file of a session");
        if (fd >= 0)
            close(fd);
        return;
    }
    e->type = type_of(name);
    e->ranges = true;
    e->total = (uint64_t)st.st_size;
    if (read_range(e->q->range, e->total, &first, &last, &possible)) {
        if (!possible) {
            fail(e, 416, "the file ends before that");
        } else {
            e->status = 206;
            e->at = first;
            read_piece(e, fd, first, last - first + 1 < PIECE_MAX ? last - first + 1 : PIECE_MAX);
        }
        close(fd);
    } else if (e->total <= PIECE_MAX) {
        e->status = 200;
        read_piece(e, fd, 0, e->total);
        close(fd);
    } else {
        e->status = 200;
        e->file = fd;
    }
}

/* A number from 0 on; `otherwise` where none is given. NAN: it is none. */
static double number(const struct tf_target_name *name, double otherwise)
{
    char *end;
    double v;

    if (!name->given)
        return otherwise;
    v = strtod(name->text, &end);
    return *end || !(v >= 0 && v < 1e9) ? (double)NAN : v;
}

static void give_video(struct tf_http_errand *e, const char *id)
{
    const struct tf_http_options *o = &e->q->http->options;
    const struct tf_target *t = &e->q->target;
    double from = number(&t->from, 0), seconds = number(&t->seconds, SECONDS_USUAL);
    uint8_t *data = NULL;
    int r;

    if (isnan(from) || isnan(seconds) || !(seconds > 0) || seconds > SECONDS_MAX) {
        fail(e, 400, "from= and seconds= are seconds, the latter at most 60");
        return;
    }
    r = o->session_video(o->context, id, t->camera.given ? t->camera.text : NULL, from, seconds, &data,
                         &e->size);
    if (r < 0) {
        fail(e, r == -ERANGE ? 416 : status_of(r),
             r == -ERANGE    ? "the video ends before that"
             : r == -EINVAL  ? "say which camera: ?camera=NAME"
             : r == -EBADMSG ? "the video cannot be read"
                             : "there is no such annotated video");
        return;
    }
    e->status = 200;
    e->type = "video/mp4";
    e->text = (char *)data;
}

static void do_review(struct tf_http_job *job)
{
    struct tf_http_errand *e = (struct tf_http_errand *)job;
    const struct tf_http_options *o = &e->q->http->options;
    char id[TF_TARGET_PATH];
    const char *rest;

    if (!take_apart(e->q->target.path, id, &rest))
        fail(e, 404, "there is /sessions, /sessions/ID and /sessions/ID/FILE");
    else if (!rest)
        e->status = o->session_list(o->context, *id ? id : NULL, &e->text);
    else if (strcmp(rest, "video.mp4") == 0)
        give_video(e, id);
    else
        give_file(e, id, rest);
}

enum MHD_Result tf_http_review(struct tf_http_request *q)
{
    const struct tf_http_options *o = &q->http->options;

    if (!o->session_list)
        return tf_http_error(q, 404, "nothing is recorded here");
    if (q->role < TF_HTTP_CONTROLS && !o->sessions_for_watchers)
        return tf_http_error(q, 403, "this login may look at what is now, not at recordings");
    return tf_http_run_errand(q, TF_HTTP_JOBS_REVIEW, do_review);
}
