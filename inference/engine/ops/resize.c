/* Resize of height and width, nearest and linear. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "inference/engine/ops/ops.h"

/* Of an output row or column: there is a table entry for each, and no picture is larger. */
#define SIDE_MAX (1 << 16)

/* Where an output coordinate reads: two neighbours and the weight of the second, in 1/2048 and as a float. */
struct source {
    int32_t a, b, weight;
    float fraction;
};

struct resize_params {
    bool linear;
    float scale[2];
    char coordinates[32], nearest[32];
    struct source *from[2];
};

static float original(const struct resize_params *p, int axis, int64_t i, int64_t in, int64_t out)
{
    float x = (float)i, scale = p->scale[axis];

    if (strcmp(p->coordinates, "asymmetric") == 0)
        return x / scale;
    if (strcmp(p->coordinates, "align_corners") == 0)
        return out == 1 ? 0.0f : x * (float)(in - 1) / (float)(out - 1);
    if (strcmp(p->coordinates, "pytorch_half_pixel") == 0)
        return out > 1 ? (x + 0.5f) / scale - 0.5f : 0.0f;
    return (x + 0.5f) / scale - 0.5f;
}

static int32_t nearest(const char *mode, float x)
{
    if (strcmp(mode, "floor") == 0)
        return (int32_t)floorf(x);
    if (strcmp(mode, "ceil") == 0)
        return (int32_t)ceilf(x);
    if (strcmp(mode, "round_prefer_ceil") == 0)
        return (int32_t)floorf(x + 0.5f);
    return (int32_t)ceilf(x - 0.5f);
}

static int prepare_resize(struct tf_engine *engine, struct tf_step *step, struct tf_error *err)
{
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    struct resize_params *p = step->params;

    for (int axis = 0; axis < 2; axis++) {
        int64_t n = in->dims[2 + axis], m = out->dims[2 + axis];

        p->from[axis] = tf_mem_alloc(&engine->mem, (size_t)m, sizeof(**p->from));
        if (!p->from[axis])
            return tf_fail(err, -ENOMEM, "node \"%s\" (%s): out of memory", step->name, step->op);
        for (int64_t i = 0; i < m; i++) {
            float x = original(p, axis, i, n, m);
            struct source *s = &p->from[axis][i];

            if (!p->linear) {
                s->a = s->b = TF_MIN(TF_MAX(nearest(p->nearest, x), 0), (int32_t)n - 1);
                continue;
            }
            x = TF_MIN(TF_MAX(x, 0.0f), (float)(n - 1));
            s->a = (int32_t)x;
            s->b = TF_MIN(s->a + 1, (int32_t)n - 1);
            s->fraction = x - (float)s->a;
            s->weight = (int32_t)lrintf(s->fraction * 2048.0f);
        }
    }
    return 0;
}

static void pixel_f32(const float *const corner[4], int64_t stride, float fx, float fy, float *out,
                      int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        out[c] = corner[0][c * stride] * ((1.0f - fx) * (1.0f - fy)) +
                 corner[1][c * stride] * (fx * (1.0f - fy)) + corner[2][c * stride] * ((1.0f - fx) * fy) +
                 corner[3][c * stride] * (fx * fy);
}

/* Rows of pixels that are one piece of memory are copied whole where they are the row before once more. */
static void run_nearest(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct resize_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    const int64_t size = in->type == TF_F32 ? 4 : 1, n = in->dims[1] * size, width = out->dims[3],
                  pixel = out->stride[3] * size;
    int y0, y1;

    tf_share((int)out->dims[2], part, parts, &y0, &y1);
    for (int64_t b = 0; b < out->dims[0]; b++)
        for (int64_t y = y0; y < y1; y++) {
            const uint8_t *from = in->data + (b * in->stride[0] + p->from[0][y].a * in->stride[2]) * size;
            uint8_t *to = out->data + (b * out->stride[0] + y * out->stride[2]) * size;

            if (y > y0 && pixel == n && p->from[0][y].a == p->from[0][y - 1].a) {
                memcpy(to, to - out->stride[2] * size, (size_t)(width * n));
                continue;
            }
            for (int64_t x = 0; x < width; x++, to += pixel) {
                const uint8_t *at = from + p->from[1][x].a * in->stride[3] * size;
                int64_t i = 0;

                for (; i + 16 <= n; i += 16)
                    memcpy(to + i, at + i, 16);
                for (; i < n; i++)
                    to[i] = at[i];
            }
        }
}

