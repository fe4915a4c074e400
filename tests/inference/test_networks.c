/*
 * The networks of models/make_models.py against ONNX Runtime's recorded results, at every level that this
 * machine has and with one and three threads. Integer operators: no difference at all. What ONNX Runtime
 * computes in float or approximates may be one step off, and each such output is named here.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "inference/engine/engine.h"
#include "tests/inference/support.h"

#define MODELS TF_SOURCE_ROOT "/tests/inference/models/"

/* `loose`: a bit for every output that may be one step off. */
static void check(const char *network, unsigned loose, const char *cpu, int threads)
{
    const struct tf_engine_options options = {.threads = threads, .cpu = cpu};
    const float *inputs[4];
    float *outputs[16];
    struct tf_engine *engine;
    struct tf_error err = {0};
    char path[512];
    uint8_t *expected;
    float *in;
    size_t in_size, out_size, at = 0, done = 0, samples, per_sample = 0;

    snprintf(path, sizeof(path), MODELS "%s.onnx", network);
    if (tf_engine_open(path, &options, &engine, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), MODELS "%s.in.f32", network);
    in = test_read(path, &in_size);
    snprintf(path, sizeof(path), MODELS "%s.out.u8", network);
    expected = test_read(path, &out_size);
    assert_non_null(in);
    assert_non_null(expected);
    for (size_t i = 0; i < tf_engine_inputs(engine); i++)
        per_sample += tf_engine_input(engine, i)->count;
    samples = in_size / 4 / per_sample;
    assert_true(samples > 0 && samples * per_sample * 4 == in_size);
    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        outputs[i] = calloc(tf_engine_output(engine, i)->count, sizeof(float));
    for (size_t s = 0; s < samples; s++) {
        for (size_t i = 0; i < tf_engine_inputs(engine); i++) {
            inputs[i] = in + at;
            at += tf_engine_input(engine, i)->count;
        }
        assert_int_equal(tf_engine_run(engine, inputs, outputs), 0);
        for (size_t i = 0; i < tf_engine_outputs(engine); i++) {
            const struct tf_tensor_info *info = tf_engine_output(engine, i);
            size_t different = 0;
            long worst = 0;
            double distinct_min = 1e30, distinct_max = -1e30;

            assert_true(info->quantised);
            for (size_t k = 0; k < info->count; k++) {
                long a = lrintf(outputs[i][k] / info->scale), b = expected[done + k] - info->zero_point;
                different += a != b;
                worst = labs(a - b) > worst ? labs(a - b) : worst;
                distinct_min = fmin(distinct_min, (double)b);
                distinct_max = fmax(distinct_max, (double)b);
            }
            /* A constant output would prove nothing. */
            assert_true(info->count == 1 || distinct_max > distinct_min);
            if (worst > (loose >> i & 1))
                fail_msg("%s at %s, %d threads: output %zu (%s): %zu of %zu differ, by up to %ld", network,
                         cpu, threads, i, info->name, different, info->count, worst);
            if (getenv("TF_SHOW"))
                printf("%s output %zu: %zu of %zu differ, by up to %ld\n", network, i, different, info->count,
                       worst);
            done += info->count;
        }
    }
    assert_int_equal(done, out_size);
    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        free(outputs[i]);
    tf_engine_close(engine);
    free(in);
    free(expected);
}

static void each(const char *network, unsigned loose)
{
    for (int level = TF_CPU_GENERIC; level <= TF_CPU_I8MM; level++)
        if (tf_cpu_has((enum tf_cpu_level)level))
            for (int threads = 1; threads <= 3; threads += 2)
                check(network, loose, tf_cpu_name((enum tf_cpu_level)level), threads);
}

#define NETWORK(name, loose)                                                                                 \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        each(#name, loose);                                                                                  \
    }

NETWORK(depthwise, 0)
NETWORK(grouped, 0)
NETWORK(inception, 0)
NETWORK(unet_transpose, 0x1f) /* ConvTranspose is float in ONNX Runtime */
NETWORK(unet_resize, 0x3c)    /* linear Resize truncates there */
NETWORK(gates, 0)
NETWORK(shapes, 0xc00) /* the two Softmax outputs */
NETWORK(signed, 0)
NETWORK(pairs, 0)
NETWORK(saturating, 0)
NETWORK(narrow, 0)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depthwise),   cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_inception),   cmocka_unit_test(test_unet_transpose),
        cmocka_unit_test(test_unet_resize), cmocka_unit_test(test_gates),
        cmocka_unit_test(test_shapes),      cmocka_unit_test(test_signed),
        cmocka_unit_test(test_pairs),       cmocka_unit_test(test_saturating),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests_name("inference networks", tests, NULL, NULL);
}
