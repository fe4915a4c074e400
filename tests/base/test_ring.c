/* The ring: order, loss, refusal, waiting. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/ring.h"

static void note_drop(void *context, void *entry)
{
    uintptr_t *sum = context;

    *sum += (uintptr_t)entry;
}

static void live_drops_the_oldest(void **state)
{
    struct tf_ring *ring = NULL;
    uintptr_t dropped = 0;
    void *entry;

    assert_int_equal(tf_ring_create(TF_RING_DROP_OLDEST, 2, note_drop, &dropped, &ring), 0);
    for (uintptr_t i = 1; i <= 4; i++)
        assert_int_equal(tf_ring_push(ring, (void *)i), 0);
    assert_int_equal(dropped, 1 + 2);
    assert_int_equal(tf_ring_pop(ring, 0, &entry), 0);
    assert_int_equal((uintptr_t)entry, 3);
    assert_int_equal(tf_ring_counters(ring).dropped, 2);
    assert_int_equal(tf_ring_counters(ring).length, 1);
    tf_ring_destroy(ring);
    assert_int_equal(dropped, 1 + 2 + 4); /* what was left is handed back */
}

static void recording_refuses_the_new(void **state)
{
    struct tf_ring *ring = NULL;
    uintptr_t dropped = 0;
    void *entry;

    assert_int_equal(tf_ring_create(TF_RING_REFUSE, 2, note_drop, &dropped, &ring), 0);
    assert_int_equal(tf_ring_push(ring, (void *)1), 0);
    assert_int_equal(tf_ring_push(ring, (void *)2), 0);
    assert_int_equal(tf_ring_push(ring, (void *)3), -ENOBUFS);
    assert_int_equal(dropped, 0);
    assert_int_equal(tf_ring_counters(ring).refused, 1);
    assert_int_equal(tf_ring_pop(ring, 0, &entry), 0);
    assert_int_equal((uintptr_t)entry, 1);
    tf_ring_close(ring);
    assert_int_equal(tf_ring_push(ring, (void *)9), -EPIPE);
    assert_int_equal(tf_ring_pop(ring, -1, &entry), 0); /* drains first */
    assert_int_equal(tf_ring_pop(ring, -1, &entry), -EPIPE);
    tf_ring_destroy(ring);
    tf_ring_destroy(NULL);
}

static void waiting_ends_in_time(void **state)
{
    struct tf_ring *ring = NULL;
    void *entry = &ring;
    uint64_t before = tf_now_ns();

    assert_int_equal(tf_ring_create(TF_RING_REFUSE, 1, NULL, NULL, &ring), 0);
    assert_int_equal(tf_ring_pop(ring, 0, &entry), -EAGAIN);
    assert_int_equal(tf_ring_pop(ring, 20, &entry), -EAGAIN);
    assert_true(tf_now_ns() - before >= 20000000);
    assert_ptr_equal(entry, &ring); /* untouched */
    tf_ring_destroy(ring);
}

#define COUNT 200000

static void *produce(void *arg)
{
    struct tf_ring *ring = arg;

    for (uintptr_t i = 1; i <= COUNT; i++)
        tf_ring_push(ring, (void *)i);
    tf_ring_close(ring);
    return NULL;
}

static void order_and_sum_across_threads(void **state)
{
    struct tf_ring *ring = NULL;
    uintptr_t dropped = 0, got = 0, last = 0, popped = 0;
    pthread_t producer;
    void *entry;

    assert_int_equal(tf_ring_create(TF_RING_DROP_OLDEST, 16, note_drop, &dropped, &ring), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    while (tf_ring_pop(ring, -1, &entry) == 0) {
        assert_true((uintptr_t)entry > last);
        last = (uintptr_t)entry;
        got += last;
        popped++;
    }
    pthread_join(producer, NULL);
    assert_int_equal(got + dropped, (uintptr_t)COUNT * (COUNT + 1) / 2);
    assert_int_equal(tf_ring_counters(ring).dropped + popped, COUNT);
    tf_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_drops_the_oldest),
        cmocka_unit_test(recording_refuses_the_new),
        cmocka_unit_test(waiting_ends_in_time),
        cmocka_unit_test(order_and_sum_across_threads),
    };
    return cmocka_run_group_tests_name("base ring", tests, NULL, NULL);
}
