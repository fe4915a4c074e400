/* What the HTTP server answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "publish/http/server.h"
#include "publish/http/texts.h"
#include "publish/text_out.h"

#define REALM "thermoface"
#define OPAQUE "11733b200778ce33060f31c9af70a870" /* any constant: it is echoed, and ignored */
#define STREAM_CHUNK (64 * 1024)

/* --- answers --- */

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct MHD_Response *response)
{
    enum MHD_Result r;

    if (!response)
        return MHD_NO; /* closes the connection */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *text)
{
    return queue(connection, status, type,
                 MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

/* Takes malloc'd data over; NULL: out of memory. */
static enum MHD_Result answer_owned(struct MHD_Connection *connection, const char *type, void *data,
                                    size_t size)
{
    struct MHD_Response *response;

    if (!data)
        return answer(connection, 500, "application/json", "{\"error\":\"no memory\"}\n");
    response = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(data);
    return queue(connection, 200, type, response);
}

static struct MHD_Response *error_response(const char *format, va_list args)
{
    char message[512], text[6 * sizeof(message) + 32];
    struct tf_out o = {.at = text, .end = text + sizeof(text)};

    vsnprintf(message, sizeof(message), format, args);
    tf_out_literal(&o, "{\"error\":");
    tf_out_json_text(&o, message, sizeof(message));
    tf_out_literal(&o, "}\n");
    return MHD_create_response_from_buffer((size_t)(o.at - text), text, MHD_RESPMEM_MUST_COPY);
}

__attribute__((format(printf, 3, 4))) static enum MHD_Result
answer_error(struct MHD_Connection *connection, unsigned status, const char *format, ...)
{
    const char *allow = strstr(format, "POST") ? "POST" : "GET, HEAD";
    struct MHD_Response *response;
    va_list args;

    va_start(args, format);
    response = error_response(format, args);
    va_end(args);
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return queue(connection, status, "application/json", response);
}

/* --- /landmarks --- */

/* A suspended connection is not polled, so a client that went away is noticed by asking its socket. */
static bool peer_closed(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char c;
    ssize_t n;

    if (!info)
        return false;
    n = recv(info->connect_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Each camera in turn gives what fits: none can keep another's records back. */
static size_t read_readers(struct tf_http_client *client, char *buffer, size_t max)
{
    size_t n = 0;

    for (int tried = 0; tried < client->count; tried++) {
        struct tf_stream_reader *reader = client->readers[client->turn];

        n += tf_stream_reader_read(reader, buffer + n, max - n);
        if (tf_stream_reader_within(reader) || n == max)
            break;
        client->turn = (client->turn + 1) % client->count;
    }
    return n;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t max)
{
    struct tf_http_client *client = context;
    size_t n;

    if (atomic_load(&client->http->stopping))
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = read_readers(client, buffer, max);
    if (n)
        return (ssize_t)n;
    if (peer_closed(client->connection))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    client->suspended = true;
    MHD_suspend_connection(client->connection);
    return 0;
}

static void free_client(struct tf_http_client *client)
{
    for (int i = 0; i < client->count; i++)
        tf_stream_reader_destroy(client->readers[i]);
    free(client);
}

static void close_stream(void *context)
{
    struct tf_http_client *client = context;

    for (struct tf_http_client **at = &client->http->clients; *at; at = &(*at)->next)
        if (*at == client) {
            *at = client->next;
            break;
        }
    free_client(client);
}

/* The records of `count` cameras over one connection; each line names its camera. */
static enum MHD_Result open_stream(struct tf_http *http, struct MHD_Connection *connection,
                                   const char *const *cameras, int count)
{
    struct tf_http_client *client = calloc(1, sizeof(*client));
    struct MHD_Response *response;

    while (client && client->count < count) {
        struct tf_stream *stream = tf_http_stream(http, cameras[client->count]);

        if (!stream || tf_stream_reader_create(stream, &client->readers[client->count]) < 0) {
            free_client(client);
            client = NULL;
        } else {
            client->count++;
        }
    }
    if (!client)
        return answer_error(connection, 500, "no memory");
    client->http = http;
    client->connection = connection;
    client->next = http->clients;
    http->clients = client;
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_CHUNK, read_stream, client, close_stream);
    if (!response)
        close_stream(client);
    return queue(connection, 200, "application/x-ndjson", response);
}

static bool client_ready(const struct tf_http_client *client)
{
    for (int i = 0; i < client->count; i++)
        if (tf_stream_reader_ready(client->readers[i]))
            return true;
    return false;
}

void tf_http_resume_clients(struct tf_http *http, bool all)
{
    for (struct tf_http_client *c = http->clients; c; c = c->next)
        if (c->suspended && (all || client_ready(c))) {
            c->suspended = false;
            MHD_resume_connection(c->connection);
        }
}

/* --- requests --- */

static void list_cameras(const struct tf_http *http, int count, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < count && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", http->statuses[i].camera);
}

/*
 * The camera that a request is about; the only one if it names none. NULL: *result is what to return. The
 * name's storage is the server's own.
 */
static const char *which_camera(struct tf_http *http, struct MHD_Connection *connection,
                                enum MHD_Result *result)
{
    const char *name = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "camera");
    int count = tf_http_ask_status(http);
    char list[256];

    list_cameras(http, count, list, sizeof(list));
    if (!name && count == 1)
        return http->statuses[0].camera;
    if (!name) {
        *result = answer_error(connection, 400, "say which camera: ?camera=NAME (there %s %s)",
                               count ? "are" : "is", count ? list : "none yet");
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (strcmp(http->statuses[i].camera, name) == 0)
            return http->statuses[i].camera;
    *result = answer_error(connection, 404, "there is no camera \"%.64s\"; there %s %s", name,
                           count == 1 ? "is" : "are", count ? list : "none yet");
    return NULL;
}

static enum MHD_Result get_landmarks(struct tf_http *http, struct MHD_Connection *connection)
{
    enum MHD_Result result = MHD_NO;
    const char *cameras[TF_HTTP_CAMERAS_MAX];
    int count;

    if (MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "camera")) {
        cameras[0] = which_camera(http, connection, &result);
        return cameras[0] ? open_stream(http, connection, cameras, 1) : result;
    }
    count = tf_http_ask_status(http);
    if (!count)
        return answer_error(connection, 503, "there is no camera yet");
    for (int i = 0; i < count; i++)
        cameras[i] = http->statuses[i].camera;
    return open_stream(http, connection, cameras, count);
}

static enum MHD_Result get_snapshot(struct tf_http *http, struct MHD_Connection *connection)
{
    enum MHD_Result result = MHD_NO;
    const char *pair = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "pair");
    /* Pairs are not cameras: they have no state and no records. Their names are no camera's. */
    const char *camera = pair ? pair : which_camera(http, connection, &result);
    uint8_t *png = NULL;
    size_t size = 0;
    int r;

    if (!camera)
        return result;
    if (!http->options.snapshot)
        return answer_error(connection, 404, "there are no snapshots here");
    r = http->options.snapshot(http->options.context, camera, &png, &size);
    if (r == -ENOENT)
        return answer_error(connection, 404, "%s \"%.64s\" has no pictures", pair ? "pair" : "camera",
                            camera);
    if (r == -EAGAIN)
        return answer_error(connection, 503, "%s \"%.64s\" has not delivered a picture yet",
                            pair ? "pair" : "camera", camera);
    if (r < 0)
        return answer_error(connection, 500, "no snapshot of %s \"%.64s\": %s", pair ? "pair" : "camera",
                            camera, strerror(-r));
    return answer_owned(connection, "image/png", png, size);
}

static enum MHD_Result get_state(struct tf_http *http, struct MHD_Connection *connection)
{
    int count = tf_http_ask_status(http);
    size_t size = 0;
    char *text = tf_http_state_text(http->statuses, count, http->started_ns, tf_now_ns(), &size);

    return answer_owned(connection, "application/json", text, size);
}

static enum MHD_Result get_metrics(struct tf_http *http, struct MHD_Connection *connection)
{
    int count = tf_http_ask_status(http);
    size_t size = 0;
    char *text = tf_http_metrics_text(http->statuses, count, http->started_ns, tf_now_ns(), &size);

    return answer_owned(connection, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static enum MHD_Result get_health(struct tf_http *http, struct MHD_Connection *connection)
{
    char reason[256] = "";

    if (http->options.health && http->options.health(http->options.context, reason, sizeof(reason)) != 0)
        return answer_error(connection, 503, "%s", reason[0] ? reason : "not healthy");
    return answer(connection, 200, "text/plain; charset=utf-8", "ok\n");
}

static enum MHD_Result get_index(struct tf_http *http, struct MHD_Connection *connection)
{
    return answer(
        connection, 200, "text/plain; charset=utf-8",
        "/landmarks                 one JSON object a line for each captured frame of every camera\n"
        "/landmarks?camera=NAME     the same of one camera\n"
        "/state                     cameras, counters, rates (JSON)\n"
        "/metrics                   the same for Prometheus\n"
        "/healthz                   200 when all is well, else 503 and why\n"
        "/snapshot.png?camera=NAME  the latest annotated picture (?pair=NAME: of both cameras)\n"
        "/record                    the session that is recorded (JSON)\n"
        "POST /record/start, /record/stop, /mark: see docs/recording.md\n"
        "POST /camera/NAME/ffc      moves the camera's shutter: see docs/cameras.md\n");
}

/* --- /record and /mark --- */

#define BODY_MAX (16u << 10)

/* A POST request while its body comes. */
struct post {
    uint64_t t_mono_ns; /* when its headers were here: the moment that a mark stands for */
    size_t size;
    bool too_long;
    char body[BODY_MAX + 1];
};

static const struct {
    const char *path;
    enum tf_http_record what;
} posts[] = {
    {"/record/start", TF_HTTP_RECORD_START},
    {"/record/stop", TF_HTTP_RECORD_STOP},
    {"/mark", TF_HTTP_RECORD_MARK},
};

/* What find_post returns for /camera/NAME/ffc. */
#define POST_FFC ((int)(sizeof(posts) / sizeof(posts[0])))

/* The name in /camera/NAME/ffc. */
static bool ffc_camera(const char *url, char name[64])
{
    size_t n;

    if (strncmp(url, "/camera/", 8) != 0)
        return false;
    n = strcspn(url + 8, "/");
    if (!n || n >= 64 || strcmp(url + 8 + n, "/ffc") != 0)
        return false;
    memcpy(name, url + 8, n);
    name[n] = '\0';
    return true;
}

static int find_post(const char *url)
{
    char name[64];

    if (ffc_camera(url, name))
        return POST_FFC;
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++)
        if (strcmp(url, posts[i].path) == 0)
            return (int)i;
    return -1;
}

/* Takes over what a callee has said. */
static enum MHD_Result tell(struct MHD_Connection *connection, int status, char *text)
{
    struct MHD_Response *response;

    if (!text)
        return answer(connection, 500, "application/json", "{\"error\":\"no memory\"}\n");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    return queue(connection, (unsigned)status, "application/json", response);
}

static enum MHD_Result ask_record(struct tf_http *http, struct MHD_Connection *connection,
                                  enum tf_http_record what, const char *body, size_t size, uint64_t t_mono_ns)
{
    char *text = NULL;
    int status;

    if (!http->options.record)
        return answer_error(connection, 404, "nothing is recorded here");
    status = http->options.record(http->options.context, what, body, size, t_mono_ns, &text);
    return tell(connection, status, text);
}

static enum MHD_Result ask_ffc(struct tf_http *http, struct MHD_Connection *connection, const char *url,
                               const char *body, size_t size)
{
    char name[64], *text = NULL;
    int status;

    if (!http->options.ffc || !ffc_camera(url, name))
        return answer_error(connection, 404, "no shutter can be moved here");
    status = http->options.ffc(http->options.context, name, body, size, &text);
    return tell(connection, status, text);
}

static enum MHD_Result get_record(struct tf_http *http, struct MHD_Connection *connection)
{
    return ask_record(http, connection, TF_HTTP_RECORD_STATUS, "", 0, tf_now_ns());
}

/*
 * Any page of the web can make a browser on this machine send a form to 127.0.0.1. It cannot make it send
 * JSON without asking us first, which we do not answer.
 */
static bool is_json(struct MHD_Connection *connection)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);

    return type && strncasecmp(type, "application/json", 16) == 0 && (!type[16] || strchr("; ", type[16]));
}

