/*
 * Every kernel of the list against the portable C one of its kind, over sizes below, at and above the tiles,
 * with strides, paddings, zero points, saturation and unaligned places. The bytes between and around the
 * outputs are guarded. A kernel that is added to list.h is tested by that alone; one whose level this machine
 * lacks is counted as not run.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/kernels/kernels.h"
#include "inference/engine/kernels/pack.h"
#include "tests/inference/support.h"

static struct test_random rnd;
static const struct tf_kernel *kernel, *reference;

static int pick(const int *list, size_t n)
{
    return list[test_below(&rnd, (uint32_t)n)];
}
#define PICK(...) pick((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* Exactly n bytes, so that a sanitizer sees what goes beyond. Some fill patterns sit at the limits. */
static uint8_t *bytes(size_t n)
{
    uint8_t *b = malloc(n ? n : 1);
    uint32_t kind = test_below(&rnd, 6);

    assert_non_null(b);
    for (size_t i = 0; i < n; i++)
        b[i] = kind == 0   ? 255
               : kind == 1 ? (uint8_t)(test_next(&rnd) & 1 ? 255 : 0)
                           : (uint8_t)test_next(&rnd);
    return b;
}

static int8_t *weights(size_t n)
{
    int8_t *w = malloc(n ? n : 1);
    uint32_t kind = test_below(&rnd, 5);

    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        w[i] = kind == 0   ? 127
               : kind == 1 ? (int8_t)(test_next(&rnd) & 1 ? 127 : -127)
               : kind == 2 ? (int8_t)-127
                           : (int8_t)((int)test_below(&rnd, 255) - 127);
    return w;
}

static struct tf_requant requant(void)
{
    struct tf_requant q;
    int lo, hi;

    q.zp = PICK(0, 0, 255, 128, 3, 117);
    lo = test_below(&rnd, 3) ? 0 : (int)test_below(&rnd, 256);
    hi = test_below(&rnd, 3) ? 255 : (int)test_below(&rnd, 256);
    q.lo = (float)((lo < hi ? lo : hi) - q.zp);
    q.hi = (float)((lo < hi ? hi : lo) - q.zp);
    return q;
}

static float ratio(void)
{
    return ldexpf(1.0f + (float)test_below(&rnd, 1 << 20) / (1 << 20), (int)test_below(&rnd, 5) - 4);
}

/* Two outputs that start as the same noise, and must end as the same bytes. */
struct outputs {
    uint8_t *a, *b;
    size_t n;
};

static struct outputs outputs(size_t n)
{
    struct outputs o = {.a = malloc(n + 64), .b = malloc(n + 64), .n = n + 64};

    assert_true(o.a && o.b);
    for (size_t i = 0; i < o.n; i++)
        o.a[i] = o.b[i] = (uint8_t)test_next(&rnd);
    return o;
}

static void compare(struct outputs *o, const char *what)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->a[i] != o->b[i])
            fail_msg("%s: byte %zu of %zu is %d, %s has %d (%s)", kernel->name, i, o->n, o->b[i],
                     reference->name, o->a[i], what);
    free(o->a);
    free(o->b);
}

