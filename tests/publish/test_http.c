/* The HTTP server for real, on a free port of this machine, asked by libcurl and by bare sockets. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "publish/http.h"
#include "records.h"

#define SECOND 1000000000ull

/* --- what the server asks --- */

/* Changed by a test while the server's thread asks. */
static struct world {
    _Atomic int cameras;
    _Atomic int healthy;
    _Atomic int snapshot;
} world;

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

static int snapshot(void *context, const char *camera, uint8_t **png, size_t *size)
{
    if (world.snapshot < 0)
        return world.snapshot;
    *size = (size_t)asprintf((char **)png, "PNG of %s", camera);
    return 0;
}

static int health(void *context, char *reason, size_t size)
{
    snprintf(reason, size, "camera visible is lost");
    return world.healthy ? 0 : -1;
}

static struct tf_http *start(struct tf_http_options options)
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

static void stop(struct tf_http *http)
{
    uint64_t before = tf_now_ns();

    tf_http_destroy(http);
    assert_true(tf_now_ns() - before < SECOND);
}

/* --- clients --- */

struct reply {
    long status;
    char type[128], allow[64], challenge[512];
    char *body;
    size_t size;
};

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

struct request {
    const char *host, *method, *body, *host_header, *user;
    long auth;
    bool head;
};

static struct reply ask_as(struct tf_http *http, const char *path, const struct request *q)
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

static struct reply ask(struct tf_http *http, const char *path)
{
    return ask_as(http, path, &(struct request){0});
}

static long ask_status_of(struct tf_http *http, const char *path, const struct request *q)
{
    struct reply reply = ask_as(http, path, q);

    free(reply.body);
    return reply.status;
}

static int open_socket(struct tf_http *http, int receive_bytes)
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

static void say(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server may have had enough */
        text += n;
        size -= (size_t)n;
    }
}

static int open_stream(struct tf_http *http, const char *camera, int receive_bytes)
{
    int fd = open_socket(http, receive_bytes);
    char request[256];

    snprintf(request, sizeof(request), "GET /landmarks?camera=%s HTTP/1.0\r\nHost: localhost\r\n\r\n",
             camera);
    say(fd, request, strlen(request));
    return fd;
}

/* Waits until so many clients read. */
static void await_clients(struct tf_http *http, const char *camera, uint32_t count)
{
    uint64_t until = tf_now_ns() + 10 * SECOND;

    while (tf_http_clients(http, camera) != count) {
        if (tf_now_ns() > until)
            fail_msg("%u clients instead of %u", tf_http_clients(http, camera), count);
        usleep(2000);
    }
}

/* Reads the head of an answer, then whole lines. */
struct lines {
    int fd;
    char *text;
    size_t size, at;
};

static char *next_line(struct lines *l)
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

static struct lines read_head(int fd)
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

static json_int_t frame_of(const char *line)
{
    json_t *root = json_loads(line, 0, NULL);
    json_int_t frame;

    if (!root)
        fail_msg("not JSON: %.200s", line);
    frame = json_integer_value(json_object_get(root, "frame"));
    json_decref(root);
    return frame;
}

static struct tf_record record; /* of the main thread */

static void send_record(struct tf_http *http, const char *camera, uint64_t frame, uint32_t faces)
{
    struct tf_sink sink = tf_http_sink(http);
    struct tf_error err = {0};

    test_record(&record, camera, frame, faces);
    if (sink.record(sink.self, &record, &err) < 0)
        fail_msg("%s", err.text);
}

/* --- pages --- */

static void pages_answer(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r = ask(http, "/");

    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "/landmarks"));
    free(r.body);
    r = ask(http, "/healthz");
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "ok\n");
    free(r.body);
    world.healthy = 0;
    r = ask(http, "/healthz");
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "camera visible is lost"));
    free(r.body);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){.head = true}), 200);
    stop(http);
}

