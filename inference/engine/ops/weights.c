/* Weights and biases of Conv, ConvTranspose, Gemm and MatMul as the kernels want them: s8, and s32 at sx *
 * sw. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/conv.h"

int tf_conv_weights(struct tf_graph *graph, const struct tf_node *node, int index, int out_axis, int64_t oc,
                    int8_t **ret_w, float **ret_scale, struct tf_error *err)
{
    const struct tf_value *value = index < 0 ? NULL : &graph->values[index];
    const struct tf_const *data = value ? value->q_data : NULL, *s, *z;
    float *scale;
    int8_t *w;

    if (!data)
        return tf_node_fail(
            node, err, -ENOTSUP,
            "its weights are not int8 constants behind a DequantizeLinear; quantise the model "
            "(QDQ, int8 weights)");
    s = value->q_scale;
    z = value->q_zero;
    if (data->type != TF_C_S8 && data->type != TF_C_U8)
        return tf_node_fail(node, err, -ENOTSUP, "its weights have element type %d, int8 is run",
                            (int)data->type);
    if (s->count != 1 && (value->q_axis != out_axis || data->dims[out_axis] != (int64_t)s->count))
        return tf_node_fail(node, err, -ENOTSUP, "its weights are not scaled per output channel (axis %d)",
                            out_axis);
    for (size_t i = 0; i < (z ? z->count : 1); i++)
        if ((z ? tf_const_int(z, i) : 0) != (data->type == TF_C_U8 ? 128 : 0))
            return tf_node_fail(node, err, -ENOTSUP, "its weights are not symmetric: zero point %lld",
                                (long long)(z ? tf_const_int(z, i) : 0));
    w = tf_mem_alloc(&graph->mem, data->count, 1);
    scale = tf_mem_alloc(&graph->mem, (size_t)oc, sizeof(*scale));
    if (!w || !scale)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < data->count; i++)
        w[i] = (int8_t)(tf_const_int(data, i) - (data->type == TF_C_U8 ? 128 : 0));
    /* A grouped ConvTranspose has one scale per channel within the group. */
    for (int64_t i = 0; i < oc; i++)
        scale[i] = (float)tf_const_number(s, s->count == 1 ? 0 : (size_t)i % s->count);
    *ret_w = w;
    *ret_scale = scale;
    return 0;
}

int tf_conv_bias(struct tf_graph *graph, const struct tf_node *node, int index, int64_t oc,
                 const float *acc_scale, float factor, int32_t **ret, struct tf_error *err)
{
    const struct tf_value *value = index < 0 ? NULL : &graph->values[index];
    const struct tf_const *c = value ? (value->constant ? value->constant : value->q_data) : NULL;
    int32_t *bias = tf_mem_alloc(&graph->mem, (size_t)oc, sizeof(*bias));

    if (!bias)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    *ret = bias;
    if (!value)
        return 0;
    if (!c)
        return tf_node_fail(node, err, -ENOTSUP, "its bias is not a constant");
    if (c->count != (size_t)oc && c->count != 1)
        return tf_node_fail(node, err, -EINVAL, "its bias has %zu elements where %lld are needed", c->count,
                            (long long)oc);
    for (int64_t i = 0; i < oc; i++) {
        size_t k = c->count == 1 ? 0 : (size_t)i;
        double b = tf_const_number(c, k), s = 1;

        if (!value->constant) {
            s = tf_const_number(value->q_scale, value->q_scale->count == 1 ? 0 : k);
            if (value->q_zero)
                b -= tf_const_number(value->q_zero, value->q_zero->count == 1 ? 0 : k);
        }
        s *= (double)factor;
        /* Integers at the accumulator's own scale are taken as they are, whatever the last bit of the
         * product. */
        if (value->constant || fabs(s - (double)acc_scale[i]) > 1e-5 * (double)acc_scale[i])
            b = acc_scale[i] > 0 ? rint(b * s / (double)acc_scale[i]) : 0;
        if (!(b >= -2147483648.0 && b <= 2147483647.0))
            return tf_node_fail(node, err, -EINVAL, "its bias %lld does not fit 32 bits at scale %g",
                                (long long)i, (double)acc_scale[i]);
        bias[i] = (int32_t)b;
    }
    return 0;
}
