/* Files with user and password: read, refused, never repeated. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/count.h"
#include "publish/http/http.h"

static char path[64];

static int setup(void **state)
{
    int fd;

    strcpy(path, "/tmp/tf-credentials-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    return unlink(path);
}

static void put(const char *text, size_t size)
{
    FILE *f = fopen(path, "w");

    fwrite(text, 1, size, f);
    fclose(f);
}

static void user_and_password_are_read(void **state)
{
    static const char *const texts[] = {"lab:se:cret", "lab:se:cret\n", "lab:se:cret\r\nother:line\n"};
    struct tf_error err = {0};
    char user[64], password[128];

    for (size_t i = 0; i < 3; i++) {
        put(texts[i], strlen(texts[i]));
        memset(user, 'x', sizeof(user));
        assert_int_equal(tf_credentials_read(path, user, password, &err), 0);
        assert_string_equal(user, "lab");
        assert_string_equal(password, "se:cret");
    }
}

static void the_longest_just_fit(void **state)
{
    struct tf_error err = {0};
    char user[64], password[128], text[400];

    snprintf(text, sizeof(text), "%063d:%0127d\n", 1, 2);
    put(text, strlen(text));
    assert_int_equal(tf_credentials_read(path, user, password, &err), 0);
    assert_int_equal(strlen(user), 63);
    assert_int_equal(strlen(password), 127);
    snprintf(text, sizeof(text), "%064d:%0127d\n", 1, 2);
    put(text, strlen(text));
    assert_int_equal(tf_credentials_read(path, user, password, &err), -EINVAL);
    snprintf(text, sizeof(text), "%063d:%0128d\n", 1, 2);
    put(text, strlen(text));
    assert_int_equal(tf_credentials_read(path, user, password, &err), -EINVAL);
}

static void bad_files_are_refused_and_not_repeated(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"", 0},      {"\n", 1},           {"hush", 4},     {":hush", 5},
                 {"hush:", 5}, {"hush\nlab:x", 10}, {"hu\0sh:x", 7}, {"lab:hu\tsh", 9}};
    char user[64] = "untouched", password[128];

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_error err = {0};

        put(cases[i].text, cases[i].size);
        assert_int_equal(tf_credentials_read(path, user, password, &err), -EINVAL);
        assert_non_null(strstr(err.text, path));
        assert_null(strstr(err.text, "hush"));
        assert_string_equal(user, "untouched");
    }
}

static void large_missing_and_strange_files_are_refused(void **state)
{
    struct tf_error err = {0};
    char user[64], password[128], big[2000];

    memset(big, '\n', sizeof(big));
    memcpy(big, "lab:x", 5);
    put(big, 1024);
    assert_int_equal(tf_credentials_read(path, user, password, &err), 0);
    put(big, 1025);
    assert_int_equal(tf_credentials_read(path, user, password, &err), -E2BIG);
    assert_int_equal(tf_credentials_read("/nowhere/at/all", user, password, &err), -ENOENT);
    assert_int_equal(tf_credentials_read("/tmp", user, password, &err), -EINVAL);
    assert_int_equal(tf_credentials_read("/dev/zero", user, password, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(user_and_password_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_just_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files_are_refused_and_not_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(large_missing_and_strange_files_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("publish credentials", tests, NULL, NULL);
}
