/* Which way up: when readings are due, and what is made of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inference/face/turns.h"

#define MS 1000000ull
#define EVERY (28 * MS)

static struct tf_turns turns;
static uint16_t rotate;

/* Readings in a frame at that time; each finds something or nothing. */
static int read_frame(uint64_t t, bool found)
{
    const struct tf_turn_reading reading = {.found = found};
    int n = 0;

    while (tf_turns_due(&turns, t, EVERY, &rotate)) {
        tf_turns_add(&turns, &reading);
        assert_in_range(++n, 1, TF_TURNS_BURST);
    }
    return n;
}

static int read_seconds(double fps, double seconds, bool found, int *most)
{
    int n = 0, one;

    *most = 0;
    for (int i = 0; i < (int)(seconds * fps); i++) {
        one = read_frame(5000 * MS + (uint64_t)(i * 1e9 / fps), found);
        *most = one > *most ? one : *most;
        n += one;
    }
    return n;
}

/* However fast the camera, some 36 readings a second; a slow one gets several in a frame. */
static void readings_keep_their_pace(void **state)
{
    int most;

    tf_turns_reset(&turns);
    assert_in_range(read_seconds(9, 10, true, &most), 340, 362);
    assert_int_equal(most, 4);
    tf_turns_reset(&turns);
    assert_in_range(read_seconds(30, 10, true, &most), 290, 362);
    assert_in_range(most, 1, 2);
    tf_turns_reset(&turns);
    assert_in_range(read_seconds(60, 10, true, &most), 340, 362);
    assert_int_equal(most, 1);
    tf_turns_reset(&turns);
    assert_in_range(read_seconds(1, 10, true, &most), 37, 40); /* never more than four */
}

static void an_empty_room_costs_less(void **state)
{
    int most;

    tf_turns_reset(&turns);
    assert_in_range(read_seconds(30, 10, false, &most), 85, 105);
    /* Until there is something again. */
    assert_in_range(read_seconds(30, 10, true, &most), 280, 362);
}

/* After a pause nothing is made up for, and a clock that runs back begins anew. */
static void pauses_and_jumps(void **state)
{
    tf_turns_reset(&turns);
    read_frame(5000 * MS, true);
    assert_int_equal(read_frame(900000 * MS, true), 4);
    assert_int_equal(read_frame(900001 * MS, true), 0);
    assert_int_equal(read_frame(10 * MS, true), 1);
    assert_int_equal(read_frame(38 * MS, true), 1);
}

/* Rounds of four readings that lie so far apart, a share of the face; 0: none found. */
static void add_rounds(int n, float a, float b, float c, float d)
{
    const float apart[4] = {a, b, c, d};

    for (int i = 0; i < 4 * n; i++) {
        float x = apart[i % 4];
        const struct tf_turn_reading reading = {
            .found = x > 0, .apart = x, .evidence = x > 0 ? 1 / (1 + expf((x - 0.032f) / 0.006f)) : 0};

        tf_turns_add(&turns, &reading);
    }
}

static void an_upright_face_is_told(void **state)
{
    tf_turns_reset(&turns);
    add_rounds(4, 0.07f, 0, 0.014f, 0.09f);
    assert_int_equal(turns.verdict, TF_TURNS_OPEN);
    add_rounds(2, 0.07f, 0, 0.014f, 0.09f);
    assert_int_equal(turns.verdict, TF_TURNS_CLEAR);
    assert_int_equal(turns.best, 180);
    /* Also where the wrong turn would pass alone: what counts is which one fits better. */
    tf_turns_reset(&turns);
    add_rounds(12, 0.010f, 0, 0.026f, 0);
    assert_int_equal(turns.verdict, TF_TURNS_CLEAR);
    assert_int_equal(turns.best, 0);
}

static void nothing_is_told_from_nothing(void **state)
{
    tf_turns_reset(&turns);
    add_rounds(500, 0, 0, 0, 0);
    assert_int_equal(turns.verdict, TF_TURNS_OPEN);
    add_rounds(500, 0.08f, 0.09f, 0.12f, 0.07f); /* clutter: found, and read differently each time */
    assert_int_equal(turns.verdict, TF_TURNS_OPEN);
}

static void what_fits_alike_is_a_tie(void **state)
{
    tf_turns_reset(&turns);
    add_rounds(100, 0.015f, 0.08f, 0.0155f, 0);
    assert_int_equal(turns.verdict, TF_TURNS_TIE);
    assert_true(turns.best + turns.second == 180);
    /* Until one of them fits better. */
    add_rounds(60, 0.08f, 0.08f, 0.0155f, 0);
    assert_int_equal(turns.verdict, TF_TURNS_CLEAR);
    assert_int_equal(turns.best, 180);
}

/* A few frames of a face that is misread do not outweigh the many. */
static void the_past_fades_slowly(void **state)
{
    tf_turns_reset(&turns);
    add_rounds(40, 0, 0.015f, 0, 0);
    add_rounds(3, 0, 0, 0, 0.02f);
    assert_int_equal(turns.verdict, TF_TURNS_CLEAR);
    assert_int_equal(turns.best, 90);
    add_rounds(200, 0, 0, 0, 0.015f);
    assert_int_equal(turns.best, 270);
    assert_int_equal(turns.verdict, TF_TURNS_CLEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_keep_their_pace),
        cmocka_unit_test(an_empty_room_costs_less),
        cmocka_unit_test(pauses_and_jumps),
        cmocka_unit_test(an_upright_face_is_told),
        cmocka_unit_test(nothing_is_told_from_nothing),
        cmocka_unit_test(what_fits_alike_is_a_tie),
        cmocka_unit_test(the_past_fades_slowly),
    };

    return cmocka_run_group_tests_name("inference face: turns", tests, NULL, NULL);
}