static void state_is_json(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r;
    json_t *root, *cameras, *camera;

    world.cameras = 2;
    r = ask(http, "/state");
    assert_int_equal(r.status, 200);
    assert_string_equal(r.type, "application/json");
    root = json_loads(r.body, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        fail_msg("not JSON: %s", r.body);
    cameras = json_object_get(root, "cameras");
    assert_int_equal(json_array_size(cameras), 2);
    camera = json_array_get(cameras, 0);
    assert_string_equal(json_string_value(json_object_get(camera, "state")), "running");
    assert_int_equal(json_integer_value(json_object_get(camera, "frames")), 1000);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(camera, "dropped"), "inference")),
                     10);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(camera, "states"), "ok")), 990);
    assert_true(fabs(json_real_value(json_object_get(camera, "fps")) - 59.94) < 1e-6);
    assert_true(json_real_value(json_object_get(camera, "nose_c")) == 33.125);
    assert_true(json_is_null(json_object_get(camera, "forehead_c")));
    camera = json_array_get(cameras, 1);
    assert_string_equal(json_string_value(json_object_get(camera, "state")), "lost");
    /* Bytes that are not UTF-8 came from a driver. */
    assert_string_equal(json_string_value(json_object_get(camera, "message")),
                        "no such device: \"\xef\xbf\xbdt\xef\xbf\xbd\"\n");
    json_decref(root);
    free(r.body);
    stop(http);
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

static void metrics_are_prometheus_text(void **state)
{
    static const char *const expected[] = {
        "thermoface_up{camera=\"thermal\"} 1",
        "thermoface_up{camera=\"visible\"} 0",
        "# TYPE thermoface_frames_total counter",
        "thermoface_frames_total{camera=\"thermal\"} 1000",
        "thermoface_frames_state_total{camera=\"thermal\",state=\"skipped\"} 10",
        "thermoface_dropped_total{camera=\"thermal\",place=\"capture\"} 2",
        "thermoface_dropped_total{camera=\"thermal\",place=\"rtsp\"} 4",
        "thermoface_dropped_total{camera=\"thermal\",place=\"http\"} 0",
        "# TYPE thermoface_latency_seconds histogram",
        "thermoface_latency_seconds_bucket{camera=\"thermal\",le=\"0.0005\"} 1",
        "thermoface_latency_seconds_bucket{camera=\"thermal\",le=\"0.002\"} 2",
        "thermoface_latency_seconds_bucket{camera=\"thermal\",le=\"1.0\"} 2",
        "thermoface_latency_seconds_bucket{camera=\"thermal\",le=\"+Inf\"} 3",
        "thermoface_latency_seconds_sum{camera=\"thermal\"} 5.001900",
        "thermoface_latency_seconds_count{camera=\"thermal\"} 3",
        "thermoface_fps{camera=\"thermal\"} 59.94",
        "thermoface_http_clients{camera=\"thermal\"} 0",
        "thermoface_rtsp_viewers{camera=\"thermal\"} 2",
        "thermoface_sensor_celsius{camera=\"thermal\"} 31.25",
        "thermoface_region_celsius{camera=\"thermal\",region=\"nose_tip\"} 33.125",
    };
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r;
    char *line, *rest;

    world.cameras = 2;
    r = ask(http, "/metrics");
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.type, "version=0.0.4"));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (!has_line(r.body, expected[i]))
            fail_msg("no line %s in\n%s", expected[i], r.body);
    assert_null(strstr(r.body, "thermoface_sensor_celsius{camera=\"visible\"}")); /* unknown */
    assert_null(strstr(r.body, "region=\"forehead\"}"));
    assert_null(strstr(r.body, "{camera=\"visible\",region=")); /* counts are no °C */
    /* Every line is a comment or a sample, and each sample's family has been announced. */
    assert_int_equal(r.body[r.size - 1], '\n');
    for (line = strtok_r(r.body, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        double value;
        char *space = strrchr(line, ' ');

        if (strncmp(line, "# HELP thermoface_", 18) == 0 || strncmp(line, "# TYPE thermoface_", 18) == 0)
            continue;
        assert_memory_equal(line, "thermoface_", 11);
        assert_non_null(space);
        assert_int_equal(sscanf(space, "%lf", &value), 1);
    }
    free(r.body);
    stop(http);
}