static void conv_case(int n)
{
    struct tf_mem mem = {0};
    int oc = PICK(1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 48, 49, 63, 64, 65, 80, 96, 100, 136),
        m = n % 3 ? 1 + (int)test_below(&rnd, 33) : PICK(1, 2, 6, 9, 12, 36, 49, 50),
        taps = PICK(1, 1, 2, 3, 9), len = PICK(1, 2, 3, 4, 5, 8, 13, 16, 24, 32, 64),
        pixel = len + PICK(0, 0, 1, 7), row = PICK(1, 5, 7, 14, 1000), gap = PICK(0, 2 * pixel, 3),
        out_pixel = oc + PICK(0, 0, 1, 16), total = 0, used = 0;
    struct tf_conv_run *runs = calloc((size_t)taps, sizeof(*runs));
    int32_t *in_off = calloc((size_t)m, sizeof(*in_off)), *out_off = calloc((size_t)m, sizeof(*out_off)),
            *bias = calloc((size_t)oc, sizeof(*bias));
    float *scale = calloc((size_t)oc, sizeof(*scale));
    struct tf_conv_packed packed[2];
    struct tf_conv_residual residual;
    struct tf_conv_args args[2];
    struct tf_conv_spec spec;
    struct outputs o;
    uint8_t *in, *more = NULL;
    int8_t *w;
    char what[128];
    int split_m, split_p;

    for (int t = 0; t < taps; t++) {
        /* Now and then two taps touch, as those of a first layer do. */
        runs[t].off = t && test_below(&rnd, 2) ? runs[t - 1].off + runs[t - 1].len : t * (pixel + 3);
        runs[t].len = len;
        total += len;
        used = runs[t].off + len > used ? runs[t].off + len : used;
    }
    for (int i = 0; i < m; i++) {
        in_off[i] = i * pixel + i / row * gap;
        out_off[i] = (m - 1 - i) * out_pixel; /* pixels need not lie in order */
    }
    in = bytes((size_t)(in_off[m - 1] + used + TF_OVERREAD));
    w = weights((size_t)oc * (size_t)total);
    for (int c = 0; c < oc; c++) {
        bias[c] = test_below(&rnd, 50) ? (int32_t)test_below(&rnd, 20000) - 10000 : (int32_t)test_next(&rnd);
        scale[c] =
            ldexpf(1.0f + (float)test_below(&rnd, 1 << 22) / (1 << 22), -PICK(-2, 0, 2, 6, 9, 12, 14, 16));
    }
    spec = (struct tf_conv_spec){.runs = runs,
                                 .run_count = taps,
                                 .w = w,
                                 .bias = bias,
                                 .scale = scale,
                                 .oc = oc,
                                 .in_zp = PICK(0, 0, 128, 255, 7)};
    assert_int_equal(tf_conv_pack(&mem, reference, &spec, &packed[0]), 0);
    assert_int_equal(tf_conv_pack(&mem, kernel, &spec, &packed[1]), 0);
    o = outputs((size_t)(m * out_pixel));
    args[0] = (struct tf_conv_args){.in = in,
                                    .in_off = in_off,
                                    .out = o.a + 32,
                                    .out_off = out_off,
                                    .panels = packed[0].panels,
                                    .q = requant()};
    if (test_below(&rnd, 3) == 0) {
        more = bytes((size_t)(m * out_pixel + 32));
        residual = (struct tf_conv_residual){.in = more,
                                             .off = out_off,
                                             .conv_zp = args[0].q.zp,
                                             .in_zp = PICK(0, 128, 255, 9),
                                             .conv_ratio = ratio(),
                                             .in_ratio = ratio(),
                                             .q = requant()};
        args[0].residual = &residual;
    }
    args[1] = args[0];
    args[1].panels = packed[1].panels;
    args[1].out = o.b + 32;
    reference->conv(&args[0], 0, packed[0].panel_count, 0, m);
    /* In pieces, as threads and cache blocks run it. */
    split_m = (int)test_below(&rnd, (uint32_t)m + 1);
    split_p = (int)test_below(&rnd, (uint32_t)packed[1].panel_count + 1);
    kernel->conv(&args[1], 0, split_p, 0, m);
    kernel->conv(&args[1], split_p, packed[1].panel_count, 0, split_m);
    kernel->conv(&args[1], split_p, packed[1].panel_count, split_m, m);
    snprintf(what, sizeof(what), "%d channels, %d pixels, %d taps of %d, zp %d, residual %d", oc, m, taps,
             len, args[0].q.zp, more != NULL);
    compare(&o, what);
    free(in);
    free(w);
    free(more);
    free(runs);
    free(in_off);
    free(out_off);
    free(bias);
    free(scale);
    tf_mem_free(&mem);
}