static enum MHD_Result take_post(struct tf_http *http, struct MHD_Connection *connection, const char *url,
                                 int route, struct post *post)
{
    if (!post)
        return answer_error(connection, 500, "no memory");
    if (!is_json(connection))
        return answer_error(connection, 415, "the body has to be JSON (Content-Type: application/json)");
    if (post->too_long)
        return answer_error(connection, 413, "the body is longer than %u bytes", BODY_MAX);
    post->body[post->size] = '\0';
    if (route == POST_FFC)
        return ask_ffc(http, connection, url, post->body, post->size);
    return ask_record(http, connection, posts[route].what, post->body, post->size, post->t_mono_ns);
}

static const struct {
    const char *path;
    enum MHD_Result (*get)(struct tf_http *http, struct MHD_Connection *connection);
} routes[] = {
    {"/", get_index},          {"/landmarks", get_landmarks}, {"/state", get_state},
    {"/metrics", get_metrics}, {"/healthz", get_health},      {"/snapshot.png", get_snapshot},
    {"/record", get_record},
};

/* Takes the same time wherever the texts differ; only the length of `given` shows. */
static bool same_text(const char *secret, const char *given)
{
    size_t n = strlen(secret), m = strlen(given);
    unsigned difference = n != m;

    for (size_t i = 0; i < m; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)secret[n ? i % n : 0];
    return difference == 0;
}

