/* The stream of records over HTTP: whole lines, in time, to fast and slow clients. */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_client.h"
#include "records.h"

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

/* Without a name: every camera's records, whole lines, each camera's in order, however they are cut into
 * reads. */
static void all_cameras_over_one_connection(void **state)
{
    struct tf_http *http = start((struct tf_http_options){0});
    static const char all[] = "GET /landmarks HTTP/1.0\r\nHost: localhost\r\n\r\n";
    uint64_t next_thermal = 0, next_visible = 0;
    struct lines l;
    int fd;

    world.cameras = 2;
    fd = open_socket(http, 4096); /* a small buffer: reads end within records */
    say(fd, all, sizeof(all) - 1);
    l = read_head(fd);
    await_clients(http, "thermal", 1);
    await_clients(http, "visible", 1);
    for (uint64_t i = 0; i < 200; i++) {
        send_record(http, "thermal", i, i % 5);
        if (i % 2)
            send_record(http, "visible", i / 2, 4);
    }
    while (next_thermal < 200 || next_visible < 100) {
        char *line = next_line(&l);
        bool thermal;

        assert_non_null(line);
        thermal = strncmp(line, "{\"camera\":\"thermal\"", 19) == 0;
        if (!thermal)
            assert_memory_equal(line, "{\"camera\":\"visible\"", 19);
        assert_int_equal(frame_of(line), thermal ? next_thermal++ : next_visible++);
    }
    assert_int_equal(tf_http_dropped(http, "thermal") + tf_http_dropped(http, "visible"), 0);
    free(l.text);
    close(fd);
    await_clients(http, "thermal", 0);
    await_clients(http, "visible", 0);
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
        cmocka_unit_test(records_arrive_as_they_are_made),
        cmocka_unit_test(chunks_come_and_end_properly),
        cmocka_unit_test(requests_in_a_row),
        cmocka_unit_test(a_record_is_the_same_for_file_and_stream),
        cmocka_unit_test(cameras_do_not_mix),
        cmocka_unit_test(all_cameras_over_one_connection),
        cmocka_unit_test(a_slow_client_loses_whole_records_and_slows_nobody),
        cmocka_unit_test(many_clients_at_once),
        cmocka_unit_test(stopping_takes_less_than_a_second),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests_name("publish http stream", tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
