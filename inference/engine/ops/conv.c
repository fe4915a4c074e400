/* Conv and ConvTranspose: shapes, and the cutting into units that the matrix kernels run. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/conv.h"

#define TILED_MIN 64            /* pixels of a part, for a kernel of tiles */
#define TILED_BYTES (96 * 1024) /* of weights, which otherwise every part reads */
#define MERGED_MAX 256          /* entries of a panel of merged pixels */
#define DIM_MAX (1 << 20)       /* of kernel, stride, dilation, pad: keeps every product within 64 bits */

/* Attributes into params, output sizes; auto_pad included. */
static int geometry(struct tf_node *node, const int64_t in[2], const int64_t kernel[2],
                    struct tf_conv_params *p, int64_t out[2], struct tf_error *err)
{
    int64_t v[4], output_pad[2] = {0, 0};
    char auto_pad[16];

    for (int i = 0; i < 2; i++) {
        p->stride[i] = p->dilation[i] = 1;
        if (kernel[i] < 1 || kernel[i] > DIM_MAX)
            return tf_node_fail(node, err, -EINVAL, "its kernel is %lld wide", (long long)kernel[i]);
        p->kernel[i] = (int32_t)kernel[i];
    }
    for (int i = 0; i < 2; i++) {
        const char *names[] = {"strides", "dilations"};
        size_t n = tf_attr_ints(node->proto, names[i], v, 2);
        if (n && (n != 2 || v[0] < 1 || v[1] < 1 || v[0] > DIM_MAX || v[1] > DIM_MAX))
            return tf_node_fail(node, err, -EINVAL, "its %s are not two positive numbers", names[i]);
        for (size_t k = 0; k < n; k++)
            (i ? p->dilation : p->stride)[k] = (int32_t)v[k];
    }
    if (tf_attr_ints(node->proto, "kernel_shape", v, 2) == 2 && (v[0] != kernel[0] || v[1] != kernel[1]))
        return tf_node_fail(node, err, -EINVAL, "kernel_shape differs from the weights'");
    if (tf_attr_ints(node->proto, "pads", v, 4)) {
        for (int i = 0; i < 4; i++) {
            if (tf_attr_ints(node->proto, "pads", v, 4) != 4 || v[i] < 0 || v[i] > DIM_MAX)
                return tf_node_fail(node, err, -EINVAL, "its pads are not four numbers from 0");
            p->pad[i] = (int32_t)v[i];
        }
    }
    tf_attr_string(node->proto, "auto_pad", "NOTSET", auto_pad, sizeof(auto_pad));
    if (p->transposed) {
        if (strcmp(auto_pad, "NOTSET") != 0 || tf_attr(node->proto, "output_shape"))
            return tf_node_fail(node, err, -ENOTSUP, "auto_pad and output_shape are not run, use pads");
        if (tf_attr_ints(node->proto, "output_padding", v, 2) == 2)
            for (int i = 0; i < 2; i++) {
                if (v[i] < 0 || v[i] >= TF_MAX(p->stride[i], p->dilation[i]))
                    return tf_node_fail(node, err, -EINVAL, "its output_padding is out of range");
                output_pad[i] = v[i];
            }
        for (int i = 0; i < 2; i++)
            out[i] = (in[i] - 1) * p->stride[i] + (kernel[i] - 1) * p->dilation[i] + 1 - p->pad[i] -
                     p->pad[i + 2] + output_pad[i];
    } else {
        for (int i = 0; i < 2; i++) {
            int64_t reach = (kernel[i] - 1) * p->dilation[i] + 1;
            if (strcmp(auto_pad, "SAME_UPPER") == 0 || strcmp(auto_pad, "SAME_LOWER") == 0) {
                int64_t need = ((in[i] + p->stride[i] - 1) / p->stride[i] - 1) * p->stride[i] + reach - in[i];
                need = TF_MAX(need, 0);
                p->pad[i] = (int32_t)(auto_pad[5] == 'U' ? need / 2 : need - need / 2);
                p->pad[i + 2] = (int32_t)(need - p->pad[i]);
            } else if (strcmp(auto_pad, "NOTSET") != 0 && strcmp(auto_pad, "VALID") != 0) {
                return tf_node_fail(node, err, -EINVAL, "auto_pad \"%s\" is not known", auto_pad);
            }
            reach = in[i] + p->pad[i] + p->pad[i + 2] - reach;
            out[i] = reach < 0 ? 0 : reach / p->stride[i] + 1;
        }
    }
    if (out[0] < 1 || out[1] < 1)
        return tf_node_fail(node, err, -EINVAL, "its output is %lld x %lld", (long long)out[0],
                            (long long)out[1]);
    return 0;
}

