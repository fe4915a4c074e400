/* MaxPool, AveragePool, GlobalAveragePool (and ReduceMean over height and width, which is the same thing). */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/ops.h"

#define DIM_MAX (1 << 16)
#define TAPS_MAX 4096

struct pool_params {
    bool max, global, count_pad;
    int32_t kernel[2], stride[2], dilation[2], pad[4];
    struct tf_avg_args avg;
    struct tf_gap_args gap;
    const uint8_t **taps; /* [parts][kernel area] */
    uint8_t *rows;        /* [parts][row_bytes]: maxima over the kernel's height; NULL: by pixels */
    size_t row_bytes;
};

static int geometry(struct tf_node *node, const int64_t in[2], struct pool_params *p, int64_t out[2],
                    struct tf_error *err)
{
    int64_t v[4];
    char auto_pad[16];

    if (tf_attr_ints(node->proto, "kernel_shape", v, 2) != 2 || v[0] < 1 || v[1] < 1 || v[0] > DIM_MAX ||
        v[1] > DIM_MAX || v[0] * v[1] > TAPS_MAX)
        return tf_node_fail(node, err, -EINVAL,
                            "its kernel_shape is not two numbers with a product of at most %d", TAPS_MAX);
    for (int i = 0; i < 2; i++) {
        p->kernel[i] = (int32_t)v[i];
        p->stride[i] = p->dilation[i] = 1;
    }
    for (int i = 0; i < 2; i++) {
        const char *names[] = {"strides", "dilations"};
        size_t n = tf_attr_ints(node->proto, names[i], v, 2);
        if (n && (n != 2 || v[0] < 1 || v[1] < 1 || v[0] > DIM_MAX || v[1] > DIM_MAX))
            return tf_node_fail(node, err, -EINVAL, "its %s are not two positive numbers", names[i]);
        for (size_t k = 0; k < n; k++)
            (i ? p->dilation : p->stride)[k] = (int32_t)v[k];
    }
    if (tf_attr(node->proto, "pads"))
        for (int i = 0; i < 4; i++) {
            if (tf_attr_ints(node->proto, "pads", v, 4) != 4 || v[i] < 0 || v[i] > DIM_MAX)
                return tf_node_fail(node, err, -EINVAL, "its pads are not four numbers from 0");
            p->pad[i] = (int32_t)v[i];
        }
    tf_attr_string(node->proto, "auto_pad", "NOTSET", auto_pad, sizeof(auto_pad));
    for (int i = 0; i < 2; i++) {
        int64_t reach = (int64_t)(p->kernel[i] - 1) * p->dilation[i] + 1, room;

        if (strncmp(auto_pad, "SAME", 4) == 0) {
            int64_t need =
                TF_MAX(((in[i] + p->stride[i] - 1) / p->stride[i] - 1) * p->stride[i] + reach - in[i], 0);
            p->pad[i] = (int32_t)(strcmp(auto_pad, "SAME_LOWER") != 0 ? need / 2 : need - need / 2);
            p->pad[i + 2] = (int32_t)(need - p->pad[i]);
        } else if (strcmp(auto_pad, "NOTSET") != 0 && strcmp(auto_pad, "VALID") != 0) {
            return tf_node_fail(node, err, -EINVAL, "auto_pad \"%s\" is not known", auto_pad);
        }
        room = in[i] + p->pad[i] + p->pad[i + 2] - reach;
        out[i] = room < 0 ? 0 : room / p->stride[i] + 1;
        if (room > 0 && tf_attr_int(node->proto, "ceil_mode", 0) && room % p->stride[i] &&
            out[i] * p->stride[i] < in[i] + p->pad[i])
            out[i]++; /* a window that starts within the picture or its upper padding */
        if (p->pad[i] >= reach || p->pad[i + 2] >= reach)
            return tf_node_fail(node, err, -EINVAL, "its padding is as wide as its kernel");
    }
    if (out[0] < 1 || out[1] < 1)
        return tf_node_fail(node, err, -EINVAL, "its output is %lld x %lld", (long long)out[0],
                            (long long)out[1]);
    return 0;
}

