/* The shared networks against ONNX Runtime's recorded outputs: no u8 may differ, at any level or number of
 * threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "inference/engine/engine.h"
#include "tests/inference/support.h"

static void compare(const char *network, const char *cpu, int threads)
{
    const struct tf_engine_options options = {.threads = threads, .cpu = cpu};
    const struct tf_tensor_info *out;
    struct tf_engine *engine;
    struct tf_error err = {0};
    char path[512];
    float *input, *expected, *output;
    /* An emulator runs a few of them (TF_VECTOR_SAMPLES). */
    const char *limit = getenv("TF_VECTOR_SAMPLES");
    size_t in_size, out_size, differences = 0, samples;

    snprintf(path, sizeof(path), "%s/engine/%s.onnx", test_shared(), network);
    if (tf_engine_open(path, &options, &engine, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), "%s/engine/%s.input.f32", test_shared(), network);
    input = test_read(path, &in_size);
    snprintf(path, sizeof(path), "%s/engine/%s.output.f32", test_shared(), network);
    expected = test_read(path, &out_size);
    assert_non_null(input);
    assert_non_null(expected);
    out = tf_engine_output(engine, 0);
    assert_true(out->quantised);
    output = calloc(out->count, sizeof(float));
    assert_int_equal(in_size % (tf_engine_input(engine, 0)->count * 4), 0);
    samples = in_size / 4 / tf_engine_input(engine, 0)->count;
    if (limit && strtoul(limit, NULL, 10) < samples)
        samples = strtoul(limit, NULL, 10);
    assert_true(samples > 0);
    for (size_t n = 0; n < samples; n++) {
        const float *in = input + n * tf_engine_input(engine, 0)->count;
        assert_int_equal(tf_engine_run(engine, &in, &output), 0);
        for (size_t i = 0; i < out->count; i++)
            differences +=
                lrintf(output[i] / out->scale) != lrintf(expected[n * out->count + i] / out->scale);
    }
    assert_int_equal(differences, 0);
    tf_engine_close(engine);
    free(input);
    free(expected);
    free(output);
}

static void each(const char *network)
{
    if (!test_shared())
        skip();
    for (int level = TF_CPU_GENERIC; level <= TF_CPU_I8MM; level++)
        if (tf_cpu_has((enum tf_cpu_level)level))
            for (int threads = 1; threads <= 3; threads++)
                compare(network, tf_cpu_name((enum tf_cpu_level)level), threads);
}

static void test_mbv2(void **state)
{
    each("mbv2_112");
}

static void test_r18(void **state)
{
    each("r18_96");
}

static void test_inc(void **state)
{
    each("inc_96");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mbv2),
        cmocka_unit_test(test_r18),
        cmocka_unit_test(test_inc),
    };
    return cmocka_run_group_tests_name("inference vectors", tests, NULL, NULL);
}
