/*
 * Kernels: the inner loops, one function type per kind, several implementations (levels) of each.
 *
 * list.h is the one place a kernel is named; the dispatch table, the parity tests and the benchmark all come
 * from it. Every implementation of a kind computes the same bits as the portable C one. All activations are
 * u8; a tensor lies channels-last with a free row and pixel pitch. A kernel may read up to TF_OVERREAD bytes
 * past its last input pixel, and writes nothing but its output pixels.
 */
#ifndef TF_INFERENCE_KERNELS_H
#define TF_INFERENCE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define TF_OVERREAD 128
/* Entries of a chunk, see TF_PACKED_TILES. */
#define TF_CHUNK 16

/*
 * Requantisation: rint(clamp(float(acc) * scale, lo, hi)) + zp, ties to even. lo and hi are whole numbers
 * with the zero point already taken off, which carries saturation, Relu and Clip at once; clamping before
 * rounding gives the same result as after, and keeps the sum within the range where adding 1.5 * 2^23 rounds
 * exactly as rint does.
 */
struct tf_requant {
    float lo, hi;
    int32_t zp;
};

static inline uint8_t tf_round_u8(float v, const struct tf_requant *q)
{
    union {
        float f;
        int32_t i;
    } u;

    v = v < q->lo ? q->lo : v;
    v = v > q->hi ? q->hi : v;
    u.f = v + 12582912.0f;
    return (uint8_t)(u.i - 0x4B400000 + q->zp);
}

/*
 * A convolution as a matrix product over a list of entries. An entry is four consecutive input bytes at a
 * fixed offset from the window's origin, times four weights of every output channel of the panel. Kernel
 * taps, channel groups and the zero padding of weights all disappear into that list. For a kernel with
 * `pairs` the entries with a pair of weights that is not safe come last, with weights of 16 bits.
 */
struct tf_conv_panel {
    const int32_t *koff; /* [entries + wide] byte offset from the pixel's origin */
    const int8_t *w;     /* [entries][width][4], width = n rounded up to the kernel's unit */
    const int16_t *w16;  /* [wide][width][4], of every 8 channels in the order 0 1 4 5 2 3 6 7 */
    const int32_t *bias; /* [width], with the input's zero point folded in */
    const float *scale;  /* [width] sx * sw / sy */
    int32_t entries, wide;
    int32_t n;    /* live output channels */
    int32_t oc;   /* the first one's place in the output pixel */
    bool bounded; /* every scale is below 1: float(acc) * scale fits 32 bits */
};

/* The residual Add that follows a convolution, done in its registers; see tf_add_args for the arithmetic. */
struct tf_conv_residual {
    const uint8_t *in;
    const int32_t *off; /* [m] */
    int32_t conv_zp, in_zp;
    float conv_ratio, in_ratio;
    struct tf_requant q;
};

struct tf_conv_args {
    const uint8_t *in;
    const int32_t *in_off; /* [m] offset of every output pixel's window */
    uint8_t *out;
    const int32_t *out_off; /* [m] */
    const struct tf_conv_panel *panels;
    struct tf_requant q;
    const struct tf_conv_residual *residual; /* NULL: none */
    float *out_f32; /* not NULL: float(acc) * scale goes here, out_off counts floats, q is not used (generic
                       only) */
};
/* Panels [panel0, panel1) of output pixels [m0, m1). */
typedef void (*tf_conv_fn)(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1);

/* Depthwise convolution, any kernel, stride and dilation. */
struct tf_dw_args {
    const uint8_t *in; /* window origin of output pixel (0, 0) */
    ptrdiff_t in_row, in_pixel;
    uint8_t *out;
    ptrdiff_t out_row, out_pixel;
    int32_t channels, width; /* output */
    int32_t kh, kw, stride_h, stride_w, dilation_h, dilation_w;
    const int8_t *w;     /* [kh*kw][padded channels] */
    int32_t w_pitch;     /* padded channels, a multiple of 64 */
    const int32_t *bias; /* [padded], zero point folded in */
    const float *scale;  /* [padded] */
    struct tf_requant q;
};
/* Output rows [y0, y1). */
typedef void (*tf_dw_fn)(const struct tf_dw_args *args, int y0, int y1);

/* out = rint(clamp((a - za) * ra + (b - zb) * rb)) + zp over n bytes; ra = sa / sy, rb = sb / sy. */
struct tf_add_args {
    int32_t a_zp, b_zp;
    float a_ratio, b_ratio;
    struct tf_requant q;
};
typedef void (*tf_add_fn)(const struct tf_add_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                          size_t n);

