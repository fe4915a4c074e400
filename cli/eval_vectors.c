/* thermoface eval vectors: the engine's outputs against recorded ones, as quantised values. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/eval.h"
#include "inference/engine/engine.h"

/* Floats of one vector file: 1 GiB. */
#define FLOATS_MAX ((size_t)1 << 28)

struct result {
    size_t samples, values, differences;
    double max_abs;
};

static int read_floats(const char *path, float **ret, size_t *count, struct tf_error *err)
{
    FILE *f = fopen(path, "rbe");
    struct stat st;
    float *data = NULL;
    int r = 0;

    if (!f || fstat(fileno(f), &st) < 0) {
        r = -errno;
        tf_fail(err, r, "%s: cannot open: %s", path, strerror(-r));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % (off_t)sizeof(float) != 0 ||
        (size_t)st.st_size / sizeof(float) > FLOATS_MAX) {
        r = tf_fail(err, -EINVAL, "%s: not a file of 32-bit floats (%lld bytes; at most %zu floats)", path,
                    (long long)st.st_size, FLOATS_MAX);
        goto out;
    }
    *count = (size_t)st.st_size / sizeof(float);
    data = malloc((size_t)st.st_size);
    if (!data) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory for %lld bytes", path, (long long)st.st_size);
        goto out;
    }
    if (fread(data, sizeof(float), *count, f) != *count) {
        r = tf_fail(err, -EIO, "%s: cannot read", path);
        goto out;
    }
    *ret = data;
    data = NULL;
out:
    free(data);
    if (f)
        fclose(f);
    return r;
}

/* Both values as what the model's last QuantizeLinear made of them; a value that is none counts as the
 * largest step. */
static void compare(const struct tf_tensor_info *info, const float *ours, const float *theirs,
                    struct result *res)
{
    for (size_t i = 0; i < info->count; i++) {
        double d;

        if (!isfinite(ours[i]) || !isfinite(theirs[i]))
            d = ours[i] == theirs[i] ? 0 : info->quantised ? 255 : HUGE_VAL;
        else if (info->quantised)
            d = fabs((double)rintf(ours[i] / info->scale) - (double)rintf(theirs[i] / info->scale));
        else
            d = fabs((double)ours[i] - (double)theirs[i]);
        res->values++;
        res->differences += d != 0;
        res->max_abs = fmax(res->max_abs, d);
    }
}

/* Samples lie one after the other; each holds all inputs (or outputs) in the order of the graph. */
static int run(struct tf_engine *engine, const char *input_path, const char *expect_path, const float *input,
               size_t input_count, const float *expect, size_t expect_count, struct result *res,
               struct tf_error *err)
{
    size_t n_in = tf_engine_inputs(engine), n_out = tf_engine_outputs(engine), in_each = 0, out_each = 0;
    const float *inputs[16];
    float *outputs[16], *memory;
    int r = 0;

    if (n_in > 16 || n_out > 16)
        return tf_fail(err, -E2BIG, "the model has %zu inputs and %zu outputs; up to 16 of each are possible",
                       n_in, n_out);
    for (size_t i = 0; i < n_in; i++)
        in_each += tf_engine_input(engine, i)->count;
    for (size_t i = 0; i < n_out; i++)
        out_each += tf_engine_output(engine, i)->count;
    if (in_each == 0 || input_count % in_each != 0)
        return tf_fail(err, -EINVAL, "%s: %zu floats are not a whole number of samples of %zu", input_path,
                       input_count, in_each);
    res->samples = input_count / in_each;
    if (expect_count != res->samples * out_each)
        return tf_fail(err, -EINVAL, "%s: %zu floats; %zu samples of %zu are expected", expect_path,
                       expect_count, res->samples, out_each);
    memory = calloc(out_each, sizeof(float));
    if (!memory)
        return tf_fail(err, -ENOMEM, "out of memory");
    for (size_t s = 0; s < res->samples && r == 0; s++) {
        const float *in = input + s * in_each, *want = expect + s * out_each;
        float *out = memory;

        for (size_t i = 0; i < n_in; in += tf_engine_input(engine, i)->count, i++)
            inputs[i] = in;
        for (size_t i = 0; i < n_out; out += tf_engine_output(engine, i)->count, i++)
            outputs[i] = out;
        r = tf_engine_run(engine, inputs, outputs);
        if (r < 0) {
            tf_fail(err, r, "sample %zu: the engine failed: %s", s, strerror(-r));
            break;
        }
        for (size_t i = 0; i < n_out; want += tf_engine_output(engine, i)->count, i++)
            compare(tf_engine_output(engine, i), outputs[i], want, res);
    }
    free(memory);
    return r;
}

int tf_eval_vectors(int argc, char **argv)
{
    const char *input_path = NULL, *expect_path = NULL, *cpu = NULL, *models = NULL,
               *arguments[TF_ARGUMENTS_MAX];
    uint64_t threads = 1;
    bool json = false;
    const struct tf_bind bind[] = {
        {"input", &input_path},
        {"expect", &expect_path},
        {"models", &models},
        {"threads", &threads},
        {"cpu", &cpu},
        {"json", &json},
        {0},
    };
    const struct tf_usage *usage = tf_command("eval vectors");
    struct tf_engine_options engine_options = {0};
    struct tf_engine *engine = NULL;
    float *input = NULL, *expect = NULL;
    size_t input_count = 0, expect_count = 0;
    struct result res = {0};
    struct tf_error err = {0};
    int status, r;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (!input_path || !expect_path)
        return tf_usage_error(usage, "--input F32 and --expect F32 are both needed");
    engine_options.threads = (int)threads;
    engine_options.cpu = cpu;
    r = tf_engine_open(arguments[0], &engine_options, &engine, &err);
    if (r == 0)
        r = read_floats(input_path, &input, &input_count, &err);
    if (r == 0)
        r = read_floats(expect_path, &expect, &expect_count, &err);
    if (r == 0)
        r = run(engine, input_path, expect_path, input, input_count, expect, expect_count, &res, &err);
    if (r < 0) {
        tf_command_error(usage, "%s", err.text);
    } else if (json) {
        json_t *o =
            json_pack("{s:I,s:I,s:f}", "samples", (json_int_t)res.samples, "differences",
                      (json_int_t)res.differences, "max_abs", isfinite(res.max_abs) ? res.max_abs : 1e308);
        json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(o);
    } else {
        printf("samples      %zu\nvalues       %zu\ndifferences  %zu\nlargest      %g\n", res.samples,
               res.values, res.differences, res.max_abs);
    }
    free(input);
    free(expect);
    tf_engine_close(engine);
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}