/* A BatchNormalization right behind it becomes part of scale, sign of the weights and bias. */
static int fold_batch_norm(struct tf_graph *graph, struct tf_node *node, struct tf_conv_params *p,
                           float *acc_scale, size_t per_channel, struct tf_error *err)
{
    struct tf_value *value = &graph->values[node->out[0]];
    const struct tf_const *c[4];
    struct tf_node *bn;
    float epsilon;

    if (value->is_output || value->reader_count != 1)
        return 0;
    bn = &graph->nodes[value->readers[0]];
    if (strcmp(bn->op, "BatchNormalization") != 0 || bn->in[0] != node->out[0])
        return 0;
    for (int i = 0; i < 4; i++) {
        c[i] = i + 1 < bn->inputs && bn->in[i + 1] >= 0 ? graph->values[bn->in[i + 1]].constant : NULL;
        if (!c[i] || c[i]->count != (size_t)p->oc)
            return tf_node_fail(bn, err, -EINVAL, "input %d is not a constant of %d elements", i + 1, p->oc);
    }
    if (p->transposed)
        return tf_node_fail(bn, err, -ENOTSUP, "behind a ConvTranspose it is not folded");
    epsilon = tf_attr_float(bn->proto, "epsilon", 1e-5f);
    for (int32_t i = 0; i < p->oc; i++) {
        size_t k = (size_t)i;
        double a = tf_const_number(c[0], k) / sqrt(tf_const_number(c[3], k) + (double)epsilon);
        double b = tf_const_number(c[1], k) - tf_const_number(c[2], k) * a, s;

        if (!isfinite(a) || !isfinite(b))
            return tf_node_fail(bn, err, -EINVAL, "channel %d has no finite factor", i);
        if (a <= 0)
            for (size_t j = 0; j < per_channel; j++)
                p->w[k * per_channel + j] = a < 0 ? (int8_t)TF_MIN(-p->w[k * per_channel + j], 127) : 0;
        s = (double)acc_scale[i] * (a == 0 ? 1 : fabs(a));
        b = s > 0 ? rint(((double)p->bias[i] * (double)acc_scale[i] * a + b) / s) : 0;
        p->bias[i] = (int32_t)TF_MIN(TF_MAX(b, -2147483648.0), 2147483647.0);
        acc_scale[i] = (float)s;
    }
    bn->done = true;
    /* What follows reads the normalised value: let the convolution stand for it. */
    node->out[0] = bn->out[0];
    return 0;
}

static int prepare_conv(struct tf_engine *engine, struct tf_step *step, struct tf_error *err);
static void run_depthwise(struct tf_engine *engine, const struct tf_step *step, int part, int parts);

