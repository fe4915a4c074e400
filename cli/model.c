/* thermoface model: what a model file holds and what running it costs. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "inference/engine/engine.h"

/* Characters of a metadata value on the terminal; tf.mean has more than a thousand. */
#define VALUE_SHOWN 160

static const char *shape(const int64_t *dims, int rank, char text[96])
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < rank && n < 80; i++)
        n += (size_t)snprintf(text + n, 96 - n, "%s%lld", i ? "x" : "", (long long)dims[i]);
    return text;
}

static void print_tensor(const char *what, const struct tf_tensor_info *t)
{
    char dims[96];
    printf("%-9s %s  %s", what, t->name, shape(t->dims, t->rank, dims));
    if (t->quantised)
        printf("  u8, scale %.8g, zero point %d", t->scale, t->zero_point);
    putchar('\n');
}

static void print_text(const struct tf_engine *engine, const char *path)
{
    struct tf_engine_stats stats = tf_engine_stats(engine);
    const char *key, *value;
    char dims[96], count[16];

    printf("%s\n", path);
    for (size_t i = 0; i < tf_engine_inputs(engine); i++)
        print_tensor("input", tf_engine_input(engine, i));
    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        print_tensor("output", tf_engine_output(engine, i));
    tf_count_text((double)stats.macs, count);
    printf("work      %s MAC in %d step%s\n", count, stats.nodes, TF_PLURAL(stats.nodes));
    printf("memory    %.1f KiB weights, %.1f KiB arena\n", (double)stats.weight_bytes / 1024,
           (double)stats.arena_bytes / 1024);
    printf("runs on   %s, %d thread%s\n", stats.cpu, stats.threads, stats.threads == 1 ? "" : "s");
    for (size_t i = 0; tf_engine_metadata_at(engine, i, &key, &value); i++)
        printf("%s%s = %.*s%s\n", i ? "          " : "metadata  ", key, VALUE_SHOWN, value,
               strlen(value) > VALUE_SHOWN ? "… (all of it: --json)" : "");

    printf("\n%4s  %-22s %-20s %-18s %10s  %s\n", "step", "operator", "kernel", "output", "MAC", "name");
    for (size_t i = 0; i < tf_engine_steps(engine); i++) {
        struct tf_engine_step s = tf_engine_step(engine, i);
        tf_count_text((double)s.macs, count);
        printf("%4zu  %-22s %-20s %-18s %10s  %s\n", i, s.op, s.kernel ? s.kernel : "-",
               shape(s.dims, s.rank, dims), s.macs ? count : "-", s.name);
    }
}

static json_t *tensor_json(const struct tf_tensor_info *t)
{
    json_t *dims = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(dims, json_integer(t->dims[i]));
    return json_pack("{s:s,s:o,s:b,s:f,s:i}", "name", t->name, "dims", dims, "quantised", t->quantised,
                     "scale", (double)t->scale, "zero_point", (int)t->zero_point);
}

static int print_json(const struct tf_engine *engine, const char *path)
{
    struct tf_engine_stats stats = tf_engine_stats(engine);
    json_t *inputs = json_array(), *outputs = json_array(), *steps = json_array(), *metadata = json_object(),
           *all;
    const char *key, *value;
    int result;

    for (size_t i = 0; i < tf_engine_inputs(engine); i++)
        json_array_append_new(inputs, tensor_json(tf_engine_input(engine, i)));
    for (size_t i = 0; i < tf_engine_outputs(engine); i++)
        json_array_append_new(outputs, tensor_json(tf_engine_output(engine, i)));
    for (size_t i = 0; tf_engine_metadata_at(engine, i, &key, &value); i++)
        json_object_set_new(metadata, key, json_string(value));
    for (size_t i = 0; i < tf_engine_steps(engine); i++) {
        struct tf_engine_step s = tf_engine_step(engine, i);
        json_t *dims = json_array();
        for (int k = 0; k < s.rank; k++)
            json_array_append_new(dims, json_integer(s.dims[k]));
        json_array_append_new(steps, json_pack("{s:s,s:s,s:s?,s:o,s:I}", "name", s.name, "op", s.op, "kernel",
                                               s.kernel, "dims", dims, "macs", (json_int_t)s.macs));
    }
    all = json_pack("{s:s,s:o,s:o,s:I,s:i,s:I,s:I,s:s,s:i,s:o,s:o}", "model", path, "inputs", inputs,
                    "outputs", outputs, "macs", (json_int_t)stats.macs, "nodes", stats.nodes, "weight_bytes",
                    (json_int_t)stats.weight_bytes, "arena_bytes", (json_int_t)stats.arena_bytes, "cpu",
                    stats.cpu, "threads", stats.threads, "metadata", metadata, "steps", steps);
    result = all ? json_dumpf(all, stdout, JSON_COMPACT) : -1;
    if (result == 0)
        putchar('\n');
    json_decref(all);
    return result;
}

int tf_cmd_model(int argc, char **argv)
{
    const char *cpu = NULL;
    uint64_t threads = 1;
    bool json = false;
    const struct tf_bind bind[] = {
        {"threads", &threads},
        {"cpu", &cpu},
        {"json", &json},
        {0},
    };
    const struct tf_usage *usage = tf_command("model");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_engine_options engine_options = {0};
    struct tf_engine *engine;
    struct tf_error err = {0};
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    engine_options.threads = (int)threads;
    engine_options.cpu = cpu;
    if (tf_engine_open(arguments[0], &engine_options, &engine, &err))
        return tf_command_error(usage, "%s", err.text);
    if (!json)
        print_text(engine, arguments[0]);
    else if (print_json(engine, arguments[0]))
        status = tf_command_error(usage, "%s: names in it are not UTF-8, so there is no JSON of them",
                                  arguments[0]);
    else
        status = TF_EXIT_OK;
    tf_engine_close(engine);
    return json ? status : TF_EXIT_OK;
}
