/*
 * A record makes its way into NDJSON, CSV, a file and the HTTP stream without an allocation in the thread
 * that made it. The linker sends every call of malloc and its kin through here (--wrap), in our code and in
 * the libraries' static parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "publish/http/http.h"
#include "records.h"

#define RECORDS 1000

static _Thread_local bool counting;
static _Thread_local unsigned allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    allocations += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations += counting;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations += counting;
    return __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    allocations += counting;
    return __real_strdup(text);
}

static struct tf_record record;

static void run(struct tf_sink *sink)
{
    struct tf_error err;

    test_record(&record, "thermal", 0, 1);
    assert_int_equal(sink->record(sink->self, &record, &err), 0); /* warm */
    allocations = 0;
    counting = true;
    for (uint64_t i = 1; i <= RECORDS; i++) {
        int r;

        test_record(&record, "thermal", i, i % 3);
        r = sink->record(sink->self, &record, &err);
        if (r < 0) {
            counting = false;
            fail_msg("%s", err.text);
        }
    }
    counting = false;
    assert_int_equal(allocations, 0);
}

/* The counter counts: without this, nothing below would mean anything. */
static void the_counter_counts(void **state)
{
    struct tf_sink sink;
    struct tf_error err;

    allocations = 0;
    counting = true;
    assert_int_equal(tf_sink_file("/dev/null", TF_FILE_NDJSON, true, &sink, &err), 0);
    counting = false;
    assert_true(allocations >= 3); /* the sink, its buffer, its path */
    sink.close(sink.self, NULL);
}

static void files_allocate_nothing(void **state)
{
    for (int format = TF_FILE_NDJSON; format <= TF_FILE_CSV_OPENFACE; format++) {
        struct tf_sink sink;
        struct tf_error err;

        assert_int_equal(tf_sink_file("/dev/null", (enum tf_file_format)format, true, &sink, &err), 0);
        run(&sink);
        sink.close(sink.self, NULL);
    }
}

static int status(void *context, struct tf_status *statuses, int max)
{
    memset(statuses, 0, sizeof(*statuses));
    strcpy(statuses->camera, "thermal");
    return 1;
}

static void the_stream_allocates_nothing(void **state)
{
    static const char request[] = "GET /landmarks HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct tf_http *http;
    struct tf_sink sink;
    struct tf_error err;
    int fd;

    assert_int_equal(tf_http_create(&(struct tf_http_options){.status = status}, &http, &err), 0);
    sink = tf_http_sink(http);
    run(&sink); /* nobody reads */
    to.sin_port = htons(tf_http_port(http));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    for (int i = 0; i < 5000 && !tf_http_clients(http, "thermal"); i++)
        usleep(1000);
    assert_int_equal(tf_http_clients(http, "thermal"), 1);
    run(&sink); /* somebody does, and falls behind */
    close(fd);
    tf_http_destroy(http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(files_allocate_nothing),
        cmocka_unit_test(the_stream_allocates_nothing),
    };

    return cmocka_run_group_tests_name("publish allocations", tests, NULL, NULL);
}
