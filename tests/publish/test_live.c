/* Encoded pictures on their way to viewers over HTTP: header, key picture first, who falls behind, who asks
 * for keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "publish/video/live.h"

#define MS 1000000ull

static int woken;

static void wake(void *context)
{
    woken++;
}

static struct tf_live *create(void)
{
    struct tf_live *live;

    woken = 0;
    assert_int_equal(tf_live_create("cam", wake, NULL, &live), 0);
    return live;
}

static void push(struct tf_live *live, char name, size_t size, bool key, uint64_t ms)
{
    uint8_t *data = malloc(size);

    assert_non_null(data);
    memset(data, name, size);
    tf_live_push(live, data, size, key, ms * MS);
    free(data);
}

/* What comes now, a character for each fragment of `size` bytes. */
static void expect(struct tf_live_viewer *viewer, size_t size, const char *names)
{
    uint8_t *buffer = malloc(size);

    assert_non_null(buffer);
    for (; *names; names++) {
        assert_int_equal(tf_live_viewer_read(viewer, buffer, size), (long)size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(buffer[i], *names);
    }
    assert_int_equal(tf_live_viewer_read(viewer, buffer, size), 0);
    free(buffer);
}

static void begins_with_header_and_key(void **state)
{
    struct tf_live *live = create();
    struct tf_live_viewer *viewer;
    uint8_t none[4];

    assert_int_equal(tf_live_viewer_create(live, &viewer), 0);
    assert_int_equal(tf_live_viewers(live), 1);
    assert_int_equal(tf_live_viewer_read(viewer, none, sizeof(none)), 0);
    assert_true(tf_live_take_key_request(live, 1000 * MS));
    assert_false(tf_live_take_key_request(live, 1001 * MS));
    assert_int_equal(tf_live_begin(live, (const uint8_t *)"HHHH", 4), 0);
    assert_int_equal(woken, 1);
    push(live, 'a', 4, false, 1); /* of those before it came */
    push(live, 'K', 4, true, 2);
    push(live, 'b', 4, false, 3);
    expect(viewer, 4, "HKb");
    push(live, 'c', 4, false, 4);
    assert_int_equal(woken, 2);
    expect(viewer, 4, "c");
    assert_int_equal(tf_live_dropped(live), 0);
    tf_live_viewer_destroy(viewer);
    assert_int_equal(tf_live_viewers(live), 0);
    tf_live_destroy(live);
}

/* A second behind: on with the newest key picture; without one, it asks for one, half a second apart at
 * most. */
static void who_is_late_goes_on_with_a_key(void **state)
{
    struct tf_live *live = create();
    struct tf_live_viewer *viewer;

    tf_live_begin(live, (const uint8_t *)"HHHH", 4);
    tf_live_viewer_create(live, &viewer);
    push(live, 'K', 4, true, 0);
    expect(viewer, 4, "HK");
    for (int i = 0; i < 20; i++)
        push(live, i == 15 ? 'L' : 'a', 4, i == 15, 100 + 100 * (uint64_t)i);
    expect(viewer, 4, "Laaaa");
    assert_int_equal(tf_live_dropped(live), 15);
    assert_true(tf_live_take_key_request(live, 5000 * MS)); /* since it came */
    for (int i = 0; i < 20; i++)
        push(live, 'b', 4, false, 3000 + 100 * (uint64_t)i);
    expect(viewer, 4, "");
    assert_int_equal(tf_live_dropped(live), 35);
    assert_false(tf_live_take_key_request(live, 5400 * MS));
    assert_true(tf_live_take_key_request(live, 5500 * MS));
    push(live, 'b', 4, false, 5000);
    push(live, 'M', 4, true, 5100);
    expect(viewer, 4, "M");
    tf_live_viewer_destroy(viewer);
    tf_live_destroy(live);
}

/* The ring is bounded: the oldest go, a fragment that is being read stays whole, one too large is left out.
 */
static void the_ring_is_bounded(void **state)
{
    enum { SIZE = 1 << 20 };
    struct tf_live *live = create();
    struct tf_live_viewer *viewer;
    uint8_t *half = malloc(SIZE / 2);

    tf_live_begin(live, (const uint8_t *)"H", 1);
    tf_live_viewer_create(live, &viewer);
    assert_int_equal(tf_live_viewer_read(viewer, half, 1), 1);
    push(live, 'K', SIZE, true, 0);
    assert_int_equal(tf_live_viewer_read(viewer, half, SIZE / 2), SIZE / 2);
    for (int i = 0; i < 8; i++)
        push(live, (char)('a' + i), SIZE, i == 6, (uint64_t)i);
    assert_int_equal(tf_live_viewer_read(viewer, half, SIZE / 2), SIZE / 2);
    for (int i = 0; i < SIZE / 2; i++)
        assert_int_equal(half[i], 'K');
    expect(viewer, SIZE, "gh");
    assert_true(tf_live_dropped(live) > 0);
    push(live, 'x', 3 * SIZE, true, 9);
    expect(viewer, SIZE, "");
    assert_true(tf_live_take_key_request(live, 1000 * MS));
    tf_live_viewer_destroy(viewer);
    free(half);
    tf_live_destroy(live);
}

/* Another header ends the streams of the old one; a new viewer gets the new one. */
static void another_header_is_another_stream(void **state)
{
    struct tf_live *live = create();
    struct tf_live_viewer *old, *young;
    uint8_t none[4];

    tf_live_begin(live, (const uint8_t *)"HHHH", 4);
    tf_live_viewer_create(live, &old);
    push(live, 'K', 4, true, 0);
    expect(old, 4, "HK");
    tf_live_begin(live, (const uint8_t *)"JJJJ", 4);
    assert_true(tf_live_viewer_ready(old));
    assert_int_equal(tf_live_viewer_read(old, none, sizeof(none)), -EPIPE);
    tf_live_viewer_create(live, &young);
    push(live, 'L', 4, true, 1);
    expect(young, 4, "JL");
    tf_live_viewer_destroy(old);
    tf_live_viewer_destroy(young);
    tf_live_destroy(live);
    tf_live_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_header_and_key),
        cmocka_unit_test(who_is_late_goes_on_with_a_key),
        cmocka_unit_test(the_ring_is_bounded),
        cmocka_unit_test(another_header_is_another_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