static void run_resize(struct tf_engine *engine, const struct tf_step *step, int part, int parts)
{
    const struct resize_params *p = step->params;
    const struct tf_tensor *in = &engine->tensors[step->in[0]], *out = &engine->tensors[step->out[0]];
    int64_t size = in->type == TF_F32 ? 4 : 1;
    int y0, y1;

    tf_share((int)out->dims[2], part, parts, &y0, &y1);
    for (int64_t b = 0; b < out->dims[0]; b++)
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = 0; x < out->dims[3]; x++) {
                const struct source *sy = &p->from[0][y], *sx = &p->from[1][x];
                const uint8_t *top = in->data + (b * in->stride[0] + sy->a * in->stride[2]) * size,
                              *bottom = in->data + (b * in->stride[0] + sy->b * in->stride[2]) * size;
                uint8_t *to =
                    out->data + (b * out->stride[0] + y * out->stride[2] + x * out->stride[3]) * size;
                int64_t left = sx->a * in->stride[3] * size, right = sx->b * in->stride[3] * size;

                if (in->type == TF_F32) {
                    const float *corner[4] = {(const float *)(const void *)(top + left),
                                              (const float *)(const void *)(top + right),
                                              (const float *)(const void *)(bottom + left),
                                              (const float *)(const void *)(bottom + right)};
                    pixel_f32(corner, in->stride[1], sx->fraction, sy->fraction, (float *)(void *)to,
                              in->dims[1]);
                } else {
                    struct tf_blend_args args = {.p00 = top + left,
                                                 .p01 = top + right,
                                                 .p10 = bottom + left,
                                                 .p11 = bottom + right,
                                                 .wx = sx->weight,
                                                 .wy = sy->weight};
                    step->kernel->blend(&args, to, (size_t)in->dims[1]);
                }
            }
}

