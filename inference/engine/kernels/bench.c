/* Cases of `thermoface bench kernels`: the kernels of list.h on shapes that the networks have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "inference/engine/kernels/bench.h"
#include "inference/engine/kernels/pack.h"

/* a, b, c, d mean what `what` says for the kind. */
struct shape {
    enum tf_kernel_kind kind;
    const char *what;
    int a, b, c, d;
};

static const struct shape shapes[] = {
    /* pixels, input channels, output channels, taps along a side */
    {TF_KERNEL_CONV, "1x1 16->64 56x56", 56 * 56, 16, 64, 1},
    {TF_KERNEL_CONV, "1x1 128->32 14x14", 14 * 14, 128, 32, 1},
    {TF_KERNEL_CONV, "1x1 256->64 7x7", 7 * 7, 256, 64, 1},
    {TF_KERNEL_CONV, "3x3 32->32 24x24", 24 * 24, 32, 32, 3},
    {TF_KERNEL_CONV, "3x3 64->64 12x12", 12 * 12, 64, 64, 3},
    {TF_KERNEL_CONV, "3x3 128->128 6x6", 6 * 6, 128, 128, 3},
    {TF_KERNEL_CONV, "3x3 1->16 56x56", 56 * 56, 1, 16, 3},
    {TF_KERNEL_CONV, "256->136 one pixel", 1, 256, 136, 1},
    /* width, channels, kernel, stride */
    {TF_KERNEL_DW, "3x3 96 28x28", 28, 96, 3, 1},
    {TF_KERNEL_DW, "3x3/2 96 14x14", 14, 96, 3, 2},
    {TF_KERNEL_DW, "5x5 96 14x14", 14, 96, 5, 1},
    /* bytes, taps */
    {TF_KERNEL_ADD, "18816 bytes", 18816, 2, 0, 0},
    {TF_KERNEL_MUL, "18816 bytes", 18816, 2, 0, 0},
    {TF_KERNEL_LUT, "18816 bytes", 18816, 1, 0, 0},
    {TF_KERNEL_MAX, "1536 bytes, 3 taps", 1536, 3, 0, 0},
    {TF_KERNEL_AVG, "80 bytes, 4 taps", 80, 4, 0, 0},
    {TF_KERNEL_GAP, "256 channels, 7x7", 256, 7, 0, 0},
    {TF_KERNEL_QUANTIZE, "12544 floats", 12544, 1, 0, 0},
    {TF_KERNEL_BLEND, "64 bytes", 64, 4, 0, 0},
};
#define SHAPES TF_COUNT(shapes)

/* Everything a call needs, made once per case. */
struct set {
    struct tf_mem mem;
    const struct tf_kernel *kernel;
    const struct shape *shape;
    const uint8_t *taps[16];
    uint8_t *in, *out;
    float *floats;
    struct tf_conv_packed packed;
    struct tf_conv_args conv;
    struct tf_dw_args dw;
    uint8_t table[256];
    double macs, bytes;
};

static const struct tf_requant requant = {.lo = -3, .hi = 252, .zp = 3};

static int set_conv(struct set *s)
{
    const struct shape *p = s->shape;
    int side = 1, k = p->b * p->d * p->d, row;
    struct tf_conv_run runs[9];
    int32_t *in_off, *out_off, *bias = tf_mem_alloc(&s->mem, (size_t)p->c, sizeof(*bias));
    float *scale = tf_mem_alloc(&s->mem, (size_t)p->c, sizeof(*scale));
    int8_t *w = tf_mem_alloc(&s->mem, (size_t)k * (size_t)p->c, 1);
    struct tf_conv_spec spec = {
        .runs = runs, .run_count = p->d * p->d, .w = w, .bias = bias, .scale = scale, .oc = p->c, .in_zp = 0};

    while (side * side < p->a)
        side++;
    row = (side + p->d - 1) * p->b;
    s->in = tf_mem_alloc(&s->mem, (size_t)row * (size_t)(side + p->d) + TF_OVERREAD, 1);
    s->out = tf_mem_alloc(&s->mem, (size_t)p->a * (size_t)p->c + 64, 1);
    in_off = tf_mem_alloc(&s->mem, (size_t)p->a, sizeof(*in_off));
    out_off = tf_mem_alloc(&s->mem, (size_t)p->a, sizeof(*out_off));
    if (!bias || !scale || !w || !s->in || !s->out || !in_off || !out_off)
        return -ENOMEM;
    for (int i = 0; i < k * p->c; i++)
        w[i] = (int8_t)(i * 37 % 101 - 50);
    for (int i = 0; i < p->c; i++)
        scale[i] = 1e-3f;
    for (int y = 0; y < p->d; y++)
        for (int x = 0; x < p->d; x++)
            runs[y * p->d + x] = (struct tf_conv_run){.off = y * row + x * p->b, .len = p->b};
    for (int i = 0; i < p->a; i++) {
        in_off[i] = i / side * row + i % side * p->b;
        out_off[i] = i * p->c;
    }
    s->conv =
        (struct tf_conv_args){.in = s->in, .in_off = in_off, .out = s->out, .out_off = out_off, .q = requant};
    s->macs = (double)p->a * k * p->c;
    if (tf_conv_pack(&s->mem, s->kernel, &spec, &s->packed) < 0)
        return -ENOMEM;
    s->conv.panels = s->packed.panels;
    return 0;
}

