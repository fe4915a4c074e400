/* The HTTP server for real, and clients for it. */
#include "http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "records.h"

/* --- what the server asks --- */

struct world world;

static int status(void *context, struct tf_status *statuses, int max)
{
    static const char *const names[] = {"thermal", "visible"};

    assert_ptr_equal(context, &world);
    for (int i = 0; i < world.cameras && i < max; i++) {
        struct tf_status *s = &statuses[i];

        memset(s, 0, sizeof(*s));
        strcpy(s->camera, names[i]);
        s->state = i ? TF_CAMERA_LOST : TF_CAMERA_RUNNING;
        strcpy(s->message, i ? "no such device: \"\xe9t\xe9\"\n" : "");
        strcpy(s->source_kind, "synthetic");
        s->celsius = i == 0;
        s->frames = 1000 + (uint64_t)i;
        s->state_frames[TF_STATE_OK] = 990;
        s->state_frames[TF_STATE_SKIPPED] = 10;
        s->dropped = (struct tf_dropped){1, 2, 10};
        s->dropped_rtsp = 4;
        s->reopened = 3;
        s->fps = 59.94f;
        s->faces = 1;
        s->rtsp_viewers = 2;
        s->sensor_c = i ? NAN : 31.25f;
        s->nose_c = 33.125f;
        s->forehead_c = NAN;
        s->last_frame = 999;
        s->last_t_mono_ns = tf_now_ns();
        tf_status_add_latency(s, 400);
        tf_status_add_latency(s, 1500);
        tf_status_add_latency(s, 5000000);
    }
    return world.cameras;
}

static int snapshot(void *context, const char *camera, struct tf_snapshot *s)
{
    if (world.snapshot < 0)
        return world.snapshot;
    /* As slow as a real one can be. */
    usleep((useconds_t)world.snapshot_us);
    world.snapshots++;
    if (s->version && s->version == world.version)
        return -EALREADY;
    s->size = (size_t)asprintf((char **)&s->data, "%s of %s", s->format == TF_SNAPSHOT_PNG ? "PNG" : "JPEG",
                               camera);
    s->version = world.version;
    return 0;
}

static int health(void *context, char *reason, size_t size)
{
    snprintf(reason, size, "camera visible is lost");
    return world.healthy ? 0 : -1;
}

struct tf_http *start(struct tf_http_options options)
{
    struct tf_error err = {0};
    struct tf_http *http = NULL;

    world = (struct world){.cameras = 1, .healthy = 1};
    options.status = status;
    options.snapshot = snapshot;
    options.health = health;
    options.context = &world;
    if (tf_http_create(&options, &http, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(tf_http_port(http) > 0);
    return http;
}

void stop(struct tf_http *http)
{
    uint64_t before = tf_now_ns();

    tf_http_destroy(http);
    assert_true(tf_now_ns() - before < SECOND);
}

/* --- clients --- */

static size_t take_body(char *data, size_t one, size_t n, void *context)
{
    struct reply *reply = context;

    reply->body = realloc(reply->body, reply->size + n + 1);
    memcpy(reply->body + reply->size, data, n);
    reply->size += n;
    reply->body[reply->size] = '\0';
    return n;
}

static size_t take_header(char *data, size_t one, size_t n, void *context)
{
    struct reply *reply = context;

    sscanf(data, "Allow: %63[^\r\n]", reply->allow);
    sscanf(data, "Content-Type: %127[^\r\n]", reply->type);
    sscanf(data, "WWW-Authenticate: %511[^\r\n]", reply->challenge);
    return n;
}

struct reply ask_as(struct tf_http *http, const char *path, const struct request *q)
{
    struct curl_slist *headers = NULL;
    struct reply reply = {0};
    char url[4096], host[128];
    CURL *curl = curl_easy_init();
    CURLcode r;

    snprintf(url, sizeof(url), "http://%s:%u%s", q->host ? q->host : "127.0.0.1", tf_http_port(http), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
    if (q->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
    if (q->body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body);
    if (q->head)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (q->user) {
        curl_easy_setopt(curl, CURLOPT_USERPWD, q->user);
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, q->auth);
    }
    if (q->host_header) {
        snprintf(host, sizeof(host), "Host: %s", q->host_header);
        headers = curl_slist_append(headers, host);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    r = curl_easy_perform(curl);
    if (r != CURLE_OK)
        fail_msg("%s: %s", url, curl_easy_strerror(r));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (!reply.body)
        reply.body = calloc(1, 1);
    return reply;
}

struct reply ask(struct tf_http *http, const char *path)
{
    return ask_as(http, path, &(struct request){0});
}

long ask_status_of(struct tf_http *http, const char *path, const struct request *q)
{
    struct reply reply = ask_as(http, path, q);

    free(reply.body);
    return reply.status;
}

int open_socket(struct tf_http *http, int receive_bytes)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(tf_http_port(http))};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void say(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server may have had enough */
        text += n;
        size -= (size_t)n;
    }
}

int open_stream(struct tf_http *http, const char *camera, int receive_bytes)
{
    int fd = open_socket(http, receive_bytes);
    char request[256];

    snprintf(request, sizeof(request), "GET /landmarks?camera=%s HTTP/1.0\r\nHost: localhost\r\n\r\n",
             camera);
    say(fd, request, strlen(request));
    return fd;
}

void await_clients(struct tf_http *http, const char *camera, uint32_t count)
{
    uint64_t until = tf_now_ns() + 10 * SECOND;

    while (tf_http_clients(http, camera) != count) {
        if (tf_now_ns() > until)
            fail_msg("%u clients instead of %u", tf_http_clients(http, camera), count);
        usleep(2000);
    }
}

char *next_line(struct lines *l)
{
    for (;;) {
        char *end = l->size > l->at ? memchr(l->text + l->at, '\n', l->size - l->at) : NULL;
        ssize_t n;

        if (end) {
            char *line = l->text + l->at;

            *end = '\0';
            l->at = (size_t)(end - l->text) + 1;
            return line;
        }
        memmove(l->text, l->text + l->at, l->size - l->at);
        l->size -= l->at;
        l->at = 0;
        n = recv(l->fd, l->text + l->size, (1 << 20) - l->size, 0);
        if (n <= 0)
            return NULL;
        l->size += (size_t)n;
    }
}

struct lines read_head(int fd)
{
    struct lines l = {.fd = fd, .text = malloc(1 << 20)};
    char *line = next_line(&l);

    assert_non_null(line);
    assert_memory_equal(line + 8, " 200", 4);
    while ((line = next_line(&l)) && *line != '\r')
        ;
    assert_non_null(line);
    return l;
}

json_int_t frame_of(const char *line)
{
    json_t *root = json_loads(line, 0, NULL);
    json_int_t frame;

    if (!root)
        fail_msg("not JSON: %.200s", line);
    frame = json_integer_value(json_object_get(root, "frame"));
    json_decref(root);
    return frame;
}

struct tf_record record;

void send_record(struct tf_http *http, const char *camera, uint64_t frame, uint32_t faces)
{
    struct tf_sink sink = tf_http_sink(http);
    struct tf_error err = {0};

    test_record(&record, camera, frame, faces);
    if (sink.record(sink.self, &record, &err) < 0)
        fail_msg("%s", err.text);
}
