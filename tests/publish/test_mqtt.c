/* MQTT without a broker: means over intervals, what a full ring costs, and the queue's order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "publish/mqtt/means.h"
#include "publish/mqtt/queue.h"

#define INTERVAL 500000000ull

static struct tf_record record;
static unsigned allocations;

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* A frame with a face; the nose tip is `nose`, NAN: not valid. */
static void frame(struct tf_means *m, uint64_t t_mono_ns, float nose)
{
    struct tf_region_stats *s = record.faces.faces[0].regions;

    record.t_mono_ns = t_mono_ns;
    record.celsius = true;
    record.faces.count = 1;
    for (int i = 0; i < TF_REGIONS; i++)
        s[i] = (struct tf_region_stats){.mean = 30, .n = 20, .valid = i != TF_REGION_CHIN};
    s[TF_REGION_NOSE_TIP] = (struct tf_region_stats){.mean = nose, .n = 20, .valid = nose == nose};
    tf_means_record(m, &record);
}

/* Where an interval begins that is wholly to come: the first one that is taken says where they lie. */
static uint64_t next_start(struct tf_means *m)
{
    struct tf_means_interval v;
    uint64_t now = tf_now_ns();

    while (!tf_means_take(m, now, NULL, NULL, &v))
        now += INTERVAL;
    return v.t_end_ns;
}

static void mean_of_the_valid_ones(void **state)
{
    struct tf_means *m = NULL;
    struct tf_means_interval v;
    uint64_t t;

    assert_int_equal(tf_means_create(INTERVAL, tf_means_origin(INTERVAL), &m), 0);
    t = next_start(m);
    frame(m, t, 32);
    frame(m, t + 1000, 34);
    frame(m, t + 2000, NAN);
    frame(m, t + INTERVAL - 1, 36);
    assert_false(tf_means_take(m, t, NULL, NULL, &v)); /* more may come */
    frame(m, t + INTERVAL, 99);
    assert_true(tf_means_take(m, t, NULL, NULL, &v));
    assert_int_equal(v.t_end_ns, t + INTERVAL);
    assert_int_equal(v.frames, 4);
    assert_int_equal(v.faces, 4);
    assert_true(v.celsius);
    assert_int_equal(v.n[TF_REGION_NOSE_TIP], 3);
    assert_true(v.sum[TF_REGION_NOSE_TIP] == 102);
    assert_int_equal(v.n[TF_REGION_CHIN], 0);
    /* The next has one frame, and comes a second after its end though no frame follows. */
    assert_false(tf_means_take(m, t + 2 * INTERVAL + 999999999, NULL, NULL, &v));
    assert_true(tf_means_take(m, t + 2 * INTERVAL + 1000000000, NULL, NULL, &v));
    assert_int_equal(v.frames, 1);
    /* Then none: an interval all the same. */
    assert_true(tf_means_take(m, t + 3 * INTERVAL + 1000000000, NULL, NULL, &v));
    assert_int_equal(v.frames, 0);
    assert_int_equal(v.n[TF_REGION_NOSE_TIP], 0);
    assert_int_equal(tf_means_lost(m), 0);
    /* A record that comes after that is counted, and in no mean. */
    frame(m, t + INTERVAL + 5, 40);
    assert_false(tf_means_take(m, t, NULL, NULL, &v));
    assert_int_equal(tf_means_lost(m), 1);
    tf_means_destroy(m);
}

static void units_do_not_mix(void **state)
{
    struct tf_means *m = NULL;
    struct tf_means_interval v;
    uint64_t t;

    assert_int_equal(tf_means_create(INTERVAL, tf_means_origin(INTERVAL), &m), 0);
    t = next_start(m);
    frame(m, t, 32);
    record.celsius = false;
    record.t_mono_ns = t + 1;
    record.faces.faces[0].regions[TF_REGION_NOSE_TIP].mean = 30000;
    tf_means_record(m, &record);
    assert_true(tf_means_take(m, t + INTERVAL + 1000000000, NULL, NULL, &v));
    assert_false(v.celsius);
    assert_int_equal(v.frames, 1);
    assert_true(v.sum[TF_REGION_NOSE_TIP] == 30000);
    tf_means_destroy(m);
}

static void full_ring(void **state)
{
    struct tf_means *m = NULL;
    struct tf_means_interval v;
    unsigned before;
    uint64_t t;

    assert_int_equal(tf_means_create(INTERVAL, tf_means_origin(INTERVAL), &m), 0);
    t = next_start(m);
    before = allocations;
    for (uint64_t i = 0; i < 1000; i++) /* nobody takes them */
        frame(m, t + i, 32);
    assert_int_equal(allocations, before);
    assert_int_equal(tf_means_lost(m), 1000 - 512);
    assert_true(tf_means_take(m, t + INTERVAL + 1000000000, NULL, NULL, &v));
    assert_int_equal(v.frames, 512);
    frame(m, t + INTERVAL, 33);
    assert_true(tf_means_take(m, t + 2 * INTERVAL + 1000000000, NULL, NULL, &v));
    assert_int_equal(v.frames, 1);
    tf_means_destroy(m);
}