int tf_lower_conv(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    struct tf_conv_params p = {.transposed = strcmp(node->op, "ConvTranspose") == 0};
    int64_t in_dims[TF_TENSOR_RANK_MAX], out_dims[4], kernel[2], group, ic, oc;
    const struct tf_const *data;
    struct tf_output output;
    struct tf_step *step;
    float *w_scale, *acc_scale, sx;
    size_t weights;
    int r, in, out;

    if (node->inputs < 2)
        return tf_node_fail(node, err, -EINVAL, "it has %d inputs", node->inputs);
    in = tf_value_q(graph, node->in[0], err);
    if (in < 0)
        return tf_node_fail(node, err, -ENOTSUP,
                            "its input is not quantised (no DequantizeLinear before it)");
    if (engine->tensors[in].rank != 4)
        return tf_node_fail(node, err, -ENOTSUP, "its input has %d dimensions, 4 are run",
                            engine->tensors[in].rank);
    memcpy(in_dims, engine->tensors[in].dims, sizeof(in_dims));
    data = node->in[1] >= 0 ? graph->values[node->in[1]].q_data : NULL;
    if (data && data->rank != 4)
        return tf_node_fail(node, err, -EINVAL, "its weights have %d dimensions, not 4", data->rank);
    group = tf_attr_int(node->proto, "group", 1);
    ic = data ? (p.transposed ? data->dims[0] : data->dims[1] * TF_MIN(TF_MAX(group, 1), DIM_MAX)) : 0;
    oc = data ? (p.transposed ? data->dims[1] * TF_MIN(TF_MAX(group, 1), DIM_MAX) : data->dims[0]) : 0;
    if (data && (group < 1 || group > DIM_MAX || ic != in_dims[1] || oc % group || ic % group || oc < 1 ||
                 oc > DIM_MAX || ic > DIM_MAX))
        return tf_node_fail(node, err, -EINVAL, "weights for %lld channels in %lld groups meet %lld channels",
                            (long long)ic, (long long)group, (long long)in_dims[1]);
    r = tf_conv_weights(graph, node, node->in[1], p.transposed ? 1 : 0, oc, &p.w, &w_scale, err);
    if (r < 0)
        return r;
    kernel[0] = data->dims[2];
    kernel[1] = data->dims[3];
    p.group = (int32_t)group;
    p.ic = (int32_t)ic;
    p.oc = (int32_t)oc;
    r = geometry(node, in_dims + 2, kernel, &p, out_dims + 2, err);
    if (r < 0)
        return r;
    out_dims[0] = in_dims[0];
    out_dims[1] = oc;
    sx = graph->values[node->in[0]].scale;
    p.in_zp = graph->values[node->in[0]].zp;
    acc_scale = tf_mem_alloc(&graph->mem, (size_t)oc, sizeof(*acc_scale));
    p.scale = tf_mem_alloc(&graph->mem, (size_t)oc, sizeof(*p.scale));
    if (!acc_scale || !p.scale)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (int64_t i = 0; i < oc; i++)
        acc_scale[i] = sx * w_scale[i];
    r = tf_conv_bias(graph, node, node->inputs > 2 ? node->in[2] : -1, oc, acc_scale, 1.0f, &p.bias, err);
    weights = data->count / (size_t)oc;
    if (!r)
        r = fold_batch_norm(graph, node, &p, acc_scale, weights, err);
    if (!r)
        r = tf_output_of(graph, node, true, &output, err);
    if (r < 0)
        return r;
    for (int64_t i = 0; i < oc; i++) {
        p.scale[i] = output.quantised ? acc_scale[i] / output.scale : acc_scale[i];
        if (!isfinite(p.scale[i]))
            return tf_node_fail(node, err, -EINVAL, "the scale of output channel %lld is not finite",
                                (long long)i);
    }
    p.f32 = !output.quantised;
    p.q = output.q;
    out = tf_output_tensor(graph, node, &output, 4, out_dims, err);
    if (out < 0)
        return out;
    p.depthwise = !p.transposed && p.group == p.ic && p.oc == p.ic && p.oc > 1 && !p.f32;
    step = tf_step_new(engine, node, output.op, 2, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in;
    step->inputs = 1; /* room for a residual, see fuse.c */
    step->out[0] = out;
    step->macs = p.transposed
                     ? (uint64_t)in_dims[0] * (uint64_t)in_dims[2] * (uint64_t)in_dims[3] * data->count
                     : (uint64_t)out_dims[0] * (uint64_t)out_dims[2] * (uint64_t)out_dims[3] * data->count;
    step->prepare = prepare_conv;
    step->run = p.depthwise ? run_depthwise : tf_conv_run;
    step->kernel =
        tf_kernel_select(p.depthwise ? TF_KERNEL_DW : TF_KERNEL_CONV, p.f32 ? TF_CPU_GENERIC : engine->level);
    step->parallel = true;
    return 0;
}

/* One dimension of the taps that reach output position `phase + stride * i` of a transposed convolution. */
struct phase {
    int32_t k, at; /* kernel index; input position relative to i */
};

static int phases_of(const struct tf_conv_params *p, int axis, int32_t phase, struct phase *taps)
{
    int n = 0;

    /* out = in * stride - pad + k * dilation, so in = (out + pad - k * dilation) / stride where that is
     * whole. */
    for (int32_t k = p->kernel[axis] - 1; k >= 0; k--) {
        int64_t x = (int64_t)phase + p->pad[axis] - (int64_t)k * p->dilation[axis];
        if (x % p->stride[axis] == 0)
            taps[n++] = (struct phase){.k = k, .at = (int32_t)(x / p->stride[axis])};
    }
    return n;
}

bool tf_step_wants_halo(const struct tf_engine *engine, const struct tf_step *step, int64_t halo[4])
{
    const struct tf_conv_params *p = step->params;
    const struct tf_tensor *in, *out;

    if (step->prepare != prepare_conv)
        return false;
    in = &engine->tensors[step->in[0]];
    out = &engine->tensors[step->out[0]];
    for (int i = 0; i < 2; i++) {
        int64_t first, last, n = in->dims[2 + i], m = out->dims[2 + i];
        if (p->transposed) {
            /* The extremes of in = (out + pad - k * dilation) / stride, generously rounded. */
            first = (p->pad[i] - (int64_t)(p->kernel[i] - 1) * p->dilation[i]) / p->stride[i] - 1;
            last = (m - 1 + p->pad[i]) / p->stride[i];
        } else {
            first = -p->pad[i];
            last = (m - 1) * p->stride[i] - p->pad[i] + (int64_t)(p->kernel[i] - 1) * p->dilation[i];
        }
        halo[i] = TF_MAX(-first, 0);
        halo[i + 2] = TF_MAX(last - (n - 1), 0);
    }
    return halo[0] || halo[1] || halo[2] || halo[3];
}

bool tf_conv_is_open(const struct tf_step *step)
{
    const struct tf_conv_params *p = step->params;
    return step->prepare == prepare_conv && !p->depthwise && !p->f32 && !p->joined;
}

void tf_conv_join(struct tf_step *step, const struct tf_conv_residual *residual, bool add)
{
    struct tf_conv_params *p = step->params;

    p->joined = true;
    p->residual = *residual;
    if (!add)
        p->residual.in_ratio = 0;
}

/* Offsets of the output pixels oy0 + sy * i, ox0 + sx * j and of the windows they read. */
static int pixel_tables(struct tf_engine *engine, const struct tf_tensor *in, const struct tf_tensor *out,
                        const int32_t start[2], const int32_t out_step[2], const int32_t in_step[2],
                        const int32_t in_first[2], const struct tf_tensor *residual,
                        struct tf_conv_unit *unit)
{
    int64_t n[2], m;
    int32_t *in_off, *out_off, *residual_off = NULL;

    for (int i = 0; i < 2; i++)
        n[i] =
            start[i] < out->dims[2 + i] ? (out->dims[2 + i] - start[i] + out_step[i] - 1) / out_step[i] : 0;
    m = out->dims[0] * n[0] * n[1];
    in_off = tf_mem_alloc(&engine->mem, (size_t)m + 1, sizeof(*in_off));
    out_off = tf_mem_alloc(&engine->mem, (size_t)m + 1, sizeof(*out_off));
    if (residual)
        residual_off = tf_mem_alloc(&engine->mem, (size_t)m + 1, sizeof(*residual_off));
    if (!in_off || !out_off || (residual && !residual_off))
        return -ENOMEM;
    unit->residual_off = residual ? residual_off : out_off;
    unit->args.in_off = in_off;
    unit->args.out_off = out_off;
    unit->m = (int)m;
    for (int64_t b = 0; b < out->dims[0]; b++)
        for (int64_t y = 0; y < n[0]; y++)
            for (int64_t x = 0; x < n[1]; x++) {
                *in_off++ = (int32_t)(b * in->stride[0] + (y * in_step[0] + in_first[0]) * in->stride[2] +
                                      (x * in_step[1] + in_first[1]) * in->stride[3]);
                *out_off++ = (int32_t)(b * out->stride[0] + (start[0] + y * out_step[0]) * out->stride[2] +
                                       (start[1] + x * out_step[1]) * out->stride[3]);
                if (residual)
                    *residual_off++ = (int32_t)(b * residual->stride[0] +
                                                (start[0] + y * out_step[0]) * residual->stride[2] +
                                                (start[1] + x * out_step[1]) * residual->stride[3]);
            }
    return 0;
}

/*
 * How many neighbouring output pixels are computed as one of so many times the channels. With fewer channels
 * than a vector has lanes, the other lanes can take the next pixels: the window is that of all of them, each
 * pixel's weights are 0 outside its own part. That pays where it makes no more products, since rounding and
 * stores are then shared.
 */
static int merge_of(const struct tf_step *step, const struct tf_conv_params *p, const struct tf_tensor *in,
                    const struct tf_tensor *out)
{
    if (p->transposed || p->f32 || p->joined || p->group != 1 || p->dilation[1] != 1 || step->kernel->tiles ||
        in->stride[3] != p->ic || out->stride[3] != p->oc)
        return 1;
    for (int n = step->kernel->unit / p->oc; n > 1; n--) {
        const int64_t one = ((int64_t)p->kernel[1] * p->ic + 3) / 4,
                      all = (((int64_t)(n - 1) * p->stride[1] + p->kernel[1]) * p->ic + 3) / 4;

        if (out->dims[3] % n == 0 && all <= n * one && all * p->kernel[0] <= MERGED_MAX)
            return n;
    }
    return 1;
}

/* The one unit of a convolution whose output pixels are merged by n. */
static int add_merged(struct tf_engine *engine, struct tf_step *step, struct tf_conv_params *p,
                      struct tf_mem *mem, int n, const struct tf_conv_unit *shape)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    const int32_t len = ((n - 1) * p->stride[1] + p->kernel[1]) * p->ic, row = p->kernel[1] * p->ic,
                  oc = p->oc * n, k = len * p->kernel[0];
    const size_t plane = (size_t)p->kernel[0] * (size_t)p->kernel[1];
    struct tf_conv_unit *unit = &p->units[p->unit_count++];
    struct tf_conv_run *runs = tf_mem_alloc(mem, (size_t)p->kernel[0], sizeof(*runs));
    int8_t *w = tf_mem_alloc(mem, (size_t)oc * (size_t)k, 1);
    int32_t *bias = tf_mem_alloc(mem, (size_t)oc, sizeof(*bias));
    float *scale = tf_mem_alloc(mem, (size_t)oc, sizeof(*scale));
    struct tf_conv_spec spec = {.runs = runs,
                                .run_count = p->kernel[0],
                                .w = w,
                                .bias = bias,
                                .scale = scale,
                                .oc = oc,
                                .in_zp = p->in_zp};
    int r;

    if (!runs || !w || !bias || !scale)
        return -ENOMEM;
    for (int32_t y = 0; y < p->kernel[0]; y++)
        runs[y] = (struct tf_conv_run){.off = (int32_t)(y * p->dilation[0] * in->stride[2]), .len = len};
    for (int32_t i = 0; i < oc; i++) {
        const int32_t pixel = i / p->oc, o = i % p->oc;

        bias[i] = p->bias[o];
        scale[i] = p->scale[o];
        for (int32_t y = 0; y < p->kernel[0]; y++)
            for (int32_t j = 0; j < row; j++)
                w[(size_t)i * (size_t)k + (size_t)(y * len + pixel * p->stride[1] * p->ic + j)] =
                    p->w[((size_t)o * (size_t)p->ic + (size_t)(j % p->ic)) * plane +
                         (size_t)(y * p->kernel[1] + j / p->ic)];
    }
    *unit = *shape;
    r = tf_conv_pack(&engine->mem, step->kernel, &spec, &unit->packed);
    if (r < 0)
        return r;
    unit->args.in = in->data;
    unit->args.out = out->data;
    unit->args.panels = unit->packed.panels;
    unit->args.q = p->q;
    engine->weight_bytes += unit->packed.bytes;
    return 0;
}