static int set_dw(struct set *s)
{
    const struct shape *p = s->shape;
    int in_side = (p->a - 1) * p->d + p->c, pitch = (p->b + 63) / 64 * 64;
    int8_t *w = tf_mem_alloc(&s->mem, (size_t)(pitch * p->c * p->c), 1);
    int32_t *bias = tf_mem_alloc(&s->mem, (size_t)pitch, sizeof(*bias));
    float *scale = tf_mem_alloc(&s->mem, (size_t)pitch, sizeof(*scale));

    s->in = tf_mem_alloc(&s->mem, (size_t)(in_side * in_side * p->b + TF_OVERREAD), 1);
    s->out = tf_mem_alloc(&s->mem, (size_t)(p->a * p->a * p->b + 64), 1);
    if (!w || !bias || !scale || !s->in || !s->out)
        return -ENOMEM;
    for (int i = 0; i < pitch * p->c * p->c; i++)
        w[i] = (int8_t)(i * 37 % 101 - 50);
    for (int i = 0; i < pitch; i++)
        scale[i] = 1e-2f;
    s->dw = (struct tf_dw_args){.in = s->in,
                                .in_row = in_side * p->b,
                                .in_pixel = p->b,
                                .out = s->out,
                                .out_row = p->a * p->b,
                                .out_pixel = p->b,
                                .channels = p->b,
                                .width = p->a,
                                .kh = p->c,
                                .kw = p->c,
                                .stride_h = p->d,
                                .stride_w = p->d,
                                .dilation_h = 1,
                                .dilation_w = 1,
                                .w = w,
                                .w_pitch = pitch,
                                .bias = bias,
                                .scale = scale,
                                .q = requant};
    s->macs = (double)p->a * p->a * p->b * p->c * p->c;
    return 0;
}

static int set_lines(struct set *s)
{
    const struct shape *p = s->shape;
    size_t n = (size_t)p->a * (size_t)(p->kind == TF_KERNEL_GAP ? p->b * p->b : 1);
    size_t taps = p->kind == TF_KERNEL_GAP ? 1 : (size_t)p->b;

    s->in = tf_mem_alloc(&s->mem, n * taps + TF_OVERREAD, 1);
    s->out = tf_mem_alloc(&s->mem, n + 64, 1);
    s->floats = tf_mem_alloc(&s->mem, n, sizeof(float));
    if (!s->in || !s->out || !s->floats)
        return -ENOMEM;
    for (size_t i = 0; i < n * taps; i++)
        s->in[i] = (uint8_t)(i * 37);
    for (size_t i = 0; i < n; i++)
        s->floats[i] = (float)(i % 256) / 255.0f;
    for (size_t i = 0; i < taps; i++)
        s->taps[i] = s->in + i * n;
    for (int i = 0; i < 256; i++)
        s->table[i] = (uint8_t)(255 - i);
    s->bytes = (double)n * (double)taps + (double)p->a;
    if (p->kind == TF_KERNEL_QUANTIZE)
        s->bytes = 5.0 * (double)n;
    return 0;
}

