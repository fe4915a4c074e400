/* Between floats and u8: the doors to the caller's memory, QuantizeLinear, DequantizeLinear, and tables. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/ops/ops.h"
#include "inference/engine/ops/walk.h"

struct quant_params {
    float scale;
    int32_t zp;
    int port;
    struct tf_walk walk;
    bool ratio; /* the table is a change of scale only, by this much */
    float in_ratio;
    int32_t in_zp;
    uint8_t table[256];
};

float tf_exp(float x)
{
    /* Range reduction and a Taylor polynomial in double: |r| <= ln2 / 2, error below 1e-15, far under a
     * float's ulp. */
    static const double c[] = {
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,      1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};
    double k, r, y = 0;

    if (!(x > -104.0f))
        return 0.0f;
    if (x > 89.0f)
        return INFINITY;
    k = rint((double)x * 1.4426950408889634);
    r = (double)x - k * 0.6931471805599453;
    for (int i = (int)TF_COUNT(c) - 1; i >= 0; i--)
        y = y * r + c[i];
    return (float)ldexp(y, (int)k);
}

void tf_fill_table(uint8_t table[256], float in_scale, int32_t in_zp, float scale, int32_t zp,
                   float (*function)(float, const float *), const float *arguments)
{
    for (int i = 0; i < 256; i++) {
        float v = (float)(i - in_zp) * in_scale;
        v = rintf((function ? function(v, arguments) : v) / scale) + (float)zp;
        table[i] = v >= 255.0f ? 255 : v >= 0.0f ? (uint8_t)v : 0;
    }
}

/* Plans the walk over two tensors of one shape. */
static void walk_pair(const struct tf_engine *engine, const struct tf_step *step, struct tf_walk *walk)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    const int64_t *strides[] = {in->stride, out->stride};

    tf_walk_plan(walk, 2, in->rank, in->dims, strides);
}

static int prepare_pair(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    struct quant_params *p = step->params;

    walk_pair(engine, step, &p->walk);
    return 0;
}

static void run_dequantize(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct quant_params *p = step->params;
    const uint8_t *in = engine->tensors[step->in[0]].data;
    float *out = (float *)(void *)engine->tensors[step->out[0]].data;
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        tf_walk_row(&p->walk, 2, row, at);
        for (int64_t i = 0; i < p->walk.dims[p->walk.rank - 1]; i++)
            out[at[1] + i] = (float)(in[at[0] + i] - p->zp) * p->scale;
    }
}

static void run_quantize(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct quant_params *p = step->params;
    const struct tf_quantize_args args = {
        .scale = p->scale, .q = {.lo = (float)-p->zp, .hi = (float)(255 - p->zp), .zp = p->zp}};
    const float *in = (const float *)(const void *)engine->tensors[step->in[0]].data;
    uint8_t *out = engine->tensors[step->out[0]].data;
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        tf_walk_row(&p->walk, 2, row, at);
        step->kernel->quantize(&args, in + at[0], out + at[1], (size_t)p->walk.dims[p->walk.rank - 1]);
    }
}

static void run_table(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct quant_params *p = step->params;
    const uint8_t *in = engine->tensors[step->in[0]].data;
    uint8_t *out = engine->tensors[step->out[0]].data;
    int64_t at[3];

    for (int64_t row = p->walk.rows * part / parts; row < p->walk.rows * (part + 1) / parts; row++) {
        tf_walk_row(&p->walk, 2, row, at);
        step->kernel->lut(p->table, in + at[0], out + at[1], (size_t)p->walk.dims[p->walk.rank - 1]);
    }
}

static struct tf_step *pair(struct tf_engine *engine, const struct tf_node *node, const char *op, int in,
                            int out, float scale, int32_t zp, tf_step_run run)
{
    struct tf_step *step = tf_step_new(engine, node, op, 1, 1, sizeof(struct quant_params));
    struct quant_params *p;

    if (!step)
        return NULL;
    p = step->params;
    p->scale = scale;
    p->zp = zp;
    step->in[0] = in;
    step->out[0] = out;
    step->run = run;
    step->prepare = prepare_pair;
    step->parallel = true;
    return step;
}

int tf_step_dequantize(struct tf_engine *engine, const struct tf_node *node, int in, int out, float scale,
                       int32_t zp)
{
    return pair(engine, node, "DequantizeLinear", in, out, scale, zp, run_dequantize) ? 0 : -ENOMEM;
}

int tf_step_quantize(struct tf_engine *engine, const struct tf_node *node, int in, int out, float scale,
                     int32_t zp)
{
    struct tf_step *step = pair(engine, node, "QuantizeLinear", in, out, scale, zp, run_quantize);

    if (!step)
        return -ENOMEM;
    step->kernel = tf_kernel_select(TF_KERNEL_QUANTIZE, engine->level);
    return 0;
}

int tf_step_table(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out,
                  const uint8_t table[256])
{
    struct tf_step *step = pair(engine, node, op, in, out, 0, 0, run_table);

    if (!step)
        return -ENOMEM;
    memcpy(((struct quant_params *)step->params)->table, table, 256);
    step->kernel = tf_kernel_select(TF_KERNEL_LUT, engine->level);
    return 0;
}

int tf_step_requantize(struct tf_engine *engine, const struct tf_node *node, const char *op, int in, int out,
                       float in_scale, int32_t in_zp, float scale, int32_t zp)
{
    struct quant_params *p;
    uint8_t table[256];

    tf_fill_table(table, in_scale, in_zp, scale, zp, NULL, NULL);
    if (tf_step_table(engine, node, op, in, out, table) < 0)
        return -ENOMEM;
    p = engine->steps[engine->step_count - 1].params;
    p->ratio = isfinite(in_scale / scale);
    p->in_ratio = in_scale / scale;
    p->in_zp = in_zp;
    p->zp = zp;
    return 0;
}

