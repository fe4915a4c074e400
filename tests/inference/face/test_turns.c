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

/* A scene that is only looked after: what its readings are, and what was made of them. */
struct scene {
    int upright; /* turn in which its face stands upright; -1: nobody; -2: a face that tells nothing */
    int given;   /* the turn in use; 0 is none here */
};

struct looked {
    int readings, verdict; /* -1: none */
    double verdict_s;      /* when the last one came */
};

/* From `from` on for some seconds, as pipeline/turn.c does. */
static struct looked look_after(struct tf_turns_rest *rest, int *settled, struct scene scene, double from,
                                double seconds)
{
    struct looked ret = {.verdict = -1};

    for (int i = 0; i < (int)(seconds * 30); i++) {
        uint64_t t = (uint64_t)((from + i / 30.0) * 1e9);

        if (tf_turns_resting(rest, &turns, t))
            continue;
        while (tf_turns_due(&turns, t, 84 * MS, &rotate)) {
            struct tf_turn_reading r = {.found = scene.upright != -1, .evidence = 0.02f, .apart = 0.09f};

            if (scene.upright == rotate)
                r = (struct tf_turn_reading){true, 0.94f, 0.015f};
            tf_turns_add(&turns, &r);
            ret.readings++;
        }
        if (turns.verdict == TF_TURNS_CLEAR) {
            ret.verdict = *settled = turns.best;
            ret.verdict_s = i / 30.0;
            tf_turns_reset(&turns);
        }
        tf_turns_may_rest(rest, &turns, *settled, scene.given ? scene.given : -1, t);
    }
    return ret;
}

/* Once it is known a turn costs a round in half a minute; another one is noticed as soon as that comes. */
static void a_verdict_is_followed_by_rests(void **state)
{
    struct tf_turns_rest rest = {0};
    struct looked l;
    int settled = -1;

    tf_turns_reset(&turns);
    l = look_after(&rest, &settled, (struct scene){90}, 5, 5);
    assert_int_equal(l.verdict, 90);
    assert_true(l.verdict_s < 2.5);
    assert_in_range(l.readings, 20, 24);
    l = look_after(&rest, &settled, (struct scene){90}, 10, 600);
    assert_in_range(l.readings, 4 * 18, 4 * 20);
    /* Somebody turns the camera. */
    l = look_after(&rest, &settled, (struct scene){270}, 610, 60);
    assert_int_equal(l.verdict, 270);
    assert_true(l.verdict_s < 34);
    /* And back. */
    l = look_after(&rest, &settled, (struct scene){90}, 670, 60);
    assert_int_equal(l.verdict, 90);
    assert_true(l.verdict_s < 34);
}

/* A given turn that looks right is believed after two rounds; one that is wrong gets its verdict as soon as
 * without, and so does one that becomes wrong. */
static void what_was_given_is_believed_sooner(void **state)
{
    struct tf_turns_rest rest = {0};
    struct looked l;
    int settled = -1;

    tf_turns_reset(&turns);
    l = look_after(&rest, &settled, (struct scene){90, 90}, 5, 25);
    assert_int_equal(l.readings, 4 * TF_TURNS_AGREED);
    assert_int_equal(l.verdict, -1);
    l = look_after(&rest, &settled, (struct scene){180, 90}, 30, 40);
    assert_int_equal(l.verdict, 180);
    assert_true(l.verdict_s < 15);

    tf_turns_reset(&turns);
    rest = (struct tf_turns_rest){0};
    settled = -1;
    l = look_after(&rest, &settled, (struct scene){180, 90}, 5, 5);
    assert_int_equal(l.verdict, 180);
    assert_true(l.verdict_s < 2.5);
}

/* An empty room, and a face that tells nothing, cost little for ever; who comes in is read within seconds. */
static void what_tells_nothing_rests_too(void **state)
{
    struct tf_turns_rest rest = {0};
    struct looked l;
    int settled = -1;

    tf_turns_reset(&turns);
    look_after(&rest, &settled, (struct scene){-1}, 5, 10);
    l = look_after(&rest, &settled, (struct scene){-1}, 15, 60);
    assert_in_range(l.readings, 24, 44);
    assert_int_equal(l.verdict, -1);
    l = look_after(&rest, &settled, (struct scene){180}, 75, 20);
    assert_int_equal(l.verdict, 180);
    assert_true(l.verdict_s < 10);

    tf_turns_reset(&turns);
    rest = (struct tf_turns_rest){0};
    settled = -1;
    look_after(&rest, &settled, (struct scene){-2}, 5, 10);
    l = look_after(&rest, &settled, (struct scene){-2}, 15, 60);
    assert_in_range(l.readings, 16, 28);
    assert_int_equal(l.verdict, -1);
}

/* A recording that begins again, or another clock, does not wait for the old one's rest. */
static void a_clock_that_runs_back_ends_the_rest(void **state)
{
    struct tf_turns_rest rest = {0};
    struct looked l;
    int settled = -1;

    tf_turns_reset(&turns);
    look_after(&rest, &settled, (struct scene){0}, 1000, 10);
    assert_int_equal(settled, 0);
    l = look_after(&rest, &settled, (struct scene){180}, 5, 5);
    assert_int_equal(l.verdict, 180);
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
        cmocka_unit_test(a_verdict_is_followed_by_rests),
        cmocka_unit_test(what_was_given_is_believed_sooner),
        cmocka_unit_test(what_tells_nothing_rests_too),
        cmocka_unit_test(a_clock_that_runs_back_ends_the_rest),
    };

    return cmocka_run_group_tests_name("inference face: turns", tests, NULL, NULL);
}