static void dw_case(int n)
{
    int channels = PICK(1, 2, 3, 8, 13, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 72, 96, 128, 130),
        k = n % 4,
        kh = k == 0   ? 5
             : k == 1 ? PICK(1, 2, 7)
                      : 3,
        kw = k == 0   ? 5
             : k == 1 ? PICK(1, 4, 5)
                      : 3,
        sh = PICK(1, 1, 2, 3), sw = n % 5 ? sh : PICK(1, 2), dh = n % 7 ? 1 : 2,
        dw = n % 7 ? 1 : PICK(1, 2, 3), width = PICK(1, 2, 3, 4, 5, 7, 8, 9, 14, 17),
        height = 1 + (int)test_below(&rnd, 6), in_w = (width - 1) * sw + (kw - 1) * dw + 1,
        in_h = (height - 1) * sh + (kh - 1) * dh + 1, pixel = channels + PICK(0, 0, 5, 64),
        out_pixel = channels + PICK(0, 0, 3), pitch = (channels + 63) / 64 * 64, taps = kh * kw,
        split = (int)test_below(&rnd, (uint32_t)height + 1);
    uint8_t *in = bytes((size_t)((in_h * in_w - 1) * pixel + channels + TF_OVERREAD));
    int8_t *dense = weights((size_t)(taps * channels)), *w = calloc((size_t)(taps * pitch), 1);
    int32_t *bias = calloc((size_t)pitch, sizeof(*bias));
    float *scale = calloc((size_t)pitch, sizeof(*scale));
    struct outputs o = outputs((size_t)(width * height * out_pixel));
    struct tf_dw_args args;
    char what[160];

    for (int c = 0; c < channels; c++) {
        for (int t = 0; t < taps; t++)
            w[t * pitch + c] = dense[t * channels + c];
        bias[c] = (int32_t)test_below(&rnd, 40000) - 20000;
        scale[c] = ldexpf(1.0f + (float)test_below(&rnd, 1 << 22) / (1 << 22), -PICK(-1, 4, 8, 10, 12));
    }
    args = (struct tf_dw_args){.in = in,
                               .in_row = in_w * pixel,
                               .in_pixel = pixel,
                               .out = o.a + 32,
                               .out_row = width * out_pixel,
                               .out_pixel = out_pixel,
                               .channels = channels,
                               .width = width,
                               .kh = kh,
                               .kw = kw,
                               .stride_h = sh,
                               .stride_w = sw,
                               .dilation_h = dh,
                               .dilation_w = dw,
                               .w = w,
                               .w_pitch = pitch,
                               .bias = bias,
                               .scale = scale,
                               .q = requant()};
    reference->dw(&args, 0, height);
    args.out = o.b + 32;
    kernel->dw(&args, 0, split);
    kernel->dw(&args, split, height);
    snprintf(what, sizeof(what), "%d channels, %dx%d, kernel %dx%d, stride %d,%d, dilation %d,%d", channels,
             width, height, kw, kh, sw, sh, dw, dh);
    compare(&o, what);
    free(in);
    free(dense);
    free(w);
    free(bias);
    free(scale);
}

/* Kinds that take n bytes from one or more places to another. */
static void line_case(int n)
{
    static const int sizes[] = {0,  1,  2,  3,  7,  8,  9,  15,  16,  17,  24,  31,  32, 33,
                                47, 48, 49, 63, 64, 65, 96, 127, 128, 129, 200, 256, 300};
    size_t size = (size_t)sizes[(size_t)n % TF_COUNT(sizes)];
    int count = PICK(1, 2, 3, 4, 9, 16);
    size_t shift = test_below(&rnd, 33);
    uint8_t *in[16];
    const uint8_t *taps[16];
    struct outputs o = outputs(size + shift);
    /* The caller's floats end where they end: no read beyond them. */
    float *numbers = malloc(size ? size * sizeof(*numbers) : 1);
    char what[64];

    assert_non_null(numbers);

    for (int i = 0; i < 16; i++) {
        in[i] = bytes(size + shift + 1 + TF_OVERREAD);
        taps[i] = in[i] + 1 + shift;
    }
    for (int side = 0; side < 2; side++) {
        const struct tf_kernel *k = side ? kernel : reference;
        uint8_t *out = (side ? o.b : o.a) + 32 + shift - shift / 2;
        static struct tf_add_args add;
        static struct tf_mul_args mul;
        static struct tf_avg_args avg;
        static struct tf_quantize_args quantize;
        static struct tf_blend_args blend;
        static uint8_t table[256];

        if (!side) {
            add = (struct tf_add_args){.a_zp = PICK(0, 128, 255, 31),
                                       .b_zp = PICK(0, 128, 255, 31),
                                       .a_ratio = ratio(),
                                       .b_ratio = test_below(&rnd, 4) ? ratio() : -ratio(),
                                       .q = requant()};
            mul = (struct tf_mul_args){.a_zp = add.a_zp,
                                       .b_zp = add.b_zp,
                                       .ratio = ratio() / (float)PICK(1, 16, 128, 256),
                                       .q = requant()};
            avg = (struct tf_avg_args){.in_zp = add.a_zp,
                                       .in_scale = ratio() / 100,
                                       .divisor = (float)PICK(1, count, 9),
                                       .out_scale = ratio() / 100,
                                       .q = requant()};
            quantize = (struct tf_quantize_args){.scale = ratio() / 255, .q = requant()};
            blend = (struct tf_blend_args){
                taps[0], taps[1], taps[2], taps[3], PICK(0, 2048, 1024, 700), PICK(0, 2048, 1024, 33)};
            for (int i = 0; i < 256; i++)
                table[i] = (uint8_t)test_next(&rnd);
            for (size_t i = 0; i < size; i++) {
                /* Halves (ties), huge ones, infinities and NaN beside plain numbers. */
                static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0.0f, -0.0f};
                uint32_t kind = test_below(&rnd, 8);
                numbers[i] = kind == 0   ? odd[test_below(&rnd, 7)]
                             : kind == 1 ? ((float)test_below(&rnd, 512) / 2 - 40) * quantize.scale
                                         : ((float)test_below(&rnd, 1 << 20) / (1 << 19) - 0.5f) * 255 *
                                               quantize.scale;
            }
        }
        switch (k->kind) {
        case TF_KERNEL_ADD:
            k->add(&add, taps[0], taps[1], out, size);
            break;
        case TF_KERNEL_MUL:
            k->mul(&mul, taps[0], taps[1], out, size);
            break;
        case TF_KERNEL_LUT:
            k->lut(table, taps[0], out, size);
            break;
        case TF_KERNEL_MAX:
            k->max(taps, count, out, size);
            break;
        case TF_KERNEL_AVG:
            k->avg(&avg, taps, count, out, size);
            break;
        case TF_KERNEL_QUANTIZE:
            k->quantize(&quantize, numbers, out, size);
            break;
        default:
            k->blend(&blend, out, size);
        }
    }
    snprintf(what, sizeof(what), "%zu bytes, %d taps", size, count);
    compare(&o, what);
    free(numbers);
    for (int i = 0; i < 16; i++)
        free(in[i]);
}

