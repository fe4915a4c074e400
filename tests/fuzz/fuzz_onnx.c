/*
 * The ONNX reader and the planner from any bytes: a model that is taken runs and says what it is; one that is
 * refused leaves nothing behind but a message. Models that would plan large are skipped by their size on
 * purpose, not by luck: the engine's own limits are far above what a fuzzer should wait for.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "inference/engine/engine.h"

#define MACS_MAX 20000000ull
#define ARENA_MAX (16u << 20)

static void run(struct tf_engine *engine)
{
    float *in[64], *out[64];
    size_t inputs = tf_engine_inputs(engine), outputs = tf_engine_outputs(engine);

    if (inputs > 64 || outputs > 64)
        return;
    for (size_t i = 0; i < inputs; i++) {
        in[i] = malloc(tf_engine_input(engine, i)->count * sizeof(float));
        if (!in[i])
            abort();
        for (size_t k = 0; k < tf_engine_input(engine, i)->count; k++)
            in[i][k] = k % 7 == 3 ? NAN : (float)(k % 301) / 150.0f - 1.0f;
    }
    for (size_t i = 0; i < outputs; i++) {
        out[i] = malloc(tf_engine_output(engine, i)->count * sizeof(float));
        if (!out[i])
            abort();
    }
    if (tf_engine_run(engine, (const float *const *)in, out) != 0)
        abort();
    for (size_t i = 0; i < inputs; i++)
        free(in[i]);
    for (size_t i = 0; i < outputs; i++)
        free(out[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_engine *engine = NULL;
    struct tf_error err = {0};
    int r = tf_engine_open_memory(data, size, "fuzz.onnx", NULL, &engine, &err);

    if (r < 0) {
        if (engine || strncmp(err.text, "fuzz.onnx", 9) != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < tf_engine_steps(engine); i++)
        if (!tf_engine_step(engine, i).name || !tf_engine_step(engine, i).op)
            abort();
    if (tf_engine_stats(engine).macs < MACS_MAX && tf_engine_stats(engine).arena_bytes < ARENA_MAX)
        run(engine);
    tf_engine_close(engine);
    return 0;
}