static void snapshots(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r = ask(http, "/snapshot.png"); /* one camera: no need to name it */

    assert_int_equal(r.status, 200);
    assert_string_equal(r.type, "image/png");
    assert_string_equal(r.body, "PNG of thermal");
    free(r.body);
    world.cameras = 2;
    r = ask(http, "/snapshot.png?camera=visible");
    assert_string_equal(r.body, "PNG of visible");
    free(r.body);
    world.snapshot = -EAGAIN;
    assert_int_equal(ask_status_of(http, "/snapshot.png?camera=visible", &(struct request){0}), 503);
    world.snapshot = -ENOENT;
    assert_int_equal(ask_status_of(http, "/snapshot.png?camera=visible", &(struct request){0}), 404);
    world.snapshot = -ENOMEM;
    assert_int_equal(ask_status_of(http, "/snapshot.png?camera=visible", &(struct request){0}), 500);
    stop(http);
}

static void wrong_requests_get_clear_answers(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r = ask(http, "/nothing");

    assert_int_equal(r.status, 404);
    assert_non_null(strstr(r.body, "/nothing"));
    free(r.body);
    r = ask(http, "/landmarks?camera=attic");
    assert_int_equal(r.status, 404);
    assert_non_null(strstr(r.body, "attic"));
    assert_non_null(strstr(r.body, "thermal"));
    free(r.body);
    world.cameras = 2;
    r = ask(http, "/landmarks");
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "visible"));
    free(r.body);
    world.cameras = 0;
    assert_int_equal(ask_status_of(http, "/landmarks", &(struct request){0}), 400);
    r = ask_as(http, "/state", &(struct request){.method = "POST", .body = "x=1"});
    assert_int_equal(r.status, 405);
    assert_string_equal(r.allow, "GET, HEAD");
    free(r.body);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){.method = "DELETE"}), 405);
    /* A page of the web that calls itself by a name of its own. */
    assert_int_equal(ask_status_of(http, "/state", &(struct request){.host_header = "evil.example"}), 403);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){.host_header = "localhost:99"}), 200);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){.host_header = "[::1]:99"}), 200);
    stop(http);
}

/* What is not HTTP, or too much of it, is answered with an error or a closed door, and the next one is
 * served. */
