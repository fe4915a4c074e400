/*
 * Single convolutions of `thermoface bench kernels` beside oneDNN's int8 convolution: u8 x s8 -> u8 with
 * per-channel scales and ReLU, one thread, in turn A B A B.
 *
 * usage: onednn [ROUNDS]       (build and run through bench/peers/run)
 */
#include <dnnl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "inference/engine/kernels/bench.h"

#define ROUNDS_MAX 50
#define BUDGET_NS 20000000ull
#define CHECK(call)                                                                                          \
    do {                                                                                                     \
        dnnl_status_t status = (call);                                                                       \
        if (status != dnnl_success) {                                                                        \
            fprintf(stderr, "onednn: %s: status %d\n", #call, (int)status);                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

struct shape {
    dnnl_dim_t k, stride, ic, oc, groups, side; /* side: of the output */
};

/* The shapes' own notation: "3x3/2 96 14x14" (depthwise) and "1x1 16->64 56x56". */
static bool parse(const char *text, struct shape *s)
{
    long k, stride = 1, ic, oc, side;
    char rest[64];

    if (sscanf(text, "%ldx%*d/%ld %63[^\n]", &k, &stride, rest) != 3) {
        stride = 1;
        if (sscanf(text, "%ldx%*d %63[^\n]", &k, rest) != 2)
            return false;
    }
    if (sscanf(rest, "%ld->%ld %ldx", &ic, &oc, &side) == 3) {
        *s = (struct shape){k, stride, ic, oc, 1, side};
        return true;
    }
    if (sscanf(rest, "%ld %ldx", &ic, &side) == 2) {
        *s = (struct shape){k, stride, ic, ic, ic, side};
        return true;
    }
    return false;
}

struct peer {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t conv;
    dnnl_exec_arg_t args[4];
};

static dnnl_memory_t memory_of(struct peer *p, const_dnnl_primitive_desc_t pd, dnnl_query_t query)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(pd, query, 0);
    dnnl_memory_t memory;
    uint8_t *data;

    CHECK(dnnl_memory_create(&memory, desc, p->engine, DNNL_MEMORY_ALLOCATE));
    CHECK(dnnl_memory_get_data_handle(memory, (void **)&data));
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc); i++)
        data[i] = query == dnnl_query_src_md ? (uint8_t)(i * 37 % 251) : (uint8_t)(i % 7);
    return memory;
}

static void peer_open(struct peer *p, const struct shape *s)
{
    const dnnl_dim_t pad = s->k / 2, in = (s->side - 1) * s->stride + s->k - 2 * pad;
    dnnl_dims_t src = {1, s->ic, in, in}, dst = {1, s->oc, s->side, s->side}, bias = {s->oc},
                strides = {s->stride, s->stride}, pads = {pad, pad};
    dnnl_dims_t plain = {s->oc, s->ic, s->k, s->k}, grouped = {s->groups, 1, 1, s->k, s->k};
    dnnl_memory_desc_t src_md, dst_md, w_md, bias_md;
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    int32_t *bias_data;
    float *scales = malloc((size_t)s->oc * sizeof(*scales));

    for (dnnl_dim_t i = 0; i < s->oc; i++)
        scales[i] = 0.001f + 0.00001f * (float)i;
    CHECK(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    CHECK(dnnl_memory_desc_init_by_tag(&src_md, 4, src, dnnl_u8, dnnl_nhwc));
    CHECK(dnnl_memory_desc_init_by_tag(&dst_md, 4, dst, dnnl_u8, dnnl_nhwc));
    CHECK(dnnl_memory_desc_init_by_tag(&bias_md, 1, bias, dnnl_s32, dnnl_x));
    if (s->groups > 1)
        CHECK(dnnl_memory_desc_init_by_tag(&w_md, 5, grouped, dnnl_s8, dnnl_format_tag_any));
    else
        CHECK(dnnl_memory_desc_init_by_tag(&w_md, 4, plain, dnnl_s8, dnnl_format_tag_any));
    CHECK(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &src_md,
                                             &w_md, &bias_md, &dst_md, strides, pads, pads));
    CHECK(dnnl_primitive_attr_create(&attr));
    CHECK(dnnl_primitive_attr_set_output_scales(attr, s->oc, 2, scales));
    CHECK(dnnl_post_ops_create(&ops));
    CHECK(dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f));
    CHECK(dnnl_primitive_attr_set_post_ops(attr, ops));
    CHECK(dnnl_primitive_desc_create(&pd, &desc, attr, p->engine, NULL));
    CHECK(dnnl_primitive_create(&p->conv, pd));
    p->args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory_of(p, pd, dnnl_query_src_md)};
    p->args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, memory_of(p, pd, dnnl_query_weights_md)};
    p->args[2].arg = DNNL_ARG_BIAS;
    CHECK(dnnl_memory_create(&p->args[2].memory, &bias_md, p->engine, DNNL_MEMORY_ALLOCATE));
    CHECK(dnnl_memory_get_data_handle(p->args[2].memory, (void **)&bias_data));
    memset(bias_data, 0, (size_t)s->oc * sizeof(*bias_data));
    p->args[3] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory_of(p, pd, dnnl_query_dst_md)};
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    dnnl_primitive_desc_destroy(pd);
    free(scales);
}