static void gap_case(int n)
{
    int channels = PICK(1, 5, 16, 31, 32, 33, 64, 65, 80, 200, 256), h = PICK(1, 2, 3, 7, 40),
        w = PICK(1, 2, 3, 7, 41), pixel = channels + PICK(0, 9),
        c0 = test_below(&rnd, 2) ? 0 : (int)test_below(&rnd, (uint32_t)channels);
    uint8_t *in = bytes((size_t)(h * w * pixel + TF_OVERREAD));
    struct tf_gap_args args = {.row = w * pixel,
                               .pixel = pixel,
                               .height = h,
                               .width = w,
                               .in_zp = PICK(0, 128, 255),
                               .scale = ratio() / (float)(h * w),
                               .q = requant()};
    struct outputs o = outputs((size_t)channels);

    reference->gap(&args, in, o.a + 32, c0, channels);
    kernel->gap(&args, in, o.b + 32, c0, channels);
    compare(&o, "global average");
    free(in);
}

static void test_kind(void **state)
{
    enum tf_kernel_kind kind = (enum tf_kernel_kind)(uintptr_t)*state;
    const struct tf_kernel *all;
    size_t n = tf_kernels(&all), run = 0;
    void (*one)(int) = kind == TF_KERNEL_CONV  ? conv_case
                       : kind == TF_KERNEL_DW  ? dw_case
                       : kind == TF_KERNEL_GAP ? gap_case
                                               : line_case;
    int cases = kind == TF_KERNEL_CONV || kind == TF_KERNEL_DW ? 1500 : 800;

    if (getenv("TF_KERNEL_CASES")) /* an emulator needs its time */
        cases = atoi(getenv("TF_KERNEL_CASES"));
    assert_true(cases > 0);
    reference = tf_kernel_select(kind, TF_CPU_GENERIC);
    assert_non_null(reference);
    assert_int_equal(reference->level, TF_CPU_GENERIC);
    for (size_t i = 0; i < n; i++) {
        kernel = &all[i];
        if (kernel->kind != kind || kernel == reference)
            continue;
        if (!tf_cpu_has(kernel->level)) {
            print_message("%s: this machine has not got its level, not run\n", kernel->name);
            continue;
        }
        rnd = (struct test_random){.state = 0x9E3779B97F4A7C15u + kind};
        for (int c = 0; c < cases; c++)
            one(c);
        run++;
    }
    if (!run)
        skip();
}

/* The list names each kernel once, every kind has its reference, and selection stays within a level's rungs.
 */