/* All groups of one set of taps: the whole of a Conv, one phase of a ConvTranspose. */
static int add_units(struct tf_engine *engine, struct tf_step *step, struct tf_conv_params *p,
                     struct tf_mem *mem, const struct phase *ty, int ny, const struct phase *tx, int nx,
                     const struct tf_conv_unit *shape)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int32_t icg = p->ic / p->group, ocg = p->oc / p->group;
    size_t taps = (size_t)ny * (size_t)nx, k = taps * (size_t)icg;
    struct tf_conv_run *runs = tf_mem_alloc(mem, taps + 1, sizeof(*runs));
    int8_t *w = tf_mem_alloc(mem, k * (size_t)ocg + 1, 1);
    size_t plane = (size_t)p->kernel[0] * (size_t)p->kernel[1];
    int r;

    if (!runs || !w)
        return -ENOMEM;
    for (int y = 0; y < ny; y++)
        for (int x = 0; x < nx; x++)
            runs[y * nx + x] = (struct tf_conv_run){
                .off = (int32_t)(ty[y].at * in->stride[2] + tx[x].at * in->stride[3]), .len = icg};
    for (int32_t g = 0; g < p->group; g++) {
        struct tf_conv_unit *unit = &p->units[p->unit_count++];
        struct tf_conv_spec spec = {.runs = runs,
                                    .run_count = (int)taps,
                                    .w = w,
                                    .bias = p->bias + g * ocg,
                                    .scale = p->scale + g * ocg,
                                    .oc = ocg,
                                    .in_zp = p->in_zp};
        int8_t *to = w;

        for (int32_t o = 0; o < ocg; o++)
            for (int y = 0; y < ny; y++)
                for (int x = 0; x < nx; x++)
                    for (int32_t c = 0; c < icg; c++) {
                        size_t row = p->transposed ? (size_t)(g * icg + c) * (size_t)ocg + (size_t)o
                                                   : (size_t)(g * ocg + o) * (size_t)icg + (size_t)c;
                        *to++ = p->w[row * plane + (size_t)ty[y].k * (size_t)p->kernel[1] + (size_t)tx[x].k];
                    }
        *unit = *shape;
        r = tf_conv_pack(&engine->mem, step->kernel, &spec, &unit->packed);
        if (r < 0)
            return r;
        unit->args.in = in->data + g * icg;
        unit->args.out = out->data + (p->f32 ? 0 : g * ocg);
        unit->args.out_f32 = p->f32 ? (float *)(void *)out->data + g * ocg : NULL;
        unit->args.panels = unit->packed.panels;
        unit->args.q = p->q;
        if (p->joined) {
            /* Without a second summand the output's own bytes stand in for it, times 0. */
            const struct tf_tensor *other = step->inputs > 1 ? &engine->tensors[step->in[1]] : out;
            struct tf_conv_residual *residual = tf_mem_alloc(&engine->mem, 1, sizeof(*residual));
            if (!residual)
                return -ENOMEM;
            *residual = p->residual;
            residual->in = other->data + g * ocg;
            residual->off = unit->residual_off;
            unit->args.residual = residual;
        }
        engine->weight_bytes += unit->packed.bytes;
    }
    return 0;
}