/* The fastest call in about BUDGET_NS, as the kernels' own benchmark counts. */
static double peer_ns(struct peer *p)
{
    uint64_t end = tf_now_ns() + BUDGET_NS, best = UINT64_MAX;

    do {
        uint64_t start = tf_now_ns(), ns;
        CHECK(dnnl_primitive_execute(p->conv, p->stream, 4, p->args));
        CHECK(dnnl_stream_wait(p->stream));
        ns = tf_now_ns() - start;
        best = ns < best ? ns : best;
    } while (tf_now_ns() < end);
    return (double)best;
}

static void peer_close(struct peer *p)
{
    for (int i = 0; i < 4; i++)
        dnnl_memory_destroy(p->args[i].memory);
    dnnl_primitive_destroy(p->conv);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    enum tf_cpu_level level;
    struct tf_error err = {0};

    if (rounds < 1 || rounds > ROUNDS_MAX || tf_cpu_select(NULL, &level, &err)) {
        fprintf(stderr, "usage: onednn [ROUNDS, 1 to %d]   %s\n", ROUNDS_MAX, err.text);
        return 2;
    }
    printf("one thread, %d rounds in turn, fastest call of each round, median of the rounds; ratio > 1: the "
           "engine is faster\n",
           rounds);
    printf("%-22s %-18s %9s %9s %9s %7s\n", "kernel", "convolution", "ours us", "oneDNN us", "GMAC/s",
           "ratio");
    for (size_t i = 0; i < tf_kernel_bench_count(); i++) {
        struct tf_kernel_bench ours = {0};
        double a[ROUNDS_MAX], b[ROUNDS_MAX], ratio[ROUNDS_MAX], speed = 0;
        struct peer peer;
        struct shape shape;

        if (tf_kernel_bench_run(i, 1, &ours) || strcmp(ours.level, tf_cpu_name(level)) != 0 ||
            (strncmp(ours.kernel, "conv", 4) != 0 && strncmp(ours.kernel, "dw", 2) != 0) ||
            !parse(ours.shape, &shape))
            continue;
        peer_open(&peer, &shape);
        for (int r = 0; r < rounds; r++) {
            tf_kernel_bench_run(i, BUDGET_NS, &ours);
            a[r] = ours.ns;
            speed = ours.gmacs_per_s > speed ? ours.gmacs_per_s : speed;
            b[r] = peer_ns(&peer);
            ratio[r] = b[r] / a[r];
        }
        peer_close(&peer);
        qsort(a, (size_t)rounds, sizeof(*a), compare);
        qsort(b, (size_t)rounds, sizeof(*b), compare);
        qsort(ratio, (size_t)rounds, sizeof(*ratio), compare);
        printf("%-22s %-18s %9.2f %9.2f %9.1f %7.2f\n", ours.kernel, ours.shape, a[rounds / 2] / 1e3,
               b[rounds / 2] / 1e3, speed, ratio[rounds / 2]);
    }
    return 0;
}
