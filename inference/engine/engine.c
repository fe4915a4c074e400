/* The public face: open, run, close, and what an engine tells about itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "inference/engine/ops/ops.h"
#include "inference/engine/ops/walk.h"
#include "inference/engine/plan.h"
#include "inference/engine/crew.h"

#define THREADS_MAX 16

/* Parts of a step for each thread: more than one lets the others take over from a thread that is late. */
#define PARTS_PER_THREAD 2
/* A step shorter than this is not worth waking anybody for; nanoseconds, by the estimates below. */
#define PART_NS 1000

static int copy_metadata(struct tf_engine *engine, const Onnx__ModelProto *model)
{
    engine->metadata = tf_mem_alloc(&engine->mem, model->n_metadata_props * 2 + 1, sizeof(*engine->metadata));
    if (!engine->metadata)
        return -ENOMEM;
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *p = model->metadata_props[i];
        const char *key = tf_mem_strdup(&engine->mem, p->key ? p->key : ""),
                   *value = tf_mem_strdup(&engine->mem, p->value ? p->value : "");
        if (!key || !value)
            return -ENOMEM;
        engine->metadata[2 * i] = key;
        engine->metadata[2 * i + 1] = value;
        engine->metadata_count++;
    }
    return 0;
}

/* Constants into their places, once. */
static void place_constants(struct tf_engine *engine)
{
    for (int i = 0; i < engine->tensor_count; i++) {
        struct tf_tensor *t = &engine->tensors[i];
        int64_t plain[TF_TENSOR_RANK_MAX], s = 1;

        if (!t->constant || !t->data)
            continue;
        for (int d = t->rank - 1; d >= 0; d--) {
            plain[d] = s;
            s *= t->dims[d];
        }
        tf_copy_strided(t->data, t->stride, t->constant, plain, t->dims, t->rank, t->type == TF_F32 ? 4 : 1);
        t->constant = NULL;
    }
}

/* About 200 products or 8 bytes a nanosecond: only the order of magnitude matters. */
static int parts_of(const struct tf_engine *engine, const struct tf_step *step)
{
    uint64_t ns = step->macs / 200;

    if (!step->parallel || engine->threads == 1)
        return 1;
    for (int i = 0; i < step->outputs; i++)
        ns += engine->tensors[step->out[i]].count / 8;
    return (int)TF_MIN(TF_MAX(ns / PART_NS, 1), (uint64_t)engine->parts_max);
}

static int plan(struct tf_engine *engine, const Onnx__ModelProto *model, struct tf_error *err)
{
    struct tf_graph graph = {.engine = engine};
    int r;

    r = tf_graph_build(&graph, model, err);
    if (!r) {
        engine->inputs = tf_mem_alloc(&engine->mem, (size_t)graph.input_count + 1, sizeof(*engine->inputs));
        engine->outputs =
            tf_mem_alloc(&engine->mem, (size_t)graph.output_count + 1, sizeof(*engine->outputs));
        engine->input_count = (size_t)graph.input_count;
        engine->output_count = (size_t)graph.output_count;
        r = engine->inputs && engine->outputs ? 0 : tf_fail(err, -ENOMEM, "out of memory");
    }
    if (!r)
        r = tf_lower(&graph, err);
    if (!r)
        r = tf_fuse(engine, err);
    if (!r)
        r = tf_layout(engine, err);
    if (!r)
        r = tf_arena(engine, err);
    if (!r)
        place_constants(engine);
    for (int i = 0; !r && i < engine->step_count; i++) {
        struct tf_step *step = &engine->steps[i];
        engine->macs += step->macs;
        if (step->prepare)
            r = step->prepare(engine, step, err);
        step->parts = parts_of(engine, step);
    }
    tf_mem_free(&graph.mem);
    return r;
}

int tf_engine_open_memory(const void *data, size_t size, const char *name,
                          const struct tf_engine_options *options, struct tf_engine **ret,
                          struct tf_error *err)
{
    struct tf_engine *engine = NULL;
    Onnx__ModelProto *model = NULL;
    int threads = options && options->threads ? options->threads : 1, r;
    enum tf_cpu_level level;

    if (threads < 1 || threads > THREADS_MAX)
        return tf_fail(err, -EINVAL, "%s: %d threads; 1 to %d can be used", name, threads, THREADS_MAX);
    r = tf_cpu_select(options ? options->cpu : NULL, &level, err);
    if (r < 0)
        return r;
    r = tf_onnx_unpack(data, size, name, &model, err);
    if (r < 0)
        return r;
    engine = calloc(1, sizeof(*engine));
    if (!engine) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", name);
        goto fail;
    }
    engine->level = level;
    engine->threads = threads;
    engine->parts_max = threads > 1 ? threads * PARTS_PER_THREAD : 1;
    r = copy_metadata(engine, model);
    if (r < 0) {
        tf_fail(err, r, "%s: out of memory", name);
        goto fail;
    }
    r = plan(engine, model, err);
    if (r < 0) {
        tf_error_prefix(err, "%s", name);
        goto fail;
    }
    engine->step_ns = tf_mem_alloc(&engine->mem, (size_t)engine->step_count + 1, sizeof(*engine->step_ns));
    r = engine->step_ns ? tf_crew_create(threads, &engine->crew) : -ENOMEM;
    if (r < 0) {
        tf_fail(err, r, "%s: cannot start %d threads: %s", name, threads, strerror(-r));
        goto fail;
    }
    tf_onnx_free(model);
    *ret = engine;
    return 0;
