/* A file that is sent whole: read piece by piece in the review's thread, so that no disk stops the server's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "publish/http/errand.h"

#define CHUNK (64 * 1024)
#define PIECE (1u << 20)

struct tf_http_download {
    struct tf_http_job job; /* first */
    struct tf_http *http;
    struct tf_http_download *next;
    struct MHD_Connection *connection;
    int file;
    bool suspended, running;
    uint64_t at; /* in the file, of the piece */
    /* The job's while it runs. */
    size_t size;
    bool ended; /* there is no more, or it cannot be read */
    char piece[PIECE];
};

static void read_piece(struct tf_http_job *job)
{
    struct tf_http_download *d = (struct tf_http_download *)job;

    d->size = 0;
    while (d->size < PIECE) {
        ssize_t n = pread(d->file, d->piece + d->size, PIECE - d->size, (off_t)(d->at + d->size));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        d->size += (size_t)n;
    }
    d->ended = d->size == 0;
}

static ssize_t send_piece(void *context, uint64_t position, char *buffer, size_t max)
{
    struct tf_http_download *d = context;

    if (d->running && tf_http_job_done(&d->job))
        d->running = false;
    if (!d->running && position >= d->at && position - d->at < d->size) {
        size_t left = d->size - (size_t)(position - d->at), n = left < max ? left : max;

        memcpy(buffer, d->piece + (position - d->at), n);
        return (ssize_t)n;
    }
    if (!d->running && (d->ended || atomic_load(&d->http->stopping)))
        return MHD_CONTENT_READER_END_WITH_ERROR; /* shorter than was said: the client has to notice */
    if (!d->running) {
        d->at = position;
        d->size = 0;
        d->running = tf_http_jobs_add(d->http->jobs[TF_HTTP_JOBS_REVIEW], &d->job) == 0;
    }
    d->suspended = true;
    MHD_suspend_connection(d->connection);
    return 0;
}

/* Never while its job runs: its connection is suspended until then. */
static void end_download(void *context)
{
    struct tf_http_download *d = context;

    for (struct tf_http_download **at = &d->http->downloads; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            d->http->download_count--;
            break;
        }
    close(d->file);
    free(d);
}

struct MHD_Response *tf_http_open_download(struct tf_http_request *q, int file, uint64_t size)
{
    struct tf_http_download *d = malloc(sizeof(*d));
    struct MHD_Response *response;

    if (!d) {
        close(file);
        return NULL;
    }
    d->job.work = read_piece;
    d->http = q->http;
    d->connection = q->connection;
    d->file = file;
    d->suspended = d->running = d->ended = false;
    d->at = d->size = 0;
    d->next = q->http->downloads;
    q->http->downloads = d;
    q->http->download_count++;
    response = MHD_create_response_from_callback(size, CHUNK, send_piece, d, end_download);
    if (!response)
        end_download(d);
    return response;
}

void tf_http_resume_downloads(struct tf_http *http)
{
    for (struct tf_http_download *d = http->downloads; d; d = d->next)
        if (d->suspended && (!d->running || tf_http_job_done(&d->job))) {
            d->suspended = false;
            MHD_resume_connection(d->connection);
        }
}