static int prepare_pool(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]];
    struct pool_params *p = step->params;

    p->gap.row = in->stride[2];
    p->gap.pixel = in->stride[3];
    if (p->global)
        return 0;
    p->taps =
        tf_mem_alloc(&engine->mem, (size_t)p->kernel[0] * (size_t)p->kernel[1] * (size_t)engine->parts_max,
                     sizeof(*p->taps));
    /* A maximum over a window is one over columns of one over rows, and whole rows are one long line. */
    if (p->max && in->type == TF_U8 && in->stride[3] == in->dims[1] && p->kernel[0] > 1) {
        p->row_bytes =
            ((size_t)(in->dims[3] * in->dims[1]) + TF_OVERREAD + TF_ALIGN - 1) / TF_ALIGN * TF_ALIGN;
        p->rows = tf_mem_alloc(&engine->mem, p->row_bytes, (size_t)engine->parts_max);
        if (!p->rows)
            return tf_fail(err, -ENOMEM, "node \"%s\" (%s): out of memory", step->name, step->op);
    }
    return p->taps ? 0 : tf_fail(err, -ENOMEM, "node \"%s\" (%s): out of memory", step->name, step->op);
}

/* The taps of a window that lie in the picture; 4-byte elements have their strides scaled by `size`. */
static int window(const struct pool_params *p, const struct tf_tensor *in, int64_t b, int64_t y, int64_t x,
                  int64_t size, const uint8_t **taps, int *area)
{
    int64_t y0 = y * p->stride[0] - p->pad[0], x0 = x * p->stride[1] - p->pad[1];
    int n = 0;

    for (int32_t ky = 0; ky < p->kernel[0]; ky++) {
        int64_t iy = y0 + (int64_t)ky * p->dilation[0];
        if (iy < 0 || iy >= in->dims[2])
            continue;
        for (int32_t kx = 0; kx < p->kernel[1]; kx++) {
            int64_t ix = x0 + (int64_t)kx * p->dilation[1];
            if (ix >= 0 && ix < in->dims[3])
                taps[n++] = in->data + (b * in->stride[0] + iy * in->stride[2] + ix * in->stride[3]) * size;
        }
    }
    if (p->count_pad) {
        /* A window that ceil_mode lets hang over counts padding, but nothing beyond it. */
        int64_t h = TF_MIN((int64_t)p->kernel[0],
                           (in->dims[2] + p->pad[2] - y0 + p->dilation[0] - 1) / p->dilation[0]),
                w = TF_MIN((int64_t)p->kernel[1],
                           (in->dims[3] + p->pad[3] - x0 + p->dilation[1] - 1) / p->dilation[1]);
        *area = (int)(h * w);
    } else {
        *area = n;
    }
    return n;
}

static void pixel_f32(const struct pool_params *p, const uint8_t **taps, int n, int area, float *out,
                      int64_t channels, int64_t stride)
{
    for (int64_t c = 0; c < channels; c++) {
        float v = p->max ? -INFINITY : 0.0f;
        for (int t = 0; t < n; t++) {
            float x = ((const float *)(const void *)taps[t])[c * stride];
            v = p->max ? (x > v ? x : v) : v + x;
        }
        out[c] = p->max ? v : v / (float)area;
    }
}