static void garbage_does_no_harm(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    size_t size = 1 << 20;
    char *big = malloc(size), answer[64];

    memset(big, 'a', size);
    for (int i = 0; i < 6; i++) {
        int fd = open_socket(http, 0);
        ssize_t n;

        switch (i) {
        case 0:
            say(fd, "\r\n\r\nnonsense\r\n\r\n", 16);
            break;
        case 1: /* a line without end */
            say(fd, "GET /", 5);
            say(fd, big, size);
            break;
        case 2: /* a header without end */
            say(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 36);
            say(fd, big, size);
            break;
        case 3: /* a body that nobody asked for */
            say(fd, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n", 62);
            say(fd, big, size);
            break;
        case 4:
            say(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 56);
            break;
        case 5:
            say(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); /* TLS, waiting for more */
            break;
        }
        n = recv(fd, answer, sizeof(answer) - 1, i == 5 ? MSG_DONTWAIT : 0);
        assert_true(n >= 0 || errno != EAGAIN || i == 5);
        if (n > 0) {
            answer[n] = '\0';
            assert_memory_equal(answer, "HTTP/1.", 7);
            assert_memory_equal(answer + 8, " 4", 2);
        }
        close(fd);
        assert_int_equal(ask_status_of(http, "/healthz", &(struct request){0}), 200);
    }
    free(big);
    stop(http);
}

/* --- listening --- */

static void beyond_loopback_needs_a_password(void **state)
{
    static const char *const addresses[] = {"0.0.0.0", "::", "192.0.2.1"};
    struct tf_http *http = NULL;

    for (size_t i = 0; i < 3; i++) {
        struct tf_error err = {0};

        assert_int_equal(tf_http_create(&(struct tf_http_options){.address = addresses[i]}, &http, &err),
                         -EINVAL);
        assert_non_null(strstr(err.text, addresses[i]));
        assert_non_null(strstr(err.text, "credentials"));
    }
    assert_null(http);
}

static void a_port_in_use_is_said(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0}), *second = NULL;
    struct tf_error err = {0};
    char port[8];

    snprintf(port, sizeof(port), "%u", tf_http_port(http));
    assert_int_equal(tf_http_create(&(struct tf_http_options){.port = tf_http_port(http)}, &second, &err),
                     -EADDRINUSE);
    assert_non_null(strstr(err.text, port));
    assert_non_null(strstr(err.text, "in use"));
    assert_null(second);
    stop(http);
    tf_http_destroy(NULL);
    assert_int_equal(tf_http_create(&(struct tf_http_options){.address = "no address"}, &second, &err),
                     -EINVAL);
    assert_int_equal(tf_http_create(&(struct tf_http_options){.user = "lab"}, &second, &err), -EINVAL);
}

static void ipv6_loopback(void **state)
{
    struct tf_error err = {0};
    struct tf_http *http = NULL;

    if (tf_http_create(&(struct tf_http_options){.address = "::1"}, &http, &err) < 0)
        skip(); /* a machine without IPv6 */
    assert_int_equal(ask_status_of(http, "/", &(struct request){.host = "[::1]"}), 200);
    stop(http);
}

static void basic_on_loopback(void **state)
{
    struct tf_http *http = start((struct tf_http_options){.user = "lab", .password = "se:cret"});
    static const char *const wrong[] = {
        "lab:se:cre", "lab:se:crets", "la:se:cret", "lab:", ":", "labb:se:cret", "LAB:se:cret"};
    static const char *const paths[] = {"/",        "/landmarks",    "/state",  "/metrics",
                                        "/healthz", "/snapshot.png", "/nothing"};
    struct reply r;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        r = ask(http, paths[i]);
        assert_int_equal(r.status, 401);
        assert_memory_equal(r.challenge, "Basic ", 6);
        free(r.body);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(
            ask_status_of(http, "/state", &(struct request){.user = wrong[i], .auth = CURLAUTH_BASIC}), 401);
    assert_int_equal(
        ask_status_of(http, "/state", &(struct request){.user = "lab:se:cret", .auth = CURLAUTH_BASIC}), 200);
    /* With a password, a proxy may pass its own name on. */
    assert_int_equal(ask_status_of(http, "/state",
                                   &(struct request){.user = "lab:se:cret",
                                                     .auth = CURLAUTH_BASIC,
                                                     .host_header = "lab.example.org"}),
                     200);
    stop(http);
}

static void digest_beyond_loopback(void **state)
{
    struct tf_http *http =
        start((struct tf_http_options){.address = "0.0.0.0", .user = "lab", .password = "se:cret"});
    struct reply r = ask(http, "/state");

    assert_int_equal(r.status, 401);
    assert_memory_equal(r.challenge, "Digest ", 7);
    if (!strcasestr(r.challenge, "SHA-256"))
        fail_msg("%s", r.challenge);
    free(r.body);
    assert_int_equal(
        ask_status_of(http, "/state", &(struct request){.user = "lab:se:cret", .auth = CURLAUTH_DIGEST}),
        200);
    assert_int_equal(ask_status_of(http, "/snapshot.png?camera=thermal",
                                   &(struct request){.user = "lab:se:cret", .auth = CURLAUTH_DIGEST}),
                     200);
    assert_int_equal(
        ask_status_of(http, "/state", &(struct request){.user = "lab:se:cre", .auth = CURLAUTH_DIGEST}), 401);
    assert_int_equal(
        ask_status_of(http, "/state", &(struct request){.user = "la:se:cret", .auth = CURLAUTH_DIGEST}), 401);
    /* The password never crosses the net in the clear, so it is not taken that way either. */
    assert_int_equal(
        ask_status_of(http, "/state", &(struct request){.user = "lab:se:cret", .auth = CURLAUTH_BASIC}), 401);
    stop(http);
}