static struct MHD_Response *unauthorised(void)
{
    static const char text[] = "{\"error\":\"user and password are needed\"}\n";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(text) - 1, (void *)text, MHD_RESPMEM_PERSISTENT);

    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return response;
}

/* Basic on the loopback interface, where nobody listens in and which a TLS proxy can use; digest elsewhere.
 */
static bool authorised(struct tf_http *http, struct MHD_Connection *connection, enum MHD_Result *result)
{
    struct MHD_Response *response;
    char *user, *password = NULL;
    bool ok;
    int r;

    if (!http->user)
        return true;
    if (http->loopback) {
        user = MHD_basic_auth_get_username_password(connection, &password);
        ok = user && password;
        if (ok) {
            bool user_ok = same_text(http->user, user), password_ok = same_text(http->password, password);

            ok = user_ok && password_ok; /* both are compared, whatever the first gives */
        }
        MHD_free(user);
        MHD_free(password);
        if (ok)
            return true;
        response = unauthorised();
        *result = response ? MHD_queue_basic_auth_fail_response(connection, REALM, response) : MHD_NO;
    } else {
        user = MHD_digest_auth_get_username(connection);
        r = MHD_NO;
        if (user && same_text(http->user, user))
            r = MHD_digest_auth_check2(connection, REALM, http->user, http->password, 300,
                                       MHD_DIGEST_ALG_SHA256);
        MHD_free(user);
        if (r == MHD_YES)
            return true;
        response = unauthorised();
        *result = response ? MHD_queue_auth_fail_response2(connection, REALM, OPAQUE, response,
                                                           r == MHD_INVALID_NONCE, MHD_DIGEST_ALG_SHA256)
                           : MHD_NO;
    }
    if (response)
        MHD_destroy_response(response);
    return false;
}