/* out = rint(clamp((a - za) * (b - zb) * ratio)) + zp; ratio = sa * sb / sy. */
struct tf_mul_args {
    int32_t a_zp, b_zp;
    float ratio;
    struct tf_requant q;
};
typedef void (*tf_mul_fn)(const struct tf_mul_args *args, const uint8_t *a, const uint8_t *b, uint8_t *out,
                          size_t n);

/* out[i] = table[in[i]] */
typedef void (*tf_lut_fn)(const uint8_t table[256], const uint8_t *in, uint8_t *out, size_t n);

/* The channel-wise maximum of `taps` pixels of n channels. */
typedef void (*tf_max_fn)(const uint8_t *const *taps, int count, uint8_t *out, size_t n);

/* Average of `taps` pixels: float sum of (a - zp) * scale in tap order, divided by divisor, divided by
 * out_scale. */
struct tf_avg_args {
    int32_t in_zp;
    float in_scale, divisor, out_scale;
    struct tf_requant q;
};
typedef void (*tf_avg_fn)(const struct tf_avg_args *args, const uint8_t *const *taps, int count, uint8_t *out,
                          size_t n);

/* Mean over rows x width pixels of `channels`: rint(clamp(float(sum - count * in_zp) * scale)) + zp. */
struct tf_gap_args {
    ptrdiff_t row, pixel;
    int32_t height, width;
    int32_t in_zp;
    float scale;
    struct tf_requant q;
};
typedef void (*tf_gap_fn)(const struct tf_gap_args *args, const uint8_t *in, uint8_t *out, int c0, int c1);

/* float -> u8: rint(clamp(in / scale)) + zp. */
struct tf_quantize_args {
    float scale;
    struct tf_requant q;
};
typedef void (*tf_quantize_fn)(const struct tf_quantize_args *args, const float *in, uint8_t *out, size_t n);

/* Blend of two rows' pixel pairs for linear resize, 11-bit weights; see docs/engine.md. */
struct tf_blend_args {
    const uint8_t *p00, *p01, *p10, *p11;
    int32_t wx, wy; /* 0..2048: weight of the right and of the lower pixel */
};
typedef void (*tf_blend_fn)(const struct tf_blend_args *args, uint8_t *out, size_t n);

enum tf_kernel_kind {
    TF_KERNEL_CONV,
    TF_KERNEL_DW,
    TF_KERNEL_ADD,
    TF_KERNEL_MUL,
    TF_KERNEL_LUT,
    TF_KERNEL_MAX,
    TF_KERNEL_AVG,
    TF_KERNEL_GAP,
    TF_KERNEL_QUANTIZE,
    TF_KERNEL_BLEND,
    TF_KERNEL_KINDS,
};

/* How a convolution's weights are packed: as they are; so that no sum of a pair saturates vpmaddubsw (see
 * tf_conv_pack); for activations from which the kernel takes 128; or in chunks of 16 entries that read 64
 * consecutive bytes. */
enum tf_kernel_packed { TF_PACKED_PLAIN, TF_PACKED_PAIRS, TF_PACKED_SHIFTED, TF_PACKED_TILES };

struct tf_kernel {
    const char *name;
    enum tf_kernel_kind kind;
    enum tf_cpu_level level;
    union {
        tf_conv_fn conv;
        tf_dw_fn dw;
        tf_add_fn add;
        tf_mul_fn mul;
        tf_lut_fn lut;
        tf_max_fn max;
        tf_avg_fn avg;
        tf_gap_fn gap;
        tf_quantize_fn quantize;
        tf_blend_fn blend;
    };
    /* Convolution only: a panel's width is a multiple of unit, at most panel; pairs: packed weights must not
     * saturate vpmaddubsw, see tf_conv_pack. */
    int unit, panel;
    bool tiles;          /* entries come in chunks of TF_CHUNK; takes all pixels at once */
    bool pairs, shifted; /* shifted: the kernel takes 128 off every activation */
};

/* All kernels that this build has, in the order of list.h. */
size_t tf_kernels(const struct tf_kernel **ret);
/* The best implementation of a kind at a level that the machine has. Never NULL. */
const struct tf_kernel *tf_kernel_select(enum tf_kernel_kind kind, enum tf_cpu_level level);
const char *tf_kernel_kind_name(enum tf_kernel_kind kind);

#endif