fail:
    tf_onnx_free(model);
    tf_engine_close(engine);
    return r;
}

int tf_engine_open(const char *path, const struct tf_engine_options *options, struct tf_engine **ret,
                   struct tf_error *err)
{
    uint8_t *data;
    size_t size;
    int r = tf_onnx_read_file(path, &data, &size, err);

    if (r < 0)
        return r;
    r = tf_engine_open_memory(data, size, path, options, ret, err);
    free(data);
    return r;
}

void tf_engine_close(struct tf_engine *engine)
{
    if (!engine)
        return;
    tf_crew_destroy(engine->crew);
    tf_mem_free(&engine->mem);
    free(engine);
}

size_t tf_engine_inputs(const struct tf_engine *engine)
{
    return engine->input_count;
}

size_t tf_engine_outputs(const struct tf_engine *engine)
{
    return engine->output_count;
}

const struct tf_tensor_info *tf_engine_input(const struct tf_engine *engine, size_t i)
{
    return i < engine->input_count ? &engine->inputs[i].info : NULL;
}

const struct tf_tensor_info *tf_engine_output(const struct tf_engine *engine, size_t i)
{
    return i < engine->output_count ? &engine->outputs[i].info : NULL;
}

const char *tf_engine_metadata(const struct tf_engine *engine, const char *key)
{
    for (size_t i = 0; i < engine->metadata_count; i++)
        if (strcmp(engine->metadata[2 * i], key) == 0)
            return engine->metadata[2 * i + 1];
    return NULL;
}

bool tf_engine_metadata_at(const struct tf_engine *engine, size_t i, const char **key, const char **value)
{
    if (i >= engine->metadata_count)
        return false;
    *key = engine->metadata[2 * i];
    *value = engine->metadata[2 * i + 1];
    return true;
}

struct tf_engine_stats tf_engine_stats(const struct tf_engine *engine)
{
    return (struct tf_engine_stats){.macs = engine->macs,
                                    .weight_bytes = engine->weight_bytes,
                                    .arena_bytes = engine->arena_bytes,
                                    .nodes = engine->step_count,
                                    .cpu = tf_cpu_name(engine->level),
                                    .threads = engine->threads};
}

size_t tf_engine_steps(const struct tf_engine *engine)
{
    return (size_t)engine->step_count;
}

struct tf_engine_step tf_engine_step(const struct tf_engine *engine, size_t i)
{
    struct tf_engine_step ret = {0};
    const struct tf_step *step;
    const struct tf_tensor *t;

    if (i >= (size_t)engine->step_count)
        return ret;
    step = &engine->steps[i];
    t = &engine->tensors[step->outputs ? step->out[0] : step->in[0]];
    ret.name = step->name;
    ret.op = step->op;
    ret.kernel = step->kernel ? step->kernel->name : "-";
    ret.rank = t->rank;
    memcpy(ret.dims, t->dims, sizeof(ret.dims));
    ret.macs = step->macs;
    return ret;
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * TF_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void run_steps(struct tf_engine *engine, bool doors)
{
    uint64_t before = engine->profile ? now() : 0;

    tf_crew_begin(engine->crew);
    for (int i = 0; i < engine->step_count; i++) {
        const struct tf_step *step = &engine->steps[i];

        if (!step->door || doors) {
            for (int k = 0; k < step->fill_count; k++)
                tf_fill_halo(engine, step->fills[k]);
            tf_crew_run(engine->crew, engine, step, step->parts);
        }
        if (engine->profile) {
            uint64_t after = now();
            engine->step_ns[i] = after - before;
            before = after;
        }
    }
    tf_crew_end(engine->crew);
}

int tf_engine_run(struct tf_engine *engine, const float *const *inputs, float *const *outputs)
{
    engine->user_in = inputs;
    engine->user_out = outputs;
    run_steps(engine, true);
    return 0;
}

/* Whether a tensor's bytes are the same in both layouts. */
static bool plain(const struct tf_tensor_info *info)
{
    return info->rank <= 2 ||
           (info->rank == 4 && (info->dims[1] == 1 || info->dims[2] * info->dims[3] == 1)) || info->rank == 3;
}

uint8_t *tf_engine_input_u8(struct tf_engine *engine, size_t i)
{
    if (i >= engine->input_count || !engine->inputs[i].info.quantised || !plain(&engine->inputs[i].info))
        return NULL;
    return engine->tensors[engine->inputs[i].tensor].data;
}

const uint8_t *tf_engine_output_u8(const struct tf_engine *engine, size_t i)
{
    if (i >= engine->output_count || !engine->outputs[i].info.quantised)
        return NULL;
    return engine->tensors[engine->outputs[i].tensor].data;
}

int tf_engine_run_u8(struct tf_engine *engine)
{
    for (size_t i = 0; i < engine->input_count; i++)
        if (!tf_engine_input_u8(engine, i))
            return -EINVAL;
    run_steps(engine, false);
    return 0;
}

void tf_engine_profile(struct tf_engine *engine, bool on)
{
    engine->profile = on;
    memset(engine->step_ns, 0, (size_t)engine->step_count * sizeof(*engine->step_ns));
}

const uint64_t *tf_engine_step_ns(const struct tf_engine *engine)
{
    return engine->step_ns;
}