/*
 * Without a password the loopback interface is the fence; a web page that resolves its own name to 127.0.0.1
 * would be inside it. Such a request carries that name as Host.
 */
static bool host_is_local(struct MHD_Connection *connection)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    char name[64];
    size_t n;

    if (!host)
        return true; /* HTTP/1.0; no browser */
    if (*host == '[') {
        n = strcspn(++host, "]");
    } else {
        n = strcspn(host, ":");
    }
    if (n >= sizeof(name))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcasecmp(name, "localhost") == 0 || tf_address_is_loopback(name);
}

static enum MHD_Result respond(struct tf_http *http, struct MHD_Connection *connection, const char *url,
                               const char *method, struct post *post)
{
    bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    enum MHD_Result result = MHD_NO;
    int route = find_post(url);

    if (atomic_load(&http->connections) > http->options.clients_max)
        return answer_error(connection, 503, "all %u connections are taken", http->options.clients_max);
    if (!http->user && !host_is_local(connection))
        return answer_error(connection, 403, "this server has no password and answers to localhost only");
    if (!authorised(http, connection, &result))
        return result;
    if (route >= 0)
        return is_post
                   ? take_post(http, connection, url, route, post)
                   : answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only POST is understood here");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are understood");
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(url, routes[i].path) == 0)
            return routes[i].get(http, connection);
    return answer_error(connection, 404, "there is no %.128s; / lists what there is", url);
}

/* What *request is where nothing has to be kept. */
static char seen;

/* libmicrohttpd calls this once for the headers, then for pieces of a body, then once more. */
enum MHD_Result tf_http_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request)
{
    struct post *post = *request != &seen ? *request : NULL;

    if (*upload_size && post) {
        size_t n = *upload_size < BODY_MAX - post->size ? *upload_size : BODY_MAX - post->size;

        memcpy(post->body + post->size, upload, n);
        post->size += n;
        post->too_long |= n < *upload_size;
        *upload_size = 0;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0; /* nobody here wants a body */
        return MHD_YES;
    }
    if (!*request) {
        *request = &seen;
        /* A body is not waited for where none is wanted. */
        if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
            return MHD_YES;
        if (strcmp(method, MHD_HTTP_METHOD_POST) == 0 && find_post(url) >= 0) {
            post = malloc(sizeof(*post));
            if (post) {
                post->t_mono_ns = tf_now_ns();
                post->size = 0;
                post->too_long = false;
                *request = post;
                return MHD_YES;
            }
        }
    }
    return respond(context, connection, url, method, post);
}

void tf_http_completed(void *context, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why)
{
    if (*request && *request != &seen)
        free(*request);
    *request = NULL;
}
