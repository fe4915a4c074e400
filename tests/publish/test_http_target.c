/* A request's first line, taken apart: RFC 9112's forms, percent signs, UTF-8, names of the query. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/count.h"
#include "publish/http/target.h"

static void good_targets(void **state)
{
    static const struct {
        const char *raw, *path, *authority, *camera, *pair;
    } cases[] = {
        {"/", "/"},
        {"/state", "/state"},
        {"/%73tat%65?x", "/state"},
        {"http://localhost", "/", "localhost"},
        {"HTTP://[::1]:80?camera=a", "/", "[::1]:80", "a"},
        {"https://lab:443/x?pair=b", "/x", "lab:443", NULL, "b"},
        {"/x?camera=a+b%20c&y=%c3%a9&&=&z", "/x", "", "a b c"},
        {"/x?%63amera=a?b/c", "/x", "", "a?b/c"},
        {"/a+b", "/a+b"},
        {"/\xc3\xa9", "/\xc3\xa9"},
        {"/%f4%8f%bf%bf", "/\xf4\x8f\xbf\xbf"},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_target t;
        const char *why;

        if (tf_target_parse(cases[i].raw, &t, &why) < 0)
            fail_msg("%s: %s", cases[i].raw, why);
        assert_string_equal(t.path, cases[i].path);
        assert_string_equal(t.authority, cases[i].authority ? cases[i].authority : "");
        assert_int_equal(t.camera.given, cases[i].camera != NULL);
        assert_string_equal(t.camera.text, cases[i].camera ? cases[i].camera : "");
        assert_string_equal(t.pair.text, cases[i].pair ? cases[i].pair : "");
    }
}

static void bad_targets(void **state)
{
    static const char *const cases[] = {
        "",
        "*",
        "state",
        "/%",
        "/%4",
        "/%4g",
        "/%g4",
        "/%00",
        "/%0d%0aX",
        "/%7f",
        "/a#b",
        "/a b",
        "/\x01",
        "/%c0%80",
        "/%c1%bf",
        "/%e0%9f%bf",
        "/%ed%a0%80",
        "/%f0%8f%bf%bf",
        "/%f4%90%80%80",
        "/%f5%80%80%80",
        "/%80",
        "/%e2%82",
        "/\xff",
        "/x?%zz=1",
        "/x?a=%ff",
        "/x?camera=a&camera=a",
        "/x?camera",
        "/x?pair=",
        "/x?camera=a&pair=b",
        "ftp://h/",
        "http://",
        "http:///x",
        "http://a@b/",
        "http://a:b/",
        "http://a:65536/",
        "http://[::1/",
        "http://[::1]x/",
        "//\x7f",
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_target t;
        const char *why = NULL;

        if (tf_target_parse(cases[i], &t, &why) != -EINVAL)
            fail_msg("%s was taken as %s", cases[i], t.path);
        assert_non_null(why);
    }
}

static void long_targets_are_cut(void **state)
{
    char raw[4096] = "/";
    struct tf_target t;
    const char *why;

    memset(raw + 1, 'a', sizeof(raw) - 2);
    assert_int_equal(tf_target_parse(raw, &t, &why), 0);
    assert_int_equal(strlen(t.path), TF_TARGET_PATH - 1);
    memcpy(raw, "/x?camera=", 10);
    assert_int_equal(tf_target_parse(raw, &t, &why), 0);
    assert_int_equal(strlen(t.camera.text), TF_TARGET_NAME - 1);
    memcpy(raw, "http://", 7);
    assert_int_equal(tf_target_parse(raw, &t, &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_targets),
        cmocka_unit_test(bad_targets),
        cmocka_unit_test(long_targets_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
