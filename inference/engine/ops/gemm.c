/* Gemm and MatMul: a matrix of activations times constant weights is a convolution of one pixel per row. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/conv.h"

struct matmul_params {
    int64_t m, k, n, batches;
    int rank;
};

/* Packs the one unit: rows of `in` are pixels, k bytes each. */
static int prepare_gemm(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    struct tf_conv_params *p = step->params;
    struct tf_conv_run run = {.off = 0, .len = p->ic};
    struct tf_conv_spec spec = {.runs = &run,
                                .run_count = 1,
                                .w = p->w,
                                .bias = p->bias,
                                .scale = p->scale,
                                .oc = p->oc,
                                .in_zp = p->in_zp};
    size_t m = in->count / (size_t)p->ic;
    struct tf_conv_unit *unit;
    int32_t *in_off, *out_off;

    tf_conv_choose(step, p->ic, p->oc, (int64_t)m);
    p->units = unit = tf_mem_alloc(&engine->mem, 1, sizeof(*unit));
    in_off = tf_mem_alloc(&engine->mem, m, sizeof(*in_off));
    out_off = tf_mem_alloc(&engine->mem, m, sizeof(*out_off));
    if (!unit || !in_off || !out_off || tf_conv_pack(&engine->mem, step->kernel, &spec, &unit->packed) < 0)
        return tf_fail(err, -ENOMEM, "node \"%s\" (%s): out of memory", step->name, step->op);
    for (size_t i = 0; i < m; i++) {
        in_off[i] = (int32_t)(i * (size_t)p->ic);
        out_off[i] = (int32_t)(i * (size_t)p->oc);
    }
    p->unit_count = 1;
    unit->m = (int)m;
    unit->args = (struct tf_conv_args){.in = in->data,
                                       .in_off = in_off,
                                       .out = out->data,
                                       .out_off = out_off,
                                       .panels = unit->packed.panels,
                                       .q = p->q,
                                       .out_f32 = p->f32 ? (float *)(void *)out->data : NULL};
    engine->weight_bytes += unit->packed.bytes;
    return tf_conv_finish(engine, step, p);
}

/* Batched product of two f32 tensors; leading dimensions broadcast. */
static void run_matmul_f32(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct matmul_params *p = step->params;
    const struct tf_tensor *t[3] = {&engine->tensors[step->in[0]], &engine->tensors[step->in[1]],
                                    &engine->tensors[step->out[0]]};
    const float *a = (const float *)(const void *)t[0]->data, *b = (const float *)(const void *)t[1]->data;
    float *c = (float *)(void *)t[2]->data;

    for (int64_t batch = 0; batch < p->batches; batch++) {
        int64_t at[3] = {0, 0, 0}, rest = batch;
        for (int d = p->rank - 3; d >= 0; d--) {
            int64_t i = rest % t[2]->dims[d];
            rest /= t[2]->dims[d];
            for (int k = 0; k < 3; k++) {
                int own = d - (p->rank - t[k]->rank);
                if (own >= 0 && t[k]->dims[own] > 1)
                    at[k] += i * t[k]->stride[own];
            }
        }
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) {
                float sum = 0.0f;
                for (int64_t k = 0; k < p->k; k++)
                    sum += a[at[0] + i * t[0]->stride[t[0]->rank - 2] + k * t[0]->stride[t[0]->rank - 1]] *
                           b[at[1] + k * t[1]->stride[t[1]->rank - 2] + j * t[1]->stride[t[1]->rank - 1]];
                c[at[2] + i * t[2]->stride[t[2]->rank - 2] + j * t[2]->stride[t[2]->rank - 1]] = sum;
            }
    }
}

