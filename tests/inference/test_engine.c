/* What the public interface promises beside arithmetic: doors, metadata, statistics, steps, no allocation. */
#include <errno.h>
#include <stdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/engine.h"
#include "tests/inference/support.h"
#include "tests/sanitized.h"

#define MODELS TF_SOURCE_ROOT "/tests/inference/models/"

static struct tf_engine *open_model(const char *path, int threads)
{
    const struct tf_engine_options options = {.threads = threads};
    struct tf_engine *engine = NULL;
    struct tf_error err = {0};

    if (tf_engine_open(path, &options, &engine, &err) < 0)
        fail_msg("%s", err.text);
    return engine;
}

static void test_ports(void **state)
{
    struct tf_engine *engine = open_model(MODELS "depthwise.onnx", 1);
    const struct tf_tensor_info *in = tf_engine_input(engine, 0), *out = tf_engine_output(engine, 5);

    assert_int_equal(tf_engine_inputs(engine), 1);
    assert_int_equal(tf_engine_outputs(engine), 6);
    assert_null(tf_engine_input(engine, 1));
    assert_string_equal(in->name, "x");
    assert_int_equal(in->rank, 4);
    assert_int_equal(in->dims[2], 26);
    assert_int_equal(in->dims[3], 22);
    assert_int_equal(in->count, 26 * 22);
    assert_true(in->quantised);
    assert_true(fabsf(in->scale - 1.0f / 255) < 1e-8f);
    assert_int_equal(out->rank, 2);
    assert_int_equal(out->count, 37);
    tf_engine_close(engine);
}

static void test_metadata(void **state)
{
    struct tf_engine *engine = open_model(MODELS "depthwise.onnx", 1);
    const char *key, *value;

    assert_string_equal(tf_engine_metadata(engine, "tf.name"), "depthwise");
    assert_null(tf_engine_metadata(engine, "tf.nothing"));
    assert_true(tf_engine_metadata_at(engine, 0, &key, &value));
    assert_string_equal(key, "tf.task");
    assert_string_equal(value, "test");
    assert_false(tf_engine_metadata_at(engine, 2, &key, &value));
    tf_engine_close(engine);
}

static void test_stats(void **state)
{
    struct tf_engine *engine = open_model(MODELS "depthwise.onnx", 2);
    struct tf_engine_stats stats = tf_engine_stats(engine);
    uint64_t macs = 0;
    bool fused = false;

    for (size_t i = 0; i < tf_engine_steps(engine); i++) {
        struct tf_engine_step step = tf_engine_step(engine, i);
        assert_non_null(step.name);
        assert_non_null(step.kernel);
        macs += step.macs;
        fused = fused || strcmp(step.op, "Conv+Clip") == 0;
    }
    assert_true(fused);
    assert_int_equal(stats.macs, macs);
    /* 13 x 11 pixels x 13 channels x 9 taps for the first layer, and so on: by hand. */
    assert_int_equal(stats.macs, 143 * 13 * 9 + 143 * 13 * 9 + 143 * 13 * 25 + 143 * 13 * 72 + 42 * 72 * 9 +
                                     42 * 72 * 9 + 12 * 72 * 25 + 12 * 72 * 21 + 21 * 37);
    assert_int_equal(stats.threads, 2);
    assert_true(stats.arena_bytes > 0 && stats.arena_bytes < 1 << 20);
    assert_true(stats.weight_bytes > 13 * 72);
    tf_engine_close(engine);
}

/* The quantised door gives the bytes of the float one. */
static void test_doors(void **state)
{
    struct tf_engine *engine = open_model(MODELS "depthwise.onnx", 1);
    size_t size, outputs = tf_engine_outputs(engine);
    float *data = test_read(MODELS "depthwise.in.f32", &size), *results[6];
    const float *in = data;
    uint8_t *door = tf_engine_input_u8(engine, 0);

    assert_non_null(data);
    assert_non_null(door);
    for (size_t i = 0; i < outputs; i++)
        results[i] = calloc(tf_engine_output(engine, i)->count, sizeof(float));
    assert_int_equal(tf_engine_run(engine, &in, results), 0);
    for (size_t i = 0; i < tf_engine_input(engine, 0)->count; i++)
        door[i] = (uint8_t)lrintf(in[i] / tf_engine_input(engine, 0)->scale);
    for (size_t i = 0; i < outputs; i++)
        memset((uint8_t *)(uintptr_t)tf_engine_output_u8(engine, i), 0xA5,
               tf_engine_output(engine, i)->count);
    assert_int_equal(tf_engine_run_u8(engine), 0);
    for (size_t i = 0; i < outputs; i++) {
        const struct tf_tensor_info *info = tf_engine_output(engine, i);
        const uint8_t *bytes = tf_engine_output_u8(engine, i);
        size_t plane = info->rank == 4 ? (size_t)(info->dims[2] * info->dims[3]) : 1,
               channels = info->count / plane;

        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < plane; p++)
                assert_float_equal(results[i][c * plane + p],
                                   (float)(bytes[p * channels + c] - info->zero_point) * info->scale, 0);
        free(results[i]);
    }
    tf_engine_close(engine);

    /* Several channels: no door. */
    engine = open_model(MODELS "grouped.onnx", 1);
    assert_null(tf_engine_input_u8(engine, 0));
    assert_int_equal(tf_engine_run_u8(engine), -EINVAL);
    tf_engine_close(engine);
    free(data);
}