static int prepare_depthwise(struct tf_engine *engine, struct tf_step *step, struct tf_conv_params *p)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int32_t pitch = (p->oc + 63) / 64 * 64, taps = p->kernel[0] * p->kernel[1];
    int8_t *w = tf_mem_alloc(&engine->mem, (size_t)pitch, (size_t)taps + 1);
    int32_t *bias = tf_mem_alloc(&engine->mem, (size_t)pitch, sizeof(*bias));
    float *scale = tf_mem_alloc(&engine->mem, (size_t)pitch, sizeof(*scale));

    if (!w || !bias || !scale)
        return -ENOMEM;
    for (int32_t c = 0; c < p->oc; c++) {
        uint32_t sum = 0;
        for (int32_t t = 0; t < taps; t++) {
            w[t * pitch + c] = p->w[c * taps + t];
            sum += (uint32_t)p->w[c * taps + t];
        }
        bias[c] = (int32_t)((uint32_t)p->bias[c] - (uint32_t)p->in_zp * sum);
        scale[c] = p->scale[c];
    }
    engine->weight_bytes += (size_t)pitch * ((size_t)taps + 8);
    p->dw = (struct tf_dw_args){.in = in->data - p->pad[0] * in->stride[2] - p->pad[1] * in->stride[3],
                                .in_row = in->stride[2],
                                .in_pixel = in->stride[3],
                                .out = out->data,
                                .out_row = out->stride[2],
                                .out_pixel = out->stride[3],
                                .channels = p->oc,
                                .width = (int32_t)out->dims[3],
                                .kh = p->kernel[0],
                                .kw = p->kernel[1],
                                .stride_h = p->stride[0],
                                .stride_w = p->stride[1],
                                .dilation_h = p->dilation[0],
                                .dilation_w = p->dilation[1],
                                .w = w,
                                .w_pitch = pitch,
                                .bias = bias,
                                .scale = scale,
                                .q = p->q};
    return 0;
}

