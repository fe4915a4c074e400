/*
 * After lowering, before anything has a place: steps that can be done in the registers of the convolution
 * before them. The residual Add of two tensors joins the later of the convolutions that make them; a change
 * of scale joins the convolution whose result nothing else reads. Both keep the rounding in between, so the
 * bits stay the same.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inference/engine/ops/conv.h"
#include "inference/engine/ops/ops.h"

struct use {
    int writer;  /* the only step that writes it, -1: none, -2: several */
    int readers; /* how often it is read */
};

static struct use *uses_of(const struct tf_engine *engine, struct tf_mem *mem)
{
    struct use *use = tf_mem_alloc(mem, (size_t)engine->tensor_count + 1, sizeof(*use));

    if (!use)
        return NULL;
    for (int i = 0; i < engine->tensor_count; i++) {
        use[i].writer = -1;
        /* What has a second name, or is looked at from outside, cannot go away. */
        if (engine->tensors[i].dense || engine->tensors[i].persistent || engine->tensors[i].constant)
            use[i].readers = 1000;
    }
    for (int i = 0; i < engine->tensor_count; i++)
        if (engine->tensors[i].parent >= 0)
            use[engine->tensors[i].parent].readers += 1000;
    for (int s = 0; s < engine->step_count; s++) {
        for (int i = 0; i < engine->steps[s].inputs; i++)
            use[engine->steps[s].in[i]].readers++;
        for (int i = 0; i < engine->steps[s].outputs; i++) {
            struct use *u = &use[engine->steps[s].out[i]];
            u->writer = u->writer == -1 ? s : -2;
        }
    }
    return use;
}

/* Whether a step's result can still be changed in its registers, and is read by one step only. */
static bool open_conv(const struct tf_engine *engine, const struct use *use, int tensor)
{
    int w = use[tensor].writer;

    return w >= 0 && use[tensor].readers == 1 && tf_conv_is_open(&engine->steps[w]);
}

/* The convolution takes over the step's output; the step is gone. */
static int take_over(struct tf_engine *engine, struct use *use, int conv, int s, const char *op)
{
    struct tf_step *c = &engine->steps[conv], *step = &engine->steps[s];
    char text[96];

    snprintf(text, sizeof(text), "%s%s%s", c->op, *op ? "+" : "", op);
    c->op = tf_mem_strdup(&engine->mem, text);
    if (!c->op)
        return -ENOMEM;
    c->out[0] = step->out[0];
    use[step->out[0]].writer = conv;
    step->run = NULL;
    return 0;
}

static int fuse_requantize(struct tf_engine *engine, struct use *use, int s)
{
    struct tf_step *step = &engine->steps[s];
    struct tf_conv_residual r = {0};
    int in = step->inputs == 1 && step->outputs == 1 ? step->in[0] : -1, conv;

    if (in < 0 || !open_conv(engine, use, in) || !tf_step_as_ratio(step, &r))
        return 0;
    conv = use[in].writer;
    tf_conv_join(&engine->steps[conv], &r, false);
    return take_over(engine, use, conv, s, "");
}

static int fuse_add(struct tf_engine *engine, struct use *use, int s)
{
    struct tf_step *step = &engine->steps[s];
    struct tf_conv_residual r;
    int side, conv, other;

    /* In registers the sum costs what the Add kernel's own pass costs (measured: 1 to 4 % more on one
     * thread); what it saves is a step that would run on one thread while the others wait. */
    if (engine->threads == 1)
        return 0;
    if (step->inputs != 2 || !tf_step_as_residual(engine, step, &r))
        return 0;
    /* The later one, when the other summand is there. */
    side = use[step->in[0]].writer > use[step->in[1]].writer ? 0 : 1;
    if (step->in[0] == step->in[1] || use[step->in[1 - side]].writer == -2 ||
        !open_conv(engine, use, step->in[side]))
        return 0;
    if (side == 1) {
        struct tf_conv_residual swapped = r;
        swapped.conv_zp = r.in_zp;
        swapped.conv_ratio = r.in_ratio;
        swapped.in_zp = r.conv_zp;
        swapped.in_ratio = r.conv_ratio;
        r = swapped;
    }
    conv = use[step->in[side]].writer;
    other = step->in[1 - side];
    tf_conv_join(&engine->steps[conv], &r, true);
    engine->steps[conv].in[1] = other;
    engine->steps[conv].inputs = 2;
    return take_over(engine, use, conv, s, step->op);
}

int tf_fuse(struct tf_engine *engine, struct tf_error *err)
{
    struct tf_mem mem = {0};
    struct use *use = uses_of(engine, &mem);
    int r = use ? 0 : -ENOMEM, kept = 0;

    for (int s = 0; s < engine->step_count && !r; s++) {
        r = fuse_add(engine, use, s);
        if (!r && engine->steps[s].run)
            r = fuse_requantize(engine, use, s);
    }
    for (int s = 0; s < engine->step_count; s++)
        if (engine->steps[s].run)
            engine->steps[kept++] = engine->steps[s];
    engine->step_count = kept;
    tf_mem_free(&mem);
    return r < 0 ? tf_fail(err, r, "out of memory") : 0;
}
