/* The log's lines, levels and limits. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

/* What `say` writes to standard error. */
static void captured(void (*say)(void), char *text, size_t size)
{
    char path[] = "/tmp/tf-log-XXXXXX";
    int file = mkstemp(path), saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_true(file >= 0 && saved >= 0);
    unlink(path);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    say();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    n = pread(file, text, size - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(file);
    close(saved);
}

static void say_levels(void)
{
    tf_log(TF_LOG_ERROR, "left", "lost: %s", "unplugged");
    tf_log(TF_LOG_DEBUG, NULL, "not shown by default");
    tf_log(TF_LOG_NOTICE, NULL, "started");
}

static void level_and_camera(void **state)
{
    char text[4096];

    captured(say_levels, text, sizeof(text));
    assert_string_equal(text, "error left: lost: unplugged\nnotice: started\n");
}

static void say_often(void)
{
    struct tf_log_limit limit = {0};

    for (int i = 0; i < 100; i++)
        tf_log_limited(&limit, 2, UINT64_MAX, TF_LOG_WARNING, NULL, "message %d", i);
    limit.window_start_ns = 1; /* long ago: with this interval the next call opens a new window */
    tf_log_limited(&limit, 2, 1, TF_LOG_WARNING, NULL, "later");
}

static void bursts_are_limited_and_counted(void **state)
{
    char text[4096];

    captured(say_often, text, sizeof(text));
    assert_string_equal(text, "warning: message 0\nwarning: message 1\n"
                              "warning: 98 similar messages were left out\nwarning: later\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_and_camera),
        cmocka_unit_test(bursts_are_limited_and_counted),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests_name("base log", tests, NULL, NULL);
}