int tf_conv_finish(struct tf_engine *engine, struct tf_step *step, struct tf_conv_params *p)
{
    size_t bytes = 0;

    for (int i = 0; i < p->unit_count; i++)
        bytes = TF_MAX(bytes, p->units[i].packed.bytes);
    /* With weights that fit the first-level cache beside the pixels, a block of pixels meets all of them
     * while it is there; larger ones are walked once, each panel over all pixels. */
    p->panels_outside = bytes > 24 * 1024 && !step->kernel->tiles;
    return 0;
}

void tf_conv_choose(struct tf_step *step, int run, int channels, int64_t pixels)
{
    const int chunk = 4 * TF_CHUNK, filled = (run + chunk - 1) / chunk * chunk;

    /* Measured on Sapphire Rapids: tiles pay where more than half of a chunk, a third of the rows and
     * half of the columns are used. */
    if (step->kernel->tiles && (2 * run <= filled || pixels < 6 || channels < 8))
        step->kernel = tf_kernel_select(TF_KERNEL_CONV, TF_CPU_AVX512VNNI);
}

static int prepare_conv(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    struct tf_conv_params *p = step->params;
    int32_t phases[2] = {p->transposed ? p->stride[0] : 1, p->transposed ? p->stride[1] : 1};
    const struct tf_tensor *residual = step->inputs > 1 ? &engine->tensors[step->in[1]] : NULL;
    struct tf_mem mem = {0};
    struct phase *taps[2];
    int r = 0;

    if (p->depthwise) {
        r = prepare_depthwise(engine, step, p);
        goto done;
    }
    tf_conv_choose(
        step,
        p->ic / p->group *
            (!p->transposed && p->dilation[1] == 1 && in->stride[3] == p->ic / p->group ? p->kernel[1] : 1),
        p->oc / p->group, out->dims[0] * (out->dims[2] / phases[0]) * (out->dims[3] / phases[1]));
    /* Phases past the output do not exist, however large the stride. */
    for (int i = 0; i < 2; i++) {
        phases[i] = (int32_t)TF_MIN(phases[i], out->dims[2 + i]);
        taps[i] = tf_mem_alloc(&mem, (size_t)p->kernel[i] + 1, sizeof(**taps));
    }
    p->units = tf_mem_alloc(&engine->mem, (size_t)phases[0] * (size_t)phases[1] * (size_t)p->group,
                            sizeof(*p->units));
    r = p->units && taps[0] && taps[1] ? 0 : -ENOMEM;
    for (int32_t y = 0; !r && y < phases[0]; y++) {
        for (int32_t x = 0; !r && x < phases[1]; x++) {
            const int32_t start[2] = {y, x}, one[2] = {1, 1}, none[2] = {0, 0};
            struct tf_conv_unit shape = {0};
            int ny, nx;

            if (p->transposed) {
                ny = phases_of(p, 0, y, taps[0]);
                nx = phases_of(p, 1, x, taps[1]);
                r = pixel_tables(engine, in, out, start, p->stride, one, none, residual, &shape);
            } else {
                const int32_t first[2] = {-p->pad[0], -p->pad[1]};
                const int n = merge_of(step, p, in, out);
                const int32_t wide[2] = {1, n}, far[2] = {p->stride[0], p->stride[1] * n};

                if (n > 1) {
                    r = pixel_tables(engine, in, out, start, wide, far, first, NULL, &shape);
                    r = r ? r : add_merged(engine, step, p, &mem, n, &shape);
                    continue;
                }
                ny = p->kernel[0];
                nx = p->kernel[1];
                for (int i = 0; i < 2; i++)
                    for (int32_t k = 0; k < p->kernel[i]; k++)
                        taps[i][k] = (struct phase){.k = k, .at = k * p->dilation[i]};
                r = pixel_tables(engine, in, out, start, one, p->stride, first, residual, &shape);
            }
            if (!r)
                r = add_units(engine, step, p, &mem, taps[0], ny, taps[1], nx, &shape);
        }
    }
    if (!r)
        r = tf_conv_finish(engine, step, p);
    tf_mem_free(&mem);
done:
    return r < 0 ? tf_fail(err, r, "node \"%s\" (%s): out of memory", step->name, step->op) : 0;
}