/* Two runs of one engine, and one of another, give the same; a run leaves nothing behind that the next one
 * sees. */
static void test_repeat(void **state)
{
    struct tf_engine *a = open_model(MODELS "inception.onnx", 1), *b = open_model(MODELS "inception.onnx", 2);
    size_t size, count = 0, outputs = tf_engine_outputs(a);
    float *data = test_read(MODELS "inception.in.f32", &size), *first[16], *again[16];
    const float *in = data, *other = data + tf_engine_input(a, 0)->count;

    for (size_t i = 0; i < outputs; i++) {
        count = tf_engine_output(a, i)->count;
        first[i] = calloc(count, sizeof(float));
        again[i] = calloc(count, sizeof(float));
    }
    tf_engine_run(a, &in, first);
    tf_engine_run(a, &other, again);
    assert_memory_not_equal(first[0], again[0], tf_engine_output(a, 0)->count * 4);
    tf_engine_run(a, &in, again);
    for (size_t i = 0; i < outputs; i++)
        assert_memory_equal(first[i], again[i], tf_engine_output(a, i)->count * 4);
    for (int n = 0; n < 50; n++) {
        tf_engine_run(b, &in, again);
        for (size_t i = 0; i < outputs; i++)
            assert_memory_equal(first[i], again[i], tf_engine_output(a, i)->count * 4);
    }
    for (size_t i = 0; i < outputs; i++) {
        free(first[i]);
        free(again[i]);
    }
    free(data);
    tf_engine_close(a);
    tf_engine_close(b);
}

static void test_profile(void **state)
{
    struct tf_engine *engine = open_model(MODELS "grouped.onnx", 1);
    size_t size;
    float *data = test_read(MODELS "grouped.in.f32", &size), *results[8];
    const float *in = data;
    uint64_t sum = 0;

    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        results[i] = calloc(tf_engine_output(engine, i)->count, sizeof(float));
    tf_engine_profile(engine, true);
    tf_engine_run(engine, &in, results);
    for (size_t i = 0; i < tf_engine_steps(engine); i++)
        sum += tf_engine_step_ns(engine)[i];
    assert_true(sum > 1000);
    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        free(results[i]);
    free(data);
    tf_engine_close(engine);
}

#if TF_SANITIZED_ADDRESS
static void test_no_allocation(void **state)
{
    skip(); /* the sanitizer brings its own allocator */
}
#else
/* malloc and its kin counted while a run is on; glibc calls these for everybody in the program. */
static volatile bool counting;
static volatile unsigned calls;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
__attribute__((visibility("default"))) void *malloc(size_t size)
{
    calls += counting;
    return __libc_malloc(size);
}
__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    calls += counting;
    return __libc_calloc(count, size);
}
__attribute__((visibility("default"))) void *realloc(void *block, size_t size)
{
    calls += counting;
    return __libc_realloc(block, size);
}
__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    calls += counting;
    return __libc_memalign(alignment, size);
}

static void test_no_allocation(void **state)
{
    static const char *const models[] = {"inception", "unet_transpose", "unet_resize", "shapes", "gates"};
    void *volatile block;

    counting = true;
    block = malloc(1); /* the counter counts */
    counting = false;
    free(block);
    assert_int_equal(calls, 1);
    for (size_t m = 0; m < TF_COUNT(models); m++) {
        char path[512];
        float *data, *results[16];
        const float *in;
        struct tf_engine *engine;
        size_t size;

        snprintf(path, sizeof(path), MODELS "%s.onnx", models[m]);
        engine = open_model(path, 2);
        snprintf(path, sizeof(path), MODELS "%s.in.f32", models[m]);
        in = data = test_read(path, &size);
        for (size_t i = 0; i < tf_engine_outputs(engine); i++)
            results[i] = calloc(tf_engine_output(engine, i)->count, sizeof(float));
        calls = 0;
        counting = true;
        for (int n = 0; n < 20; n++)
            tf_engine_run(engine, &in, results);
        counting = false;
        assert_int_equal(calls, 0);
        for (size_t i = 0; i < tf_engine_outputs(engine); i++)
            free(results[i]);
        free(data);
        tf_engine_close(engine);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),         cmocka_unit_test(test_metadata), cmocka_unit_test(test_stats),
        cmocka_unit_test(test_doors),         cmocka_unit_test(test_repeat),   cmocka_unit_test(test_profile),
        cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests_name("inference engine", tests, NULL, NULL);
}
