/* Records into files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "publish/record/sink.h"
#include "records.h"

static struct tf_record record;
static char folder[64], path[128];

static int setup(void **state)
{
    strcpy(folder, "/tmp/tf-sink-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/records", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    return rmdir(folder);
}

static char *content(size_t *size)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static void write_records(enum tf_file_format format, int count)
{
    struct tf_error err = {0};
    struct tf_sink sink;

    assert_int_equal(tf_sink_file(path, format, false, &sink, &err), 0);
    assert_non_null(sink.name);
    for (int i = 0; i < count; i++) {
        test_record(&record, "thermal", (uint64_t)i, i % 2);
        assert_int_equal(sink.record(sink.self, &record, &err), 0);
    }
    assert_int_equal(sink.close(sink.self, &err), 0);
}

static int lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void ndjson_is_one_line_a_record(void **state)
{
    char *text, expected[64 << 10];
    size_t size;

    write_records(TF_FILE_NDJSON, 10);
    text = content(&size);
    assert_int_equal(lines(text), 10);
    test_record(&record, "thermal", 0, 0);
    assert_memory_equal(text, expected, (size_t)tf_record_ndjson(&record, expected, sizeof(expected)));
    free(text);
}

static void csv_begins_with_its_header(void **state)
{
    char *text, expected[64 << 10];
    size_t size;
    int n;

    write_records(TF_FILE_CSV, 10);
    text = content(&size);
    assert_int_equal(lines(text), 11);
    n = tf_record_csv_header(TF_CSV_THERMOFACE, NULL, expected, sizeof(expected));
    assert_memory_equal(text, expected, (size_t)n);
    free(text);
}

static void openface_counts_seconds_from_the_first_row(void **state)
{
    char *text, *second;
    size_t size;

    write_records(TF_FILE_CSV_OPENFACE, 2);
    text = content(&size);
    second = strchr(text, '\n') + 1;
    assert_memory_equal(second, "1,0,0.000000,", 13);
    second = strchr(second, '\n') + 1;
    assert_memory_equal(second, "2,1,0.016667,", 13);
    free(text);
}

static void records_are_there_before_the_end(void **state)
{
    struct tf_error err = {0};
    struct tf_sink sink;
    size_t size;
    char *text;

    assert_int_equal(tf_sink_file(path, TF_FILE_NDJSON, false, &sink, &err), 0);
    test_record(&record, "thermal", 0, 1);
    assert_int_equal(sink.record(sink.self, &record, &err), 0);
    text = content(&size);
    assert_int_equal(lines(text), 1);
    free(text);
    sink.close(sink.self, NULL);
}

static void what_exists_is_kept(void **state)
{
    struct tf_error err = {0};
    struct tf_sink sink = {0};
    struct stat st;
    FILE *f = fopen(path, "w");

    fputs("precious", f);
    fclose(f);
    assert_int_equal(tf_sink_file(path, TF_FILE_CSV, false, &sink, &err), -EEXIST);
    assert_non_null(strstr(err.text, path));
    assert_null(sink.self);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(tf_sink_file(path, TF_FILE_NDJSON, true, &sink, &err), 0);
    assert_int_equal(sink.close(sink.self, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct tf_error err = {0};
    struct tf_sink sink;
    char nowhere[160];

    snprintf(nowhere, sizeof(nowhere), "%s/none/records.csv", folder);
    assert_int_equal(tf_sink_file(nowhere, TF_FILE_CSV, false, &sink, &err), -ENOENT);
    assert_non_null(strstr(err.text, nowhere));
}

/* A limit on the file's size stands for a full disk: part of a row must not stay. */
static void a_full_disk_leaves_whole_rows(void **state)
{
    struct rlimit before, limit;
    struct tf_error err = {0};
    struct tf_sink sink;
    size_t size;
    char *text;
    int r = 0, written = 0;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 10000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(tf_sink_file(path, TF_FILE_NDJSON, false, &sink, &err), 0);
    for (int i = 0; i < 20 && r == 0; i++) {
        test_record(&record, "thermal", (uint64_t)i, 1);
        r = sink.record(sink.self, &record, &err);
        written += r == 0;
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -EFBIG);
    assert_non_null(strstr(err.text, path));
    assert_true(written > 0);
    /* With room again it goes on. */
    assert_int_equal(sink.record(sink.self, &record, &err), 0);
    assert_int_equal(sink.close(sink.self, &err), 0);
    text = content(&size);
    assert_int_equal(lines(text), written + 1);
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_memory_equal(line, "{\"camera\"", 9);
    free(text);
}

/* What goes round with the record is written as it is: two files, one encoding. */
static void text_that_is_there_is_not_made_again(void **state)
{
    struct tf_record_text encoded;
    struct tf_error err = {0};
    struct tf_sink sink;
    char *text, expected[64 << 10];
    size_t size;
    int n;

    assert_int_equal(tf_record_text_create(&encoded), 0);
    assert_int_equal(tf_sink_file(path, TF_FILE_NDJSON, false, &sink, &err), 0);
    test_record(&record, "thermal", 7, 1);
    n = tf_record_ndjson(&record, expected, sizeof(expected));
    record.text = &encoded;
    assert_int_equal(sink.record(sink.self, &record, &err), 0);
    assert_int_equal(encoded.length, n);
    record.frame = 8; /* shows who encodes */
    assert_int_equal(sink.record(sink.self, &record, &err), 0);
    assert_int_equal(sink.close(sink.self, &err), 0);
    text = content(&size);
    assert_int_equal(size, 2 * n);
    assert_memory_equal(text, expected, (size_t)n);
    assert_memory_equal(text + n, expected, (size_t)n);
    record.text = NULL;
    tf_record_text_finish(&encoded);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ndjson_is_one_line_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(csv_begins_with_its_header, setup, teardown),
        cmocka_unit_test_setup_teardown(openface_counts_seconds_from_the_first_row, setup, teardown),
        cmocka_unit_test_setup_teardown(records_are_there_before_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_exists_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_whole_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(text_that_is_there_is_not_made_again, setup, teardown),
    };

    return cmocka_run_group_tests_name("publish sink_file", tests, NULL, NULL);
}
