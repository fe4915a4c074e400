/* thermoface bench model: how long one run of a network takes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "cli/commands.h"
#include "inference/engine/engine.h"
#include "inference/engine/kernels/bench.h"

#define PEAK_NS 200000000ull

/*
 * One fixed sequence of bytes, so that every run and every machine computes the same picture: data decides
 * branches in look-ups, and all zeros would be too kind to the caches of a sparse network.
 */
static void fill(uint8_t *data, size_t size)
{
    uint32_t x = 0x9e3779b9u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        data[i] = (uint8_t)(x >> 24);
    }
}

/* Float inputs and outputs for models whose edges are not plain bytes. */
struct buffers {
    size_t inputs, outputs;
    float **in, **out;
};

static void buffers_free(struct buffers *b)
{
    for (size_t i = 0; b->in && i < b->inputs; i++)
        free(b->in[i]);
    for (size_t i = 0; b->out && i < b->outputs; i++)
        free(b->out[i]);
    free(b->in);
    free(b->out);
}

static int buffers_make(struct buffers *b, const struct tf_engine *engine)
{
    b->inputs = tf_engine_inputs(engine);
    b->outputs = tf_engine_outputs(engine);
    b->in = calloc(b->inputs + 1, sizeof(*b->in));
    b->out = calloc(b->outputs + 1, sizeof(*b->out));
    if (!b->in || !b->out)
        return -1;
    for (size_t i = 0; i < b->inputs; i++) {
        size_t count = tf_engine_input(engine, i)->count;
        uint8_t *bytes = malloc(count);
        b->in[i] = malloc(count * sizeof(float));
        if (!bytes || !b->in[i]) {
            free(bytes);
            return -1;
        }
        fill(bytes, count);
        for (size_t k = 0; k < count; k++)
            b->in[i][k] = (float)bytes[k] / 255;
        free(bytes);
    }
    for (size_t i = 0; i < b->outputs; i++) {
        b->out[i] = malloc(tf_engine_output(engine, i)->count * sizeof(float));
        if (!b->out[i])
            return -1;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first sample of a file of floats as the first input: what a peer is given too. */
static int read_input(struct buffers *b, const struct tf_engine *engine, const char *path)
{
    size_t count = tf_engine_input(engine, 0)->count, got;
    FILE *f = fopen(path, "rb");

    if (!f)
        return -1;
    got = fread(b->in[0], sizeof(float), count, f);
    fclose(f);
    return got == count ? 0 : -1;
}

/* The layers that cost most, by their fastest time in `runs` more runs. */
static int print_layers(struct tf_engine *engine, const struct buffers *b, uint64_t runs, uint64_t layers)
{
    size_t steps = tf_engine_steps(engine);
    uint64_t *best = malloc((steps + 1) * sizeof(*best)), total = 0;
    int result = best ? 0 : -1;

    if (best)
        memset(best, 0xFF, (steps + 1) * sizeof(*best));
    tf_engine_profile(engine, true);
    for (uint64_t i = 0; i < runs && !result; i++) {
        result =
            b->in ? tf_engine_run(engine, (const float *const *)b->in, b->out) : tf_engine_run_u8(engine);
        for (size_t k = 0; k < steps; k++) {
            uint64_t ns = tf_engine_step_ns(engine)[k];
            best[k] = ns < best[k] ? ns : best[k];
        }
    }
    tf_engine_profile(engine, false);
    for (size_t k = 0; k < steps && !result; k++)
        total += best[k];
    for (uint64_t shown = 0; shown < layers && shown < steps && !result; shown++) {
        size_t most = 0;
        struct tf_engine_step step;

        for (size_t k = 1; k < steps; k++)
            most = best[k] > best[most] ? k : most;
        step = tf_engine_step(engine, most);
        printf("%8.1f us %5.1f %%  %6.1f GMAC/s  %-16s %-20s", (double)best[most] / 1e3,
               100.0 * (double)best[most] / (double)(total ? total : 1),
               best[most] ? (double)step.macs / (double)best[most] : 0.0, step.op,
               step.kernel ? step.kernel : "-");
        for (int d = 0; d < step.rank; d++)
            printf("%s%lld", d ? "x" : " ", (long long)step.dims[d]);
        printf("  %s\n", step.name);
        best[most] = 0;
    }
    free(best);
    return result;
}

static int measure(struct tf_engine *engine, const char *input, uint64_t runs, uint64_t layers, double *ms)
{
    struct buffers b = {0};
    bool bytes = !input;
    uint64_t warm = runs / 10 + 3;
    int result = 0;

    for (size_t i = 0; i < tf_engine_inputs(engine); i++) {
        uint8_t *data = tf_engine_input_u8(engine, i);
        if (data)
            fill(data, tf_engine_input(engine, i)->count);
        else
            bytes = false;
    }
    if (!bytes && (buffers_make(&b, engine) || (input && read_input(&b, engine, input)))) {
        buffers_free(&b);
        return -1;
    }
    for (uint64_t i = 0; i < warm + runs && !result && !tf_interrupted(); i++) {
        uint64_t start = tf_now_ns();
        result = bytes ? tf_engine_run_u8(engine) : tf_engine_run(engine, (const float *const *)b.in, b.out);
        if (i >= warm)
            ms[i - warm] = (double)(tf_now_ns() - start) / 1e6;
    }
    if (!result && layers)
        result = print_layers(engine, &b, runs, layers);
    buffers_free(&b);
    return result || tf_interrupted() ? -1 : 0;
}

static int report(const struct tf_engine *engine, const char *path, const double *ms, uint64_t runs,
                  bool json)
{
    struct tf_engine_stats stats = tf_engine_stats(engine);
    double median = runs % 2 ? ms[runs / 2] : (ms[runs / 2 - 1] + ms[runs / 2]) / 2;
    double speed = (double)stats.macs / (median * 1e6),
           peak = tf_kernel_peak_gmacs(stats.cpu, PEAK_NS) * stats.threads;
    json_t *all;
    int result;

    if (!json) {
        char macs[16];
        tf_count_text((double)stats.macs, macs);
        printf("%s: %sMAC, %s, %d thread%s, %llu run%s\n", path, macs, stats.cpu, stats.threads,
               TF_PLURAL(stats.threads), (unsigned long long)runs, TF_PLURAL(runs));
        printf("median %.4f ms, fastest %.4f ms; %.1f GMAC/s", median, ms[0], speed);
        if (peak > 0)
            printf(", %.0f %% of this level's peak of %.0f", 100 * speed / peak, peak);
        putchar('\n');
        return TF_EXIT_OK;
    }
    all = json_pack("{s:s,s:i,s:s,s:I,s:f,s:f,s:f,s:o}", "model", path, "threads", stats.threads, "cpu",
                    stats.cpu, "runs", (json_int_t)runs, "median_ms", median, "min_ms", ms[0], "gmacs_per_s",
                    speed, "peak_share", peak > 0 ? json_real(speed / peak) : json_null());
    result = all ? json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) : -1;
    if (result == 0)
        putchar('\n');
    json_decref(all);
    return result ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

int tf_cmd_bench_model(int argc, char **argv)
{
    const char *cpu = NULL, *input = NULL;
    uint64_t threads = 1, runs = 200, layers = 0;
    bool json = false;
    const struct tf_bind bind[] = {
        {"threads", &threads}, {"runs", &runs}, {"cpu", &cpu}, {"input", &input},
        {"layers", &layers},   {"json", &json}, {0},
    };
    const struct tf_usage *usage = tf_command("bench model");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_engine_options engine_options = {0};
    struct tf_engine *engine = NULL;
    struct tf_error err = {0};
    double *ms;
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (json && layers)
        return tf_usage_error(usage, "--layers prints lines, --json one object: choose one");
    engine_options.threads = (int)threads;
    engine_options.cpu = cpu;
    if (tf_engine_open(arguments[0], &engine_options, &engine, &err))
        return tf_command_error(usage, "%s", err.text);
    tf_catch_interrupt();
    ms = calloc(runs, sizeof(*ms));
    if (!ms) {
        status = tf_command_error(usage, "no memory for %llu timings", (unsigned long long)runs);
    } else if (measure(engine, input, runs, layers, ms)) {
        status = tf_command_error(usage, "%s: %s", arguments[0],
                                  tf_interrupted() ? "stopped before the end"
                                  : input          ? "the run failed, or --input holds less than one input"
                                                   : "the run failed");
    } else {
        qsort(ms, runs, sizeof(*ms), compare);
        status = report(engine, arguments[0], ms, runs, json);
    }
    free(ms);
    tf_engine_close(engine);
    return status;
}