static void call(const struct set *s)
{
    const struct shape *p = s->shape;
    size_t n = (size_t)p->a;

    switch (p->kind) {
    case TF_KERNEL_CONV:
        if (s->packed.bytes > 24 * 1024 || s->kernel->tiles) {
            s->kernel->conv(&s->conv, 0, s->packed.panel_count, 0, p->a);
            break;
        }
        for (int m = 0; m < p->a; m += 48)
            s->kernel->conv(&s->conv, 0, s->packed.panel_count, m, m + 48 < p->a ? m + 48 : p->a);
        break;
    case TF_KERNEL_DW:
        s->kernel->dw(&s->dw, 0, p->a);
        break;
    case TF_KERNEL_ADD:
        s->kernel->add(&(struct tf_add_args){3, 5, 0.7f, 0.4f, requant}, s->taps[0], s->taps[1], s->out, n);
        break;
    case TF_KERNEL_MUL:
        s->kernel->mul(&(struct tf_mul_args){3, 5, 0.01f, requant}, s->taps[0], s->taps[1], s->out, n);
        break;
    case TF_KERNEL_LUT:
        s->kernel->lut(s->table, s->taps[0], s->out, n);
        break;
    case TF_KERNEL_MAX:
        s->kernel->max(s->taps, p->b, s->out, n);
        break;
    case TF_KERNEL_AVG:
        s->kernel->avg(&(struct tf_avg_args){3, 0.02f, 4.0f, 0.02f, requant}, s->taps, p->b, s->out, n);
        break;
    case TF_KERNEL_GAP:
        s->kernel->gap(&(struct tf_gap_args){p->a * p->b, p->a, p->b, p->b, 3, 0.02f, requant}, s->in, s->out,
                       0, p->a);
        break;
    case TF_KERNEL_QUANTIZE:
        s->kernel->quantize(&(struct tf_quantize_args){1.0f / 255.0f, requant}, s->floats, s->out, n);
        break;
    case TF_KERNEL_BLEND:
        s->kernel->blend(&(struct tf_blend_args){s->taps[0], s->taps[1], s->taps[2], s->taps[3], 700, 33},
                         s->out, n);
        break;
    case TF_KERNEL_KINDS:
        break;
    }
}

/* The i-th pair of a kernel and one of its shapes. */
static const struct tf_kernel *pair(size_t i, const struct shape **ret)
{
    const struct tf_kernel *all;
    size_t n = tf_kernels(&all);

    for (size_t k = 0; k < n; k++)
        for (size_t s = 0; s < SHAPES; s++)
            if (shapes[s].kind == all[k].kind && i-- == 0) {
                *ret = &shapes[s];
                return &all[k];
            }
    return NULL;
}

size_t tf_kernel_bench_count(void)
{
    const struct shape *shape;
    size_t n = 0;

    while (pair(n, &shape))
        n++;
    return n;
}

int tf_kernel_bench_run(size_t i, uint64_t ns, struct tf_kernel_bench *ret)
{
    struct set s = {0};
    uint64_t start, before, after, best = UINT64_MAX;
    int r, calls = 1;

    s.kernel = pair(i, &s.shape);
    if (!s.kernel)
        return -EINVAL;
    *ret = (struct tf_kernel_bench){
        .kernel = s.kernel->name, .level = tf_cpu_name(s.kernel->level), .shape = s.shape->what};
    if (!tf_cpu_has(s.kernel->level))
        return -ENOTSUP;
    r = s.shape->kind == TF_KERNEL_CONV ? set_conv(&s)
        : s.shape->kind == TF_KERNEL_DW ? set_dw(&s)
                                        : set_lines(&s);
    if (r < 0) {
        tf_mem_free(&s.mem);
        return r;
    }
    start = tf_now_ns();
    do {
        before = tf_now_ns();
        for (int k = 0; k < calls; k++)
            call(&s);
        after = tf_now_ns();
        if ((after - before) / (uint64_t)calls < best)
            best = (after - before) / (uint64_t)calls;
        /* Calls shorter than the clock's grain are timed in bundles. */
        if (after - before < 5000 && calls < 4096)
            calls *= 2;
    } while (after - start < ns);
    tf_mem_free(&s.mem);
    ret->ns = (double)(best ? best : 1);
    ret->gmacs_per_s = s.macs / ret->ns;
    ret->gbytes_per_s = s.macs > 0 ? 0 : s.bytes / ret->ns;
    return 0;
}