bool tf_step_as_ratio(const struct tf_step *step, struct tf_conv_residual *ret)
{
    const struct quant_params *p = step->params;
    struct tf_conv_residual r;

    if (step->run != run_table || !p->ratio)
        return false;
    r = (struct tf_conv_residual){.conv_zp = p->in_zp,
                                  .q = {.lo = (float)-p->zp, .hi = (float)(255 - p->zp), .zp = p->zp}};
    /* The table divides, a kernel multiplies: the quotient may round to another side of a tie, its neighbours
     * not. */
    for (int attempt = 0; attempt < 5; attempt++) {
        float ratio = p->in_ratio;
        int i = 0;

        for (int k = 0; k < (attempt + 1) / 2; k++)
            ratio = nextafterf(ratio, attempt % 2 ? INFINITY : 0.0f);
        while (i < 256 && tf_round_u8((float)(i - p->in_zp) * ratio + 0.0f, &r.q) == p->table[i])
            i++;
        if (i == 256) {
            r.conv_ratio = ratio;
            *ret = r;
            return true;
        }
    }
    return false;
}

/* The caller's side of a door is a plain row-major array. */
static void plain_strides(const struct tf_tensor *t, int64_t stride[TF_TENSOR_RANK_MAX])
{
    int64_t s = 1;

    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= t->dims[i];
    }
}

static bool same_order(const struct tf_tensor *t)
{
    return t->rank != 4 || t->dims[1] == 1 || t->dims[2] * t->dims[3] == 1;
}

static void run_load(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct quant_params *p = step->params;
    const struct tf_tensor *t = &engine->tensors[step->out[0]];
    const float *in = engine->user_in[p->port];
    int64_t plain[TF_TENSOR_RANK_MAX];

    plain_strides(t, plain);
    if (t->type == TF_F32) {
        tf_copy_strided(t->data, t->stride, (const uint8_t *)in, plain, t->dims, t->rank, 4);
        return;
    }
    if (same_order(t)) {
        const struct tf_quantize_args args = {
            .scale = p->scale, .q = {.lo = (float)-p->zp, .hi = (float)(255 - p->zp), .zp = p->zp}};
        step->kernel->quantize(&args, in, t->data, t->count);
        return;
    }
    for (int64_t n = 0; n < t->dims[0]; n++)
        for (int64_t c = 0; c < t->dims[1]; c++)
            for (int64_t y = 0; y < t->dims[2]; y++)
                for (int64_t x = 0; x < t->dims[3]; x++) {
                    const struct tf_requant q = {
                        .lo = (float)-p->zp, .hi = (float)(255 - p->zp), .zp = p->zp};
                    float v = in[n * plain[0] + c * plain[1] + y * plain[2] + x] / p->scale;
                    t->data[n * t->stride[0] + c * t->stride[1] + y * t->stride[2] + x * t->stride[3]] =
                        tf_round_u8(v == v ? v : q.lo, &q);
                }
}

static void run_store(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct quant_params *p = step->params;
    const struct tf_tensor *t = &engine->tensors[step->in[0]];
    float *out = engine->user_out[p->port];
    int64_t plain[TF_TENSOR_RANK_MAX];

    if (t->type == TF_F32) {
        plain_strides(t, plain);
        tf_copy_strided((uint8_t *)out, plain, t->data, t->stride, t->dims, t->rank, 4);
        return;
    }
    if (same_order(t)) {
        for (size_t i = 0; i < t->count; i++)
            out[i] = (float)(t->data[i] - p->zp) * p->scale;
        return;
    }
    for (int64_t n = 0; n < t->dims[0]; n++)
        for (int64_t c = 0; c < t->dims[1]; c++)
            for (int64_t y = 0; y < t->dims[2]; y++)
                for (int64_t x = 0; x < t->dims[3]; x++)
                    *out++ = (float)(t->data[n * t->stride[0] + c * t->stride[1] + y * t->stride[2] +
                                             x * t->stride[3]] -
                                     p->zp) *
                             p->scale;
}

static struct tf_step *door(struct tf_engine *engine, const char *op, int port, float scale, int32_t zp,
                            int inputs, int outputs, tf_step_run run)
{
    struct tf_step *step = tf_step_new(engine, NULL, op, inputs, outputs, sizeof(struct quant_params));
    struct quant_params *p;

    if (!step)
        return NULL;
    p = step->params;
    p->port = port;
    p->scale = scale;
    p->zp = zp;
    step->run = run;
    step->door = true;
    return step;
}

int tf_step_load(struct tf_engine *engine, int port, int tensor, float scale, int32_t zp)
{
    bool quantised = engine->tensors[tensor].type == TF_U8;
    struct tf_step *step =
        door(engine, quantised ? "QuantizeLinear" : "Input", port, scale, zp, 0, 1, run_load);

    if (!step)
        return -ENOMEM;
    step->name = engine->tensors[tensor].name;
    step->out[0] = tensor;
    step->kernel = quantised ? tf_kernel_select(TF_KERNEL_QUANTIZE, engine->level) : NULL;
    return 0;
}

int tf_step_store(struct tf_engine *engine, int port, int tensor, float scale, int32_t zp)
{
    bool quantised = engine->tensors[tensor].type == TF_U8;
    struct tf_step *step =
        door(engine, quantised ? "DequantizeLinear" : "Output", port, scale, zp, 1, 0, run_store);

    if (!step)
        return -ENOMEM;
    step->name = engine->tensors[tensor].name;
    step->in[0] = tensor;
    return 0;
}