static void names_change(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    struct tf_means *m = NULL;
    struct tf_means_interval v;
    uint64_t t;

    assert_int_equal(tf_means_create(INTERVAL, tf_means_origin(INTERVAL), &m), 0);
    t = next_start(m);
    record.own.names = (struct tf_own_names){.areas = 1};
    for (size_t i = 0; i < 6; i++) { /* more sets than are kept: what finds no room is counted */
        strcpy(record.own.names.area[0], names[i]);
        record.own.area[0] = (struct tf_region_stats){.mean = (float)i, .n = 9, .valid = true};
        frame(m, t + i, 32);
    }
    assert_int_equal(tf_means_lost(m), 3);
    assert_true(tf_means_take(m, t + INTERVAL + 1000000000, NULL, NULL, &v));
    assert_int_equal(v.names->areas, 1);
    assert_string_equal(v.names->area[0], "c");
    assert_int_equal(v.n[TF_REGIONS], 1);
    assert_true(v.sum[TF_REGIONS] == 2);
    assert_int_equal(v.n[TF_REGION_NOSE_TIP], 3);
    /* From here on there is room again. */
    frame(m, t + INTERVAL, 32);
    assert_true(tf_means_take(m, t + 2 * INTERVAL + 1000000000, NULL, NULL, &v));
    assert_string_equal(v.names->area[0], "f");
    memset(&record, 0, sizeof(record));
    tf_means_destroy(m);
}

struct shut {
    int count;
    bool closed;
    uint64_t at;
};

static void on_shutter(void *context, bool closed, uint64_t t_mono_ns)
{
    struct shut *s = context;

    s->count++;
    s->closed = closed;
    s->at = t_mono_ns;
}

static void shutter(void **state)
{
    struct tf_means *m = NULL;
    struct tf_means_interval v;
    struct shut s = {0};
    uint64_t t;

    assert_int_equal(tf_means_create(INTERVAL, tf_means_origin(INTERVAL), &m), 0);
    t = next_start(m);
    frame(m, t, 32);
    record.flags = TF_FLAG_FFC;
    frame(m, t + 10, 32);
    frame(m, t + 20, 32);
    tf_means_take(m, t, on_shutter, &s, &v);
    assert_int_equal(s.count, 1);
    assert_true(s.closed);
    assert_int_equal(s.at, t + 10);
    record.flags = 0;
    frame(m, t + 30, 32);
    tf_means_take(m, t, on_shutter, &s, &v);
    assert_int_equal(s.count, 2);
    assert_false(s.closed);
    assert_int_equal(s.at, t + 30);
    tf_means_destroy(m);
}

static void push(struct tf_mqtt_list *list, const char *topic, enum tf_mqtt_kind kind, int mid)
{
    struct tf_mqtt_message *m = NULL;

    assert_int_equal(tf_mqtt_message_create(topic, "{}", kind, &m), 0);
    assert_int_equal(m->size, 2);
    m->mid = mid;
    tf_mqtt_list_push(list, m);
}

static void pops(struct tf_mqtt_message *m, const char *topic)
{
    assert_non_null(m);
    assert_string_equal(m->topic, topic);
    free(m);
}

static void queue(void **state)
{
    struct tf_mqtt_list list = {0}, sent = {0};

    push(&list, "event1", TF_MQTT_EVENT, 1);
    push(&list, "state", TF_MQTT_RETAINED, 2);
    push(&list, "mean1", TF_MQTT_NOW, 3);
    push(&list, "mean2", TF_MQTT_NOW, 4);
    push(&list, "event2", TF_MQTT_EVENT, 5);
    pops(tf_mqtt_list_pop_cheapest(&list), "mean1");
    pops(tf_mqtt_list_pop_cheapest(&list), "mean2");
    pops(tf_mqtt_list_pop_cheapest(&list), "state");
    pops(tf_mqtt_list_pop_cheapest(&list), "event1");
    assert_null(tf_mqtt_list_take(&list, 4));
    pops(tf_mqtt_list_take(&list, 5), "event2");
    assert_null(tf_mqtt_list_pop(&list));
    assert_null(tf_mqtt_list_pop_cheapest(&list));
    /* What was on its way goes before what waits, and of both only events are kept. */
    push(&list, "event4", TF_MQTT_EVENT, 0);
    push(&list, "mean", TF_MQTT_NOW, 0);
    push(&sent, "event3", TF_MQTT_EVENT, 7);
    push(&sent, "state", TF_MQTT_RETAINED, 8);
    tf_mqtt_list_prepend(&list, &sent);
    assert_int_equal(sent.count, 0);
    assert_int_equal(list.count, 4);
    assert_int_equal(tf_mqtt_list_keep_events(&list), 2);
    push(&list, "event5", TF_MQTT_EVENT, 0);
    pops(tf_mqtt_list_pop(&list), "event3");
    pops(tf_mqtt_list_pop(&list), "event4");
    assert_int_equal(list.count, 1);
    tf_mqtt_list_clear(&list);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_of_the_valid_ones),
        cmocka_unit_test(units_do_not_mix),
        cmocka_unit_test(full_ring),
        cmocka_unit_test(names_change),
        cmocka_unit_test(shutter),
        cmocka_unit_test(queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