static void run_max_rows(const struct tf_step *step, const struct tf_tensor *in, const struct tf_tensor *out,
                         const uint8_t **taps, uint8_t *row, int64_t b, int64_t y)
{
    const struct pool_params *p = step->params;
    const tf_max_fn max = step->kernel->max;
    int64_t c = in->dims[1], w = in->dims[3], reach = (int64_t)(p->kernel[1] - 1) * p->dilation[1], x = 0,
            inner = (w - 1 - reach + p->pad[1]) / p->stride[1] + 1;
    uint8_t *to = out->data + b * out->stride[0] + y * out->stride[2];
    int n = 0;

    for (int32_t k = 0; k < p->kernel[0]; k++) {
        int64_t iy = y * p->stride[0] - p->pad[0] + (int64_t)k * p->dilation[0];
        if (iy >= 0 && iy < in->dims[2])
            taps[n++] = in->data + b * in->stride[0] + iy * in->stride[2];
    }
    max(taps, n, row, (size_t)(w * c));
    while (x < out->dims[3]) {
        int64_t first = x * p->stride[1] - p->pad[1], count = 1;

        /* With stride 1, all windows that lie within the row are one line again. */
        if (p->stride[1] == 1 && out->stride[3] == c && first >= 0 && x < inner)
            count = TF_MIN(inner, out->dims[3]) - x;
        n = 0;
        for (int32_t k = 0; k < p->kernel[1]; k++) {
            int64_t ix = first + (int64_t)k * p->dilation[1];
            if (ix >= 0 && ix < w)
                taps[n++] = row + ix * c;
        }
        max(taps, n, to + x * out->stride[3], (size_t)(count * c));
        x += count;
    }
}

static void run_pool(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct pool_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    const uint8_t **taps = p->taps + (size_t)part * (size_t)p->kernel[0] * (size_t)p->kernel[1];
    size_t channels = (size_t)in->dims[1];
    int y0, y1;

    tf_share((int)out->dims[2], part, parts, &y0, &y1);
    for (int64_t b = 0; b < out->dims[0]; b++)
        for (int64_t y = y0; y < y1; y++) {
            if (p->rows) {
                run_max_rows(step, in, out, taps, p->rows + (size_t)part * p->row_bytes, b, y);
                continue;
            }
            for (int64_t x = 0; x < out->dims[3]; x++) {
                int64_t o = b * out->stride[0] + y * out->stride[2] + x * out->stride[3];
                int area, n = window(p, in, b, y, x, in->type == TF_F32 ? 4 : 1, taps, &area);

                if (in->type == TF_F32) {
                    pixel_f32(p, taps, n, area, (float *)(void *)out->data + o, in->dims[1], in->stride[1]);
                } else if (p->max) {
                    step->kernel->max(taps, n, out->data + o, channels);
                } else {
                    struct tf_avg_args args = p->avg;
                    args.divisor = (float)area;
                    step->kernel->avg(&args, taps, n, out->data + o, channels);
                }
            }
        }
}

static void run_global(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct pool_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int c0, c1;

    if (in->type == TF_F32) {
        for (int64_t b = 0; b < in->dims[0]; b++)
            for (int64_t c = 0; c < in->dims[1]; c++) {
                const float *x =
                    (const float *)(const void *)in->data + b * in->stride[0] + c * in->stride[1];
                float sum = 0;
                for (int64_t i = 0; i < in->dims[2]; i++)
                    for (int64_t j = 0; j < in->dims[3]; j++)
                        sum += x[i * in->stride[2] + j * in->stride[3]];
                ((float *)(void *)out->data)[b * out->stride[0] + c * out->stride[1]] =
                    sum / (float)(in->dims[2] * in->dims[3]);
            }
        return;
    }
    /* Shares of 64 channels, so that no two threads meet in a cache line or a vector. */
    tf_share((int)((in->dims[1] + 63) / 64), part, parts, &c0, &c1);
    c1 = TF_MIN(c1 * 64, (int)in->dims[1]);
    for (int64_t b = 0; b < in->dims[0]; b++)
        step->kernel->gap(&p->gap, in->data + b * in->stride[0], out->data + b * out->stride[0], c0 * 64, c1);
}

static int float_output(struct tf_graph *graph, struct tf_node *node, int rank, const int64_t *dims,
                        struct tf_error *err)
{
    struct tf_value *value = &graph->values[node->out[0]];
    int t = tf_tensor_new(graph->engine, value->name, TF_F32, rank, dims, err);

