/* What the pipeline's tests share: options for a small synthetic camera, and a sink that remembers. */
#ifndef TF_TESTS_PIPELINE_COMMON_H
#define TF_TESTS_PIPELINE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pipeline/pipeline.h"

#define SEEN_MAX 20000

/* A sink of the test's own: keeps the heads of all records, can be slow, can fail. */
struct seen {
    struct tf_record heads[SEEN_MAX]; /* without faces beyond their count */
    atomic_uint count;
    unsigned sleep_us;  /* for frames that were looked at, as a slow network would take */
    unsigned fail_from; /* 0: never */
    unsigned failures;
    atomic_uint closed;
};

static inline int seen_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct seen *seen = self;
    unsigned n = atomic_load(&seen->count);

    if (seen->sleep_us && record->state != TF_STATE_SKIPPED)
        usleep(seen->sleep_us);
    if (n < SEEN_MAX) {
        memcpy(&seen->heads[n], record, offsetof(struct tf_record, faces));
        seen->heads[n].faces.count = record->faces.count;
        seen->heads[n].pair = record->pair;
        atomic_store(&seen->count, n + 1);
    }
    if (seen->fail_from && n + 1 >= seen->fail_from) {
        seen->failures++;
        return tf_fail(err, -ENOSPC, "the test's disk is full");
    }
    return 0;
}

static inline int seen_close(void *self, struct tf_error *err)
{
    (void)err;
    atomic_fetch_add(&((struct seen *)self)->closed, 1);
    return 0;
}

static inline struct seen *seen_new(void)
{
    struct seen *seen = calloc(1, sizeof(*seen));

    assert_non_null(seen);
    return seen;
}

static inline struct tf_sink seen_sink(struct seen *seen)
{
    return (struct tf_sink){.name = "test", .self = seen, .record = seen_record, .close = seen_close};
}

static inline struct tf_pipeline_options small_camera(const char *url)
{
    return (struct tf_pipeline_options){
        .camera = "test",
        .source = {.url = url, .width = 160, .height = 120, .fps = 60},
        .overlay = tf_overlay_defaults(),
    };
}

/* Creates, adds the sink, starts. */
static inline struct tf_pipeline *start_pipeline(const struct tf_pipeline_options *options, struct seen *seen)
{
    struct tf_pipeline *pipeline = NULL;
    struct tf_error err = {0};

    if (tf_pipeline_create(options, &pipeline, &err) != 0)
        fail_msg("%s", err.text);
    if (seen) {
        struct tf_sink sink = seen_sink(seen);

        assert_int_equal(tf_pipeline_add_sink(pipeline, &sink), 0);
    }
    if (tf_pipeline_start(pipeline, &err) != 0)
        fail_msg("%s", err.text);
    return pipeline;
}

/* Waits until the camera is in a state; fails after the limit. */
static inline struct tf_status wait_state(struct tf_pipeline *pipeline, enum tf_camera_state state,
                                          unsigned limit_ms)
{
    struct tf_status status;
    uint64_t end = tf_now_ns() + limit_ms * 1000000ull;

    for (;;) {
        tf_pipeline_status(pipeline, &status);
        if (status.state == state)
            return status;
        if (tf_now_ns() > end)
            fail_msg("state %s after %u ms, not %s: %s", tf_camera_state_name(status.state), limit_ms,
                     tf_camera_state_name(state), status.message);
        usleep(5000);
    }
}

static inline void wait_records(struct seen *seen, unsigned count, unsigned limit_ms)
{
    uint64_t end = tf_now_ns() + limit_ms * 1000000ull;

    while (atomic_load(&seen->count) < count) {
        if (tf_now_ns() > end)
            fail_msg("%u records after %u ms, not %u", atomic_load(&seen->count), limit_ms, count);
        usleep(5000);
    }
}

/* Every record in its place: numbers without a hole, counters that only grow, skips counted as they come. */
static inline void check_order(const struct seen *seen)
{
    uint64_t skipped = 0;

    for (unsigned i = 0; i < atomic_load(&seen->count); i++) {
        const struct tf_record *r = &seen->heads[i];

        assert_string_equal(r->camera, "test");
        assert_int_equal(r->frame, i);
        skipped += r->state == TF_STATE_SKIPPED;
        assert_int_equal(r->dropped.inference, skipped);
        if (!i)
            continue;
        assert_true(r->t_mono_ns > r[-1].t_mono_ns);
        assert_true(r->dropped.driver >= r[-1].dropped.driver);
        assert_true(r->dropped.capture >= r[-1].dropped.capture);
    }
}

#endif
