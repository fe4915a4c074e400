/* What a visible camera saw, on its way to the thermal one: the nearest in time, whole, whatever the writer
 * does. */
#include "pipeline/exchange.h"
#include "tests/pipeline/common.h"

#define MS 1000000ull

static struct tf_record record;
static struct tf_exchanged got;
static const struct tf_frame frame = {.width = 64, .height = 48};

/* A record whose every number follows from its own. */
static void put(struct tf_exchange *x, uint64_t n, uint64_t t_ns, uint32_t faces, enum tf_state state)
{
    record.frame = n;
    record.t_mono_ns = t_ns;
    record.state = state;
    record.faces.count = faces;
    for (uint32_t i = 0; i < faces; i++) {
        record.faces.faces[i].id = (uint32_t)n;
        for (int k = 0; k < TF_POINTS; k++)
            record.faces.faces[i].points[k] = (struct tf_point){(float)n, (float)k, (float)i};
    }
    tf_exchange_put(x, &record, &frame);
}

static void check_whole(const struct tf_exchanged *e)
{
    assert_int_equal(e->partner.width, 64);
    assert_int_equal(e->partner.count, 1 + e->frame % 3);
    for (uint32_t i = 0; i < e->partner.count; i++) {
        assert_int_equal(e->partner.faces[i].id, e->frame);
        for (int k = 0; k < TF_POINTS; k++) {
            const struct tf_point *p = &e->partner.faces[i].points[k];

            assert_true(p->x == (float)e->frame && p->y == (float)k && p->confidence == (float)i);
        }
    }
}

static void the_nearest_is_given(void **state)
{
    struct tf_exchange *x;

    assert_int_equal(tf_exchange_create(&x), 0);
    assert_false(tf_exchange_nearest(x, 1000 * MS, UINT64_MAX, &got));
    assert_int_equal(tf_exchange_newest(x), 0);
    for (uint64_t n = 0; n < 3 * TF_EXCHANGE_FRAMES; n++)
        put(x, n, (1000 + 33 * n) * MS, 1 + (uint32_t)(n % 3), TF_STATE_OK);
    for (uint64_t t = 1000 + 33 * (2 * TF_EXCHANGE_FRAMES + 1); t < 1000 + 33 * (3 * TF_EXCHANGE_FRAMES + 2);
         t++) {
        uint64_t nearest = (t - 1000 + 16) / 33;

        if (nearest >= 3 * TF_EXCHANGE_FRAMES)
            nearest = 3 * TF_EXCHANGE_FRAMES - 1;
        assert_true(tf_exchange_nearest(x, t * MS, 100 * MS, &got));
        assert_int_equal(got.frame, nearest);
        check_whole(&got);
    }
    /* Further off than allowed, on either side; and exactly as far. */
    assert_false(tf_exchange_nearest(x, (1000 + 33 * (3 * TF_EXCHANGE_FRAMES - 1) + 51) * MS, 50 * MS, &got));
    assert_true(tf_exchange_nearest(x, (1000 + 33 * (3 * TF_EXCHANGE_FRAMES - 1) + 50) * MS, 50 * MS, &got));
    assert_false(tf_exchange_nearest(x, 1000 * MS, 50 * MS, &got)); /* overwritten long ago */
    tf_exchange_destroy(x);
    tf_exchange_destroy(NULL);
}

static void frames_nobody_looked_at_are_not_partners(void **state)
{
    struct tf_exchange *x;

    assert_int_equal(tf_exchange_create(&x), 0);
    put(x, 1, 100 * MS, 1, TF_STATE_SKIPPED);
    put(x, 2, 200 * MS, 1, TF_STATE_STALE);
    put(x, 3, 300 * MS, 1, TF_STATE_CORRUPT);
    assert_false(tf_exchange_nearest(x, 200 * MS, UINT64_MAX, &got));
    put(x, 4, 400 * MS, 0, TF_STATE_NO_FACE);
    assert_true(tf_exchange_nearest(x, 200 * MS, UINT64_MAX, &got));
    assert_int_equal(got.frame, 4);
    assert_int_equal(got.partner.count, 0);
    tf_exchange_destroy(x);
}

#define WRITES 20000
static void *write_all(void *arg)
{
    for (uint64_t n = 1; n <= WRITES; n++)
        put(arg, n, n * MS, 1 + (uint32_t)(n % 3), TF_STATE_OK);
    return NULL;
}

static void a_reader_never_sees_halves(void **state)
{
    struct tf_exchange *x;
    pthread_t writer;
    uint64_t newest;

    assert_int_equal(tf_exchange_create(&x), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_all, x), 0);
    do {
        newest = tf_exchange_newest(x);
        if (newest && tf_exchange_nearest(x, newest, 100 * MS, &got)) {
            assert_int_equal(got.t_mono_ns, got.frame * MS);
            check_whole(&got);
        }
    } while (newest < WRITES * MS);
    pthread_join(writer, NULL);
    assert_true(tf_exchange_nearest(x, WRITES * MS, 0, &got));
    tf_exchange_destroy(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_is_given),
        cmocka_unit_test(frames_nobody_looked_at_are_not_partners),
        cmocka_unit_test(a_reader_never_sees_halves),
    };

    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