void tf_conv_run(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct tf_conv_params *p = step->params;
    const tf_conv_fn conv = step->kernel->conv;

    for (int u = 0; u < p->unit_count; u++) {
        const struct tf_conv_unit *unit = &p->units[u];
        int panels = unit->packed.panel_count, m0, m1;

        if (p->panels_outside) {
            /* Each part reads its own weights; with too few panels, its own pixels. */
            int p0 = 0, p1 = panels;
            if (panels >= parts)
                tf_share(panels, part, parts, &p0, &p1);
            tf_share(unit->m, panels >= parts ? 0 : part, panels >= parts ? 1 : parts, &m0, &m1);
            conv(&unit->args, p0, p1, m0, m1);
            continue;
        }
        if (step->kernel->tiles) {
            /* It makes its own blocks of pixels. Few pixels under many weights: each part reads its own. */
            const bool by_panels =
                panels >= parts && unit->m < TILED_MIN * parts && unit->packed.bytes > TILED_BYTES;
            int p0, p1;

            tf_share(panels, by_panels ? part : 0, by_panels ? parts : 1, &p0, &p1);
            tf_share(unit->m, by_panels ? 0 : part, by_panels ? 1 : parts, &m0, &m1);
            conv(&unit->args, p0, p1, m0, m1);
            continue;
        }
        tf_share(unit->m, part, parts, &m0, &m1);
        for (int m = m0; m < m1; m += 48)
            conv(&unit->args, 0, panels, m, TF_MIN(m + 48, m1));
    }
}

static void run_depthwise(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct tf_conv_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int y0, y1;

    tf_share((int)out->dims[2], part, parts, &y0, &y1);
    for (int64_t b = 0; b < out->dims[0]; b++) {
        struct tf_dw_args args = p->dw;
        args.in += b * in->stride[0];
        args.out += b * out->stride[0];
        step->kernel->dw(&args, y0, y1);
    }
}