static void too_many_connections_are_told(void **state)
{
    struct tf_http *http = start((struct tf_http_options){.clients_max = 3});
    int fds[3];

    for (int i = 0; i < 3; i++)
        fds[i] = open_stream(http, "thermal", 0);
    await_clients(http, "thermal", 3);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){0}), 503);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    /* Clients that leave are noticed although no record comes. */
    await_clients(http, "thermal", 0);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){0}), 200);
    stop(http);
}

/* --- the stream --- */

static void records_arrive_as_they_are_made(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    int fd = open_stream(http, "thermal", 0);
    struct lines l = read_head(fd); /* before any record */
    uint64_t longest = 0;

    await_clients(http, "thermal", 1);
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t before = tf_now_ns();
        char *line;

        send_record(http, "thermal", 100 + i, i % 3 ? 1 : 0);
        line = next_line(&l);
        assert_non_null(line);
        if (tf_now_ns() - before > longest)
            longest = tf_now_ns() - before;
        assert_int_equal(frame_of(line), 100 + i);
    }
    print_message("longest from record to client: %.2f ms\n", (double)longest * 1e-6);
    assert_true(longest < SECOND); /* no buffer waits to be filled */
    assert_int_equal(tf_http_dropped(http, "thermal"), 0);
    stop(http);
    assert_null(next_line(&l)); /* and a proper end */
    free(l.text);
    close(fd);
}

/* The same through HTTP/1.1, as every ready-made client asks. */
struct follower {
    char url[128];
    CURLcode result;
    _Atomic long lines;
};

static size_t count_lines(char *data, size_t one, size_t n, void *context)
{
    struct follower *f = context;

    for (size_t i = 0; i < n; i++)
        f->lines += data[i] == '\n';
    return n;
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, f->url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_lines);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
    f->result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return NULL;
}

static void chunks_come_and_end_properly(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct follower follower = {0};
    pthread_t thread;

    snprintf(follower.url, sizeof(follower.url), "http://127.0.0.1:%u/landmarks", tf_http_port(http));
    pthread_create(&thread, NULL, follow, &follower);
    await_clients(http, "thermal", 1);
    for (long i = 0; i < 300; i++) {
        uint64_t until = tf_now_ns() + 10 * SECOND;

        send_record(http, "thermal", (uint64_t)i, (uint32_t)i % 4);
        if (i % 10 == 9)
            while (follower.lines <= i && tf_now_ns() < until)
                usleep(100);
    }
    assert_int_equal(follower.lines, 300);
    /* Only the headers: no reader stays behind. */
    assert_int_equal(ask_status_of(http, "/landmarks", &(struct request){.head = true}), 200);
    await_clients(http, "thermal", 1);
    stop(http);
    pthread_join(thread, NULL);
    assert_int_equal(follower.result, CURLE_OK); /* the last chunk was there */
    assert_int_equal(follower.lines, 300);
}

