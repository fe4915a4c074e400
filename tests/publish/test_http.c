/* The pages of the HTTP server: what they say, who may ask, and what wrong requests get. */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/count.h"
#include "http_client.h"

static void pages_answer(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    struct reply r = ask(http, "/api");

    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "/landmarks"));
    free(r.body);
    r = ask(http, "/");
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "<title>thermoface</title>"));
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
    for (size_t i = 0; i < TF_COUNT(expected); i++)
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
    r = ask(http, "/snapshot.png");
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "visible"));
    free(r.body);
    world.cameras = 0;
    assert_int_equal(ask_status_of(http, "/landmarks", &(struct request){0}), 503);
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

    for (size_t i = 0; i < TF_COUNT(paths); i++) {
        r = ask(http, paths[i]);
        assert_int_equal(r.status, 401);
        assert_memory_equal(r.challenge, "Basic ", 6);
        free(r.body);
    }
    for (size_t i = 0; i < TF_COUNT(wrong); i++)
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
    assert_int_equal(ask_status_of(http, "/landmarks", &(struct request){0}), 503);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){0}), 200);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    /* Clients that leave are noticed although no record comes. */
    await_clients(http, "thermal", 0);
    assert_int_equal(ask_status_of(http, "/state", &(struct request){0}), 200);
    stop(http);
}

static atomic_bool asked, let_go;

static int slow_session(void *context, enum tf_http_session what, const char *body, size_t size,
                        uint64_t t_mono_ns, char **answer)
{
    atomic_store(&asked, true);
    while (!atomic_load(&let_go))
        usleep(1000);
    *answer = strdup("{}\n");
    return 200;
}

static void *end(void *http)
{
    tf_http_destroy(http);
    return NULL;
}

/* The server waits for what is being made; what is asked meanwhile is answered after that, or not at all. */
static void requests_at_the_end(void **state)
{
    static const char *const late[] = {"GET /record HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                       "GET /mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                       "GET /snapshot.png HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct tf_http *http = start((struct tf_http_options){.session = slow_session});
    int first = open_socket(http, 0), others[TF_COUNT(late)];
    pthread_t thread;

    for (size_t i = 0; i < TF_COUNT(late); i++) {
        char answer[4096];

        others[i] = open_socket(http, 0); /* accepted, since it is answered */
        say(others[i], health, sizeof(health) - 1);
        assert_true(recv(others[i], answer, sizeof(answer), 0) > 0);
    }
    say(first, late[0], strlen(late[0]));
    while (!atomic_load(&asked))
        usleep(1000);
    assert_int_equal(pthread_create(&thread, NULL, end, http), 0);
    usleep(100000); /* it waits for its jobs now */
    for (size_t i = 0; i < TF_COUNT(late); i++)
        say(others[i], late[i], strlen(late[i]));
    atomic_store(&let_go, true);
    pthread_join(thread, NULL);
    close(first);
    for (size_t i = 0; i < TF_COUNT(late); i++) {
        char answer[4096];
        ssize_t n = recv(others[i], answer, sizeof(answer) - 1, 0);

        if (n > 0) {
            answer[n] = 0;
            if (strncmp(answer, "HTTP/1.1 503", 12) == 0)
                assert_non_null(strstr(answer, "the service is ending"));
        }
        close(others[i]);
    }
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
        cmocka_unit_test(requests_at_the_end),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests_name("publish http", tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