    value->f = t;
    value->rank = rank;
    memcpy(value->dims, dims, (size_t)rank * sizeof(*dims));
    return t;
}

int tf_lower_pool(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    struct pool_params p = {.max = strcmp(node->op, "MaxPool") == 0,
                            .global = strcmp(node->op, "GlobalAveragePool") == 0 ||
                                      strcmp(node->op, "ReduceMean") == 0,
                            .count_pad = tf_attr_int(node->proto, "count_include_pad", 0) != 0};
    int64_t dims[4];
    struct tf_output output = {.op = node->op};
    const struct tf_value *x;
    struct tf_step *step;
    struct tf_tensor t;
    int in, out, r;

    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    x = &graph->values[node->in[0]];
    if (node->outputs > 1 && node->out[1] >= 0)
        return tf_node_fail(node, err, -ENOTSUP, "its second output (indices) is not made");
    if (tf_attr_int(node->proto, "storage_order", 0))
        return tf_node_fail(node, err, -ENOTSUP, "storage_order 1 is not run");
    if (strcmp(node->op, "ReduceMean") == 0) {
        int64_t axes[2] = {0, 0};
        if (tf_attr_ints(node->proto, "axes", axes, 2) != 2 || x->rank != 4 || (axes[0] + 4) % 4 != 2 ||
            (axes[1] + 4) % 4 != 3 || !tf_attr_int(node->proto, "keepdims", 1))
            return tf_node_fail(node, err, -ENOTSUP,
                                "only the mean over height and width (axes 2, 3, kept) is run");
    }
    in = p.max ? tf_moved_in(graph, node, node->in[0], err) : tf_value_q(graph, node->in[0], err);
    if (in >= 0 && !p.max) {
        r = tf_output_of(graph, node, true, &output, err);
        if (r < 0)
            return r;
        if (!output.quantised)
            in = -1;
    }
    if (in < 0)
        in = tf_value_f(graph, node, node->in[0], err);
    if (in < 0)
        return in;
    t = engine->tensors[in];
    if (t.rank != 4)
        return tf_node_fail(node, err, -ENOTSUP, "its input has %d dimensions, 4 are run", t.rank);
    dims[0] = t.dims[0];
    dims[1] = t.dims[1];
    dims[2] = dims[3] = 1;
    if (!p.global) {
        r = geometry(node, t.dims + 2, &p, dims + 2, err);
        if (r < 0)
            return r;
    }
    if (p.max) {
        out = tf_moved_out(graph, node, node->in[0], node->out[0], 4, dims, err);
    } else if (output.quantised) {
        int64_t area = t.dims[2] * t.dims[3];

        if (p.global && area > INT32_MAX / 256)
            return tf_node_fail(node, err, -E2BIG, "a mean of %lld pixels", (long long)area);
        out = tf_output_tensor(graph, node, &output, 4, dims, err);
        p.avg = (struct tf_avg_args){
            .in_zp = x->zp, .in_scale = x->scale, .out_scale = output.scale, .q = output.q};
        p.gap = (struct tf_gap_args){.height = (int32_t)t.dims[2],
                                     .width = (int32_t)t.dims[3],
                                     .in_zp = x->zp,
                                     .scale = x->scale / (output.scale * (float)area),
                                     .q = output.q};
        if (!isfinite(p.gap.scale))
            return tf_node_fail(node, err, -EINVAL, "its scales have no finite ratio");
    } else {
        out = float_output(graph, node, 4, dims, err);
    }
    if (out < 0)
        return out;
    step = tf_step_new(engine, node, output.op, 1, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in;
    step->out[0] = out;
    step->prepare = prepare_pool;
    step->run = p.global ? run_global : run_pool;
    step->parallel = true;
    if (t.type == TF_U8)
        step->kernel = tf_kernel_select(p.max      ? TF_KERNEL_MAX
                                        : p.global ? TF_KERNEL_GAP
                                                   : TF_KERNEL_AVG,
                                        engine->level);
    return 0;
}