/* Several requests on one connection, sent at once. */
static void requests_in_a_row(void **state)
{
    static const char requests[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                   "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
                                   "HEAD /state HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                   "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct tf_http *http = start((struct tf_http_options){0});
    int fd = open_socket(http, 0), answers = 0;
    char text[4096];
    size_t size = 0;
    ssize_t n;

    say(fd, requests, sizeof(requests) - 1);
    while ((n = recv(fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
        size += (size_t)n;
    assert_int_equal(n, 0);
    text[size] = '\0';
    for (char *at = text; (at = strstr(at, "HTTP/1.1 ")); at++)
        answers++;
    assert_int_equal(answers, 4);
    assert_non_null(strstr(text, "HTTP/1.1 404"));
    close(fd);
    stop(http);
}

static void a_record_is_the_same_for_file_and_stream(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    int fd = open_stream(http, "thermal", 0), n;
    struct lines l = read_head(fd);
    char *expected = malloc(tf_record_bytes_max()), *line;

    await_clients(http, "thermal", 1);
    /* Larger than a piece of libmicrohttpd's. */
    test_record(&record, "thermal", 5, TF_FACES_MAX);
    for (int i = 0; i < TF_FACES_MAX; i++) {
        record.faces.faces[i] = test_face(1 + (uint32_t)i, true);
        for (int k = 0; k < TF_POINTS; k++)
            record.faces.faces[i].points[k] = record.faces.faces[i].points_filtered[k] =
                (struct tf_point){1234.56f, 2345.67f, 0.987f};
    }
    assert_int_equal(tf_http_sink(http).record(http, &record, NULL), 0);
    n = tf_record_ndjson(&record, expected, tf_record_bytes_max());
    expected[n - 1] = '\0';
    assert_true(n > 32 * 1024);
    line = next_line(&l);
    assert_non_null(line);
    assert_string_equal(line, expected);
    free(expected);
    free(l.text);
    close(fd);
    stop(http);
}

static void cameras_do_not_mix(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct lines a, b;
    char *line;

    world.cameras = 2;
    a = read_head(open_stream(http, "thermal", 0));
    b = read_head(open_stream(http, "visible", 0));
    await_clients(http, "thermal", 1);
    await_clients(http, "visible", 1);
    for (uint64_t i = 0; i < 20; i++) {
        send_record(http, "thermal", i, 0);
        send_record(http, "visible", 1000 + i, 0);
        send_record(http, "attic", 5000 + i, 0); /* nobody asks for it */
    }
    for (uint64_t i = 0; i < 20; i++) {
        line = next_line(&a);
        assert_non_null(strstr(line, "\"camera\":\"thermal\""));
        assert_int_equal(frame_of(line), i);
        line = next_line(&b);
        assert_int_equal(frame_of(line), 1000 + i);
    }
    close(a.fd);
    close(b.fd);
    free(a.text);
    free(b.text);
    stop(http);
}

static void a_slow_client_loses_whole_records_and_slows_nobody(void **state)
{
    struct tf_http *http = start((struct tf_http_options){.queue_bytes = 256 << 10});
    struct lines quick = read_head(open_stream(http, "thermal", 0)), slow;
    const uint64_t count = 4000;
    uint64_t received = 0, longest = 0, lost;
    json_int_t last = -1;
    char *line;

    slow = read_head(open_stream(http, "thermal", 4096)); /* and now it does not read */
    await_clients(http, "thermal", 2);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t before = tf_now_ns();

        send_record(http, "thermal", i, 1);
        if (tf_now_ns() - before > longest)
            longest = tf_now_ns() - before;
        /* The quick one follows at once, so the ring never laps it. */
        assert_int_equal(frame_of(next_line(&quick)), i);
    }
    print_message("longest call with a stuck client: %.2f ms\n", (double)longest * 1e-6);
    assert_true(longest < SECOND / 2);
    lost = tf_http_dropped(http, "thermal");
    assert_true(lost > 0);
    /* It wakes up: whole records, in order, with a gap as large as was counted. */
    send_record(http, "thermal", count, 0);
    while (last != (json_int_t)count && (line = next_line(&slow))) {
        json_int_t frame = frame_of(line);

        assert_true(frame > last);
        last = frame;
        received++;
    }
    assert_int_equal(last, count);
    assert_int_equal(received + tf_http_dropped(http, "thermal"), count + 1);
    assert_int_equal(tf_http_dropped(http, "thermal"), lost);
    close(quick.fd);
    close(slow.fd);
    free(quick.text);
    free(slow.text);
    stop(http);
}

/* Two cameras from two threads, clients that come and go, and pages asked for all the while. */
struct camera_thread {
    struct tf_http *http;
    const char *name;
    atomic_bool stop;
    uint64_t frames;
};

static void *run_camera(void *arg)
{
    struct camera_thread *c = arg;
    struct tf_record *r = malloc(sizeof(*r));
    struct tf_sink sink = tf_http_sink(c->http);
    struct tf_error err;

    while (!atomic_load(&c->stop)) {
        test_record(r, c->name, c->frames++, 1);
        sink.record(sink.self, r, &err);
        usleep(1000);
    }
    free(r);
    return NULL;
}

static void many_clients_at_once(void **state)
{
    struct tf_http *http = start((struct tf_http_options){.clients_max = 64});
    struct camera_thread cameras[2] = {{.http = http, .name = "thermal"}, {.http = http, .name = "visible"}};
    pthread_t threads[2];
    struct lines l[40];

    world.cameras = 2;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, run_camera, &cameras[i]);
    for (int i = 0; i < 40; i++)
        l[i] = read_head(open_stream(http, cameras[i % 2].name, 0));
    for (int i = 0; i < 40; i++) {
        json_int_t last = -1;

        for (int k = 0; k < 10; k++) {
            char *line = next_line(&l[i]);
            json_int_t frame;

            assert_non_null(line);
            frame = frame_of(line);
            assert_true(last < 0 || frame == last + 1);
            last = frame;
        }
        assert_int_equal(ask_status_of(http, i % 2 ? "/metrics" : "/state", &(struct request){0}), 200);
        if (i % 3 == 0) {
            close(l[i].fd);
            l[i].fd = -1;
        }
    }
    await_clients(http, "thermal", 13);
    await_clients(http, "visible", 13);
    for (int i = 0; i < 2; i++) {
        atomic_store(&cameras[i].stop, true);
        pthread_join(threads[i], NULL);
    }
    stop(http); /* with clients that still read */
    for (int i = 0; i < 40; i++) {
        if (l[i].fd >= 0)
            close(l[i].fd);
        free(l[i].text);
    }
}

static void stopping_takes_less_than_a_second(void **state)
{
    struct tf_http *http = start((struct tf_http_options){.queue_bytes = 64 << 10});
    int waiting = open_stream(http, "thermal", 0), stuck = open_stream(http, "thermal", 4096);
    int mute = open_socket(http, 0), half = open_socket(http, 0);

    say(half, "GET /state HTTP/1.1\r\nHo", 23);
    await_clients(http, "thermal", 2);
    for (uint64_t i = 0; i < 500; i++)
        send_record(http, "thermal", i, 1);
    stop(http);
    close(waiting);
    close(stuck);
    close(mute);
    close(half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_answer),
        cmocka_unit_test(state_is_json),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(snapshots),
        cmocka_unit_test(wrong_requests_get_clear_answers),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(beyond_loopback_needs_a_password),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(ipv6_loopback),
        cmocka_unit_test(basic_on_loopback),
        cmocka_unit_test(digest_beyond_loopback),
        cmocka_unit_test(too_many_connections_are_told),
        cmocka_unit_test(records_arrive_as_they_are_made),
        cmocka_unit_test(chunks_come_and_end_properly),
        cmocka_unit_test(requests_in_a_row),
        cmocka_unit_test(a_record_is_the_same_for_file_and_stream),
        cmocka_unit_test(cameras_do_not_mix),
        cmocka_unit_test(a_slow_client_loses_whole_records_and_slows_nobody),
        cmocka_unit_test(many_clients_at_once),
        cmocka_unit_test(stopping_takes_less_than_a_second),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests_name("publish http", tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
