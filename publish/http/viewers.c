/* /video.mp4 and /mjpeg: connections that take pictures; they sleep until there is one. */
#include "publish/http/viewers.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "publish/http/server.h"

#define CHUNK (64 * 1024)
/* What the kernel may keep unsent: more would be shown late, and hide from us that the line is slow. */
#define UNSENT_BYTES (96 * 1024)

struct tf_http_viewer {
    struct tf_http *http;
    struct tf_http_viewer *next;
    struct MHD_Connection *connection;
    bool suspended;
    struct tf_live_viewer *live; /* of /video.mp4; NULL: */
    struct tf_http_motion *motion;
    uint64_t number;
    struct tf_http_part *part; /* that is being sent */
    size_t at;
};

static const char opening[] = "--" TF_HTTP_BOUNDARY "\r\n";

/* Bytes, 0 for nothing yet, -1 for the end. */
static ssize_t read_motion(struct tf_http_viewer *v, uint64_t position, char *buffer, size_t max)
{
    size_t n;

    if (position < sizeof(opening) - 1) {
        n = sizeof(opening) - 1 - (size_t)position;
        n = n < max ? n : max;
        memcpy(buffer, opening + position, n);
        return (ssize_t)n;
    }
    if (v->part && v->at == v->part->size) {
        tf_http_part_release(v->part);
        v->part = NULL;
    }
    if (!v->part) {
        v->part = tf_http_motion_take(v->motion, &v->number);
        v->at = 0;
    }
    if (!v->part)
        return tf_http_motion_is_none(v->motion) ? -1 : 0;
    n = v->part->size - v->at < max ? v->part->size - v->at : max;
    memcpy(buffer, v->part->data + v->at, n);
    v->at += n;
    return (ssize_t)n;
}

static ssize_t read_viewer(void *context, uint64_t position, char *buffer, size_t max)
{
    struct tf_http_viewer *v = context;
    ssize_t n;

    if (atomic_load(&v->http->stopping))
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = v->live ? (ssize_t)tf_live_viewer_read(v->live, (uint8_t *)buffer, max)
                : read_motion(v, position, buffer, max);
    if (n > 0)
        return n;
    if (n < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (tf_http_peer_closed(v->connection))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    v->suspended = true;
    MHD_suspend_connection(v->connection);
    return 0;
}

static void close_viewer(void *context)
{
    struct tf_http_viewer *v = context;

    for (struct tf_http_viewer **at = &v->http->viewers; *at; at = &(*at)->next)
        if (*at == v) {
            *at = v->next;
            v->http->viewer_count--;
            break;
        }
    tf_live_viewer_destroy(v->live);
    if (v->motion)
        tf_http_motion_leave(v->http, v->motion);
    tf_http_part_release(v->part);
    free(v);
}

static void keep_short(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int unsent = UNSENT_BYTES;

    if (info)
        setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

enum MHD_Result tf_http_open_viewer(struct tf_http_request *q, const char *name, bool pair,
                                    enum tf_http_viewing kind)
{
    static const char *const types[] = {
        [TF_HTTP_MP4] = "video/mp4",
        [TF_HTTP_MOTION] = "multipart/x-mixed-replace; boundary=" TF_HTTP_BOUNDARY,
    };
    struct tf_http *http = q->http;
    struct tf_live *live = kind == TF_HTTP_MP4 ? tf_http_find_live(http, name) : NULL;
    struct MHD_Response *response;
    struct tf_http_viewer *v;
    enum MHD_Result result;

    if (kind == TF_HTTP_MP4 && !live)
        return tf_http_error(q, 404, "%s \"%.64s\" has no pictures", pair ? "pair" : "camera", name);
    if (http->viewer_count >= http->options.viewers_max)
        return tf_http_error(q, 503, "all %u places for viewers are taken", http->options.viewers_max);
    if (q->head) { /* libmicrohttpd would end its chunks, of which HEAD has none */
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (response)
            MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        return tf_http_queue(q, 200, types[kind], response);
    }
    v = calloc(1, sizeof(*v));
    if (!v)
        return tf_http_error(q, 500, "no memory");
    v->http = http;
    v->connection = q->connection;
    v->next = http->viewers;
    http->viewers = v;
    http->viewer_count++;
    if (live)
        tf_live_viewer_create(live, &v->live);
    else
        v->motion = tf_http_motion_enter(http, name, pair);
    response = v->live || v->motion
                   ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK, read_viewer, v, close_viewer)
                   : NULL;
    if (!response) {
        close_viewer(v);
        return tf_http_error(q, 500, "no memory");
    }
    keep_short(q->connection);
    result = tf_http_queue(q, 200, types[kind], response);
    if (result == MHD_YES)
        tf_place_enter(&http->places, q->place, TF_PLACE_STREAMING, q->t_mono_ns);
    return result;
}

static bool is_ready(const struct tf_http_viewer *v)
{
    return v->live ? tf_live_viewer_ready(v->live)
                   : tf_http_motion_has(v->motion, v->number) || tf_http_motion_is_none(v->motion);
}

void tf_http_resume_viewers(struct tf_http *http, bool all)
{
    for (struct tf_http_viewer *v = http->viewers; v; v = v->next)
        if (v->suspended && (all || is_ready(v))) {
            v->suspended = false;
            MHD_resume_connection(v->connection);
        }
}