int tf_lower_resize(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    struct tf_engine *engine = graph->engine;
    const struct tf_const *scales = NULL, *sizes = NULL;
    struct resize_params p = {0};
    int64_t dims[4];
    char mode[16];
    struct tf_step *step;
    struct tf_tensor t;
    struct tf_output output = {.value = node->out[0]};
    int in, out, final = -1, r, first = graph->opset >= 11 ? 2 : 1;

    if (node->inputs < 2 || node->in[0] < 0)
        return tf_node_fail(node, err, -EINVAL, "its input is missing");
    if (first < node->inputs && node->in[first] >= 0)
        scales = graph->values[node->in[first]].constant;
    if (first + 1 < node->inputs && node->in[first + 1] >= 0)
        sizes = graph->values[node->in[first + 1]].constant;
    tf_attr_string(node->proto, "mode", "nearest", mode, sizeof(mode));
    tf_attr_string(node->proto, "coordinate_transformation_mode",
                   graph->opset >= 11 ? "half_pixel" : "asymmetric", p.coordinates, sizeof(p.coordinates));
    tf_attr_string(node->proto, "nearest_mode", graph->opset >= 11 ? "round_prefer_floor" : "floor",
                   p.nearest, sizeof(p.nearest));
    p.linear = strcmp(mode, "linear") == 0;
    if (!p.linear && strcmp(mode, "nearest") != 0)
        return tf_node_fail(node, err, -ENOTSUP, "mode \"%s\" is not run, nearest and linear are", mode);
    if (strcmp(p.coordinates, "asymmetric") != 0 && strcmp(p.coordinates, "align_corners") != 0 &&
        strcmp(p.coordinates, "pytorch_half_pixel") != 0 && strcmp(p.coordinates, "half_pixel") != 0)
        return tf_node_fail(node, err, -ENOTSUP, "coordinate_transformation_mode \"%s\" is not run",
                            p.coordinates);
    if (strcmp(p.nearest, "floor") != 0 && strcmp(p.nearest, "ceil") != 0 &&
        strcmp(p.nearest, "round_prefer_floor") != 0 && strcmp(p.nearest, "round_prefer_ceil") != 0)
        return tf_node_fail(node, err, -ENOTSUP, "nearest_mode \"%s\" is not run", p.nearest);
    if (tf_attr_int(node->proto, "antialias", 0) || tf_attr(node->proto, "axes"))
        return tf_node_fail(node, err, -ENOTSUP, "antialias and axes are not run");
    in = tf_moved_in(graph, node, node->in[0], err);
    if (in >= 0 && p.linear && engine->tensors[in].type == TF_U8) {
        const struct tf_value *x = &graph->values[node->in[0]];
        r = x->integer ? 0 : tf_output_of(graph, node, false, &output, err);
        if (r < 0)
            return r;
        /* Blending in u8 rounds to the input's own steps: only where the output has the same ones. */
        if (!x->integer && !(output.quantised && output.scale == x->scale && output.q.zp == x->zp))
            in = tf_value_f(graph, node, node->in[0], err);
    }
    if (in < 0)
        return in;
    t = engine->tensors[in];
    scales = scales && scales->count ? scales : NULL;
    sizes = sizes && sizes->count ? sizes : NULL;
    if (t.rank != 4 || (scales && scales->count != 4) || (sizes && sizes->count != 4) || (!scales && !sizes))
        return tf_node_fail(node, err, -ENOTSUP,
                            "it needs an input of 4 dimensions and a constant scale or size for each");
    for (int i = 0; i < 4; i++) {
        double s = scales ? tf_const_number(scales, (size_t)i) : 1;
        double d = sizes ? (double)tf_const_int(sizes, (size_t)i) : floor((double)t.dims[i] * s);

        if (!(d >= 1))
            return tf_node_fail(node, err, -EINVAL, "dimension %d would be %g", i, d);
        if (d > SIDE_MAX)
            return tf_node_fail(node, err, -E2BIG, "dimension %d would be %g; at most %d are made", i, d,
                                SIDE_MAX);
        dims[i] = (int64_t)d;
        if (i < 2 && dims[i] != t.dims[i])
            return tf_node_fail(node, err, -ENOTSUP, "only height and width are resized");
        if (i >= 2)
            p.scale[i - 2] = scales ? (float)s : (float)dims[i] / (float)t.dims[i];
    }
    if (!output.quantised) {
        out = t.type == TF_U8 ? tf_moved_out(graph, node, node->in[0], node->out[0], 4, dims, err)
                              : tf_output_tensor(graph, node, &output, 4, dims, err);
    } else {
        final = tf_output_tensor(graph, node, &output, 4, dims, err);
        out = t.type == TF_U8 || final < 0 ? final : tf_tensor_new(engine, node->name, TF_F32, 4, dims, err);
    }
    if (out < 0)
        return out;
    step = tf_step_new(engine, node, node->op, 1, 1, sizeof(p));
    if (!step)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    memcpy(step->params, &p, sizeof(p));
    step->in[0] = in;
    step->out[0] = out;
    step->prepare = prepare_resize;
    step->run = p.linear ? run_resize : run_nearest;
    step->parallel = true;
    step->kernel = p.linear && t.type == TF_U8 ? tf_kernel_select(TF_KERNEL_BLEND, engine->level) : NULL;
    if (output.quantised && t.type == TF_F32 &&
        tf_step_quantize(engine, node, out, final, output.scale, output.q.zp) < 0)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    return 0;
}