static int lower_matmul_f32(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    int64_t dims[TF_TENSOR_RANK_MAX];
    int a = tf_value_f(graph, node, node->in[0], err),
        b = a < 0 ? a : tf_value_f(graph, node, node->in[1], err), out;
    struct tf_tensor ta, tb;
    struct matmul_params p;
    struct tf_step *step;

    if (b < 0)
        return b;
    ta = engine->tensors[a];
    tb = engine->tensors[b];
    if (ta.rank < 2 || tb.rank < 2 || ta.dims[ta.rank - 1] != tb.dims[tb.rank - 2])
        return tf_node_fail(node, err, -EINVAL, "its inputs do not fit each other");
    p = (struct matmul_params){.m = ta.dims[ta.rank - 2],
                               .k = ta.dims[ta.rank - 1],
                               .n = tb.dims[tb.rank - 1],
                               .batches = 1,
                               .rank = TF_MAX(ta.rank, tb.rank)};
    for (int d = 0; d < p.rank - 2; d++) {
        int64_t x = d < p.rank - ta.rank ? 1 : ta.dims[d - (p.rank - ta.rank)],
                y = d < p.rank - tb.rank ? 1 : tb.dims[d - (p.rank - tb.rank)];
        if (x != y && x != 1 && y != 1)
            return tf_node_fail(node, err, -EINVAL, "its inputs do not fit each other");
        dims[d] = TF_MAX(x, y);
        p.batches *= dims[d];
    }
    dims[p.rank - 2] = p.m;
    dims[p.rank - 1] = p.n;
    out = tf_tensor_new(engine, graph->values[node->out[0]].name, TF_F32, p.rank, dims, err);
    if (out < 0)
        return out;
    step = tf_step_new(engine, node, node->op, 2, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = a;
    step->in[1] = b;
    step->out[0] = out;
    step->run = run_matmul_f32;
    step->macs = (uint64_t)p.batches * (uint64_t)p.m * (uint64_t)p.k * (uint64_t)p.n;
    graph->values[node->out[0]].f = out;
    graph->values[node->out[0]].rank = p.rank;
    memcpy(graph->values[node->out[0]].dims, dims, sizeof(dims));
    return 0;
}

int tf_lower_gemm(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    bool gemm = strcmp(node->op, "Gemm") == 0;
    bool trans_b = gemm && tf_attr_int(node->proto, "transB", 0);
    float alpha = gemm ? tf_attr_float(node->proto, "alpha", 1) : 1,
          beta = gemm ? tf_attr_float(node->proto, "beta", 1) : 1;
    struct tf_conv_params p = {.group = 1};
    struct tf_output output;
    int64_t dims[TF_TENSOR_RANK_MAX], flat[2], k, n;
    const struct tf_const *data;
    float *acc_scale, *w_scale;
    struct tf_step *step;
    int in, out, rank, matrix, product, r;
    int8_t *w;

    if (node->inputs < 2 || node->in[0] < 0 || node->in[1] < 0)
        return tf_node_fail(node, err, -EINVAL, "an input is missing");
    data = graph->values[node->in[1]].q_data;
    in = data ? tf_value_q(graph, node->in[0], err) : -1;
    if (in < 0 && !gemm)
        return lower_matmul_f32(graph, node, err);
    if (in < 0)
        return tf_node_fail(node, err, -ENOTSUP, "its input or weights are not quantised");
    rank = engine->tensors[in].rank;
    if (rank < 2 || (gemm && rank != 2) || data->rank != 2 || (gemm && tf_attr_int(node->proto, "transA", 0)))
        return tf_node_fail(node, err, -ENOTSUP, "a product of %d and %d dimensions%s is not run", rank,
                            data->rank, gemm ? " (or with transA)" : "");
    memcpy(dims, engine->tensors[in].dims, sizeof(dims));
    k = data->dims[trans_b ? 1 : 0];
    n = data->dims[trans_b ? 0 : 1];
    if (dims[rank - 1] != k || n < 1)
        return tf_node_fail(node, err, -EINVAL, "rows of %lld elements meet weights for %lld",
                            (long long)dims[rank - 1], (long long)k);
    flat[0] = (int64_t)engine->tensors[in].count / k;
    flat[1] = k;
    if (!isfinite(alpha) || alpha <= 0 || !isfinite(beta))
        return tf_node_fail(node, err, -ENOTSUP, "alpha %g, beta %g", (double)alpha, (double)beta);
    r = tf_conv_weights(graph, node, node->in[1], trans_b ? 0 : 1, n, &w, &w_scale, err);
    if (r < 0)
        return r;
    p.ic = (int32_t)k;
    p.oc = (int32_t)n;
    p.in_zp = graph->values[node->in[0]].zp;
    p.w = tf_mem_alloc(&graph->mem, data->count, 1);
    acc_scale = tf_mem_alloc(&graph->mem, (size_t)n, sizeof(*acc_scale));
    p.scale = tf_mem_alloc(&graph->mem, (size_t)n, sizeof(*p.scale));
    if (!p.w || !acc_scale || !p.scale)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < k; i++)
            p.w[j * k + i] = trans_b ? w[j * k + i] : w[i * n + j];
        acc_scale[j] = alpha * (graph->values[node->in[0]].scale * w_scale[j]);
    }
    r = tf_conv_bias(graph, node, gemm && node->inputs > 2 ? node->in[2] : -1, n, acc_scale, beta, &p.bias,
                     err);
    if (!r)
        r = tf_output_of(graph, node, true, &output, err);
    if (r < 0)
        return r;
    for (int64_t j = 0; j < n; j++) {
        p.scale[j] = output.quantised ? acc_scale[j] / output.scale : acc_scale[j];
        if (!isfinite(p.scale[j]))
            return tf_node_fail(node, err, -EINVAL, "the scale of output %lld is not finite", (long long)j);
    }
    p.f32 = !output.quantised;
    p.q = output.q;

    /* Four dimensions lie channels-last, the product wants plain rows. */
    matrix = in;
    if (rank == 4) {
        matrix = tf_tensor_new(engine, node->name, TF_U8, 2, flat, err);
        if (matrix < 0)
            return matrix;
        r = tf_step_copy(engine, node, "Reshape", in, matrix);
        if (r < 0)
            return tf_node_fail(node, err, r, "out of memory");
    }
    dims[rank - 1] = n;
    out = tf_output_tensor(graph, node, &output, rank, dims, err);
    if (out < 0)
        return out;
    product = out;
    if (rank == 4) {
        flat[1] = n;
        product = tf_tensor_new(engine, node->name, p.f32 ? TF_F32 : TF_U8, 2, flat, err);
        if (product < 0)
            return product;
    }
    step = tf_step_new(engine, node, output.op, 1, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = matrix;
    step->out[0] = product;
    step->macs = (uint64_t)flat[0] * data->count;
    step->prepare = prepare_gemm;
    step->run = tf_conv_run;
    step->kernel = tf_kernel_select(TF_KERNEL_CONV, p.f32 ? TF_CPU_GENERIC : engine->level);
    step->parallel = true;
    if (product != out && tf_step_copy(engine, node, "Reshape", product, out) < 0)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    return 0;
}