static void test_list(void **state)
{
    const struct tf_kernel *all;
    size_t n = tf_kernels(&all);

    for (size_t i = 0; i < n; i++) {
        assert_non_null(all[i].name);
        assert_non_null(all[i].conv);
        if (all[i].kind == TF_KERNEL_CONV) {
            assert_true(all[i].unit > 0 && all[i].panel % all[i].unit == 0 && all[i].panel <= 64);
        }
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(all[i].name, all[k].name);
    }
    for (int kind = 0; kind < TF_KERNEL_KINDS; kind++) {
        assert_int_equal(tf_kernel_select((enum tf_kernel_kind)kind, TF_CPU_GENERIC)->level, TF_CPU_GENERIC);
        assert_int_not_equal(tf_kernel_select((enum tf_kernel_kind)kind, TF_CPU_AVX512VNNI)->level,
                             TF_CPU_AVXVNNI);
        assert_non_null(tf_kernel_kind_name((enum tf_kernel_kind)kind));
    }
}

/* With `pairs`, entries of which no two neighbouring weights can saturate have 8 bits, the others 16, and all
 * together are the weights. */
static void test_pairs(void **state)
{
    const struct tf_kernel pairs = {.kind = TF_KERNEL_CONV, .unit = 8, .panel = 16, .pairs = true};

    rnd = (struct test_random){.state = 12345};
    for (int n = 0; n < 200; n++) {
        struct tf_mem mem = {0};
        int oc = 1 + (int)test_below(&rnd, 20), len = 1 + (int)test_below(&rnd, 30);
        struct tf_conv_run run = {.off = 5, .len = len};
        int8_t *w = weights((size_t)(oc * len));
        int32_t *bias = calloc((size_t)oc, 4);
        float *scale = calloc((size_t)oc, 4);
        struct tf_conv_spec spec = {
            .runs = &run, .run_count = 1, .w = w, .bias = bias, .scale = scale, .oc = oc};
        struct tf_conv_packed packed;

        assert_int_equal(tf_conv_pack(&mem, &pairs, &spec, &packed), 0);
        for (int p = 0; p < packed.panel_count; p++) {
            const struct tf_conv_panel *panel = &packed.panels[p];
            int width = (panel->n + 7) / 8 * 8;
            int *sum = calloc((size_t)(width * (len + 4)), sizeof(int));

            assert_int_equal(panel->entries + panel->wide, (len + 3) / 4);
            for (int e = 0; e < panel->entries + panel->wide; e++) {
                bool safe = true;

                for (int j = 0; j < width; j++) {
                    /* Of every 8 channels in the order 0 1 4 5 2 3 6 7, see tf_conv_pack. */
                    static const int place[8] = {0, 1, 4, 5, 2, 3, 6, 7};
                    const int at = (e - panel->entries) * width + j / 8 * 8 + place[j % 8];
                    int v[4];

                    for (int i = 0; i < 4; i++) {
                        v[i] =
                            e < panel->entries ? panel->w[(e * width + j) * 4 + i] : panel->w16[at * 4 + i];
                        sum[j * (len + 4) + panel->koff[e] - 5 + i] += v[i];
                    }
                    for (int i = 0; i < 4; i += 2)
                        safe = safe && (v[i] > 0 ? v[i] : 0) + (v[i + 1] > 0 ? v[i + 1] : 0) <= 128 &&
                               (v[i] < 0 ? v[i] : 0) + (v[i + 1] < 0 ? v[i + 1] : 0) >= -128;
                }
                assert_int_equal(safe, e < panel->entries);
            }
            for (int j = 0; j < panel->n; j++)
                for (int k = 0; k < len; k++)
                    assert_int_equal(sum[j * (len + 4) + k], w[(panel->oc + j) * len + k]);
            free(sum);
        }
        free(w);
        free(bias);
        free(scale);
        tf_mem_free(&mem);
    }
}

int main(void)
{
    struct CMUnitTest tests[TF_KERNEL_KINDS + 2];
    char names[TF_KERNEL_KINDS][32];

    for (int i = 0; i < TF_KERNEL_KINDS; i++) {
        snprintf(names[i], sizeof(names[i]), "test_%s", tf_kernel_kind_name((enum tf_kernel_kind)i));
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = test_kind, .initial_state = (void *)(uintptr_t)i};
    }
    tests[TF_KERNEL_KINDS] = (struct CMUnitTest)cmocka_unit_test(test_list);
    tests[TF_KERNEL_KINDS + 1] = (struct CMUnitTest)cmocka_unit_test(test_pairs);
    return cmocka_run_group_tests_name("inference kernels", tests, NULL, NULL);
}
