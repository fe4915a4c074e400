/* Softmax over one axis. The exponentials of u8 inputs come from a table, the rest is float sums in a fixed
 * order. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/ops.h"

struct softmax_params {
    int axis;
    float scale; /* of the output */
    struct tf_requant q;
    float table[256]; /* exp(-(i * in_scale)) */
};

static void run_softmax(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct softmax_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int64_t n = in->dims[p->axis], is = in->stride[p->axis], os = out->stride[p->axis],
            rows = (int64_t)in->count / n;

    for (int64_t row = rows * part / parts; row < rows * (part + 1) / parts; row++) {
        int64_t i = 0, o = 0, rest = row;
        float sum = 0;

        for (int d = in->rank - 1; d >= 0; d--)
            if (d != p->axis) {
                i += rest % in->dims[d] * in->stride[d];
                o += rest % in->dims[d] * out->stride[d];
                rest /= in->dims[d];
            }
        if (in->type == TF_U8) {
            const uint8_t *x = in->data + i;
            int max = 0;
            for (int64_t k = 0; k < n; k++)
                max = TF_MAX(max, x[k * is]);
            for (int64_t k = 0; k < n; k++)
                sum += p->table[max - x[k * is]];
            for (int64_t k = 0; k < n; k++)
                out->data[o + k * os] = tf_round_u8(p->table[max - x[k * is]] / sum / p->scale, &p->q);
        } else {
            const float *x = (const float *)(const void *)in->data + i;
            float *y = (float *)(void *)out->data + o, max = -INFINITY;
            for (int64_t k = 0; k < n; k++)
                max = TF_MAX(max, x[k * is]);
            for (int64_t k = 0; k < n; k++)
                sum += y[k * os] = tf_exp(x[k * is] - max);
            for (int64_t k = 0; k < n; k++)
                y[k * os] /= sum;
        }
    }
}

int tf_lower_softmax(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    struct softmax_params p = {.axis = (int)TF_MIN(TF_MAX(tf_attr_int(node->proto, "axis", -1), -100), 100)};
    struct tf_output output = {.op = node->op};
    const struct tf_value *x;
    struct tf_step *step;
    struct tf_tensor t;
    int in, out, r;

    if (node->inputs < 1 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    if (graph->opset < 13)
        return tf_node_fail(node, err, -ENOTSUP,
                            "Softmax before operator set 13 flattens its input; export with 13");
    x = &graph->values[node->in[0]];
    in = tf_value_q(graph, node->in[0], err);
    if (in >= 0) {
        r = tf_output_of(graph, node, false, &output, err);
        if (r < 0)
            return r;
    }
    if (!output.quantised)
        in = tf_value_f(graph, node, node->in[0], err);
    if (in < 0)
        return in;
    t = engine->tensors[in];
    p.axis = p.axis < 0 ? p.axis + t.rank : p.axis;
    if (p.axis < 0 || p.axis >= t.rank)
        return tf_node_fail(node, err, -EINVAL, "its axis is out of range");
    if (output.quantised) {
        p.scale = output.scale;
        p.q = output.q;
        for (int i = 0; i < 256; i++)
            p.table[i] = tf_exp(-((float)i * x->scale));
    }
    output.value = output.quantised ? output.value : node->out[0];
    out = tf_output_tensor(graph, node, &output, t.rank, t.dims, err);
    if (out < 0)
        return out;
    step = tf_step_new(engine, node, node->op, 1, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in;
    step->out[0] = out;
    step->run = run_softmax;
    step->parallel = true;
    return 0;
}
