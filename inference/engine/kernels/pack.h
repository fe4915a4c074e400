/* Weights into the order in which a convolution kernel reads them. */
#ifndef TF_INFERENCE_ENGINE_KERNELS_PACK_H
#define TF_INFERENCE_ENGINE_KERNELS_PACK_H

#include "inference/engine/kernels/kernels.h"
#include "inference/engine/mem.h"

/* Consecutive input bytes that meet consecutive weights. */
struct tf_conv_run {
    int32_t off; /* from the window's origin */
    int32_t len;
};

struct tf_conv_spec {
    const struct tf_conv_run *runs;
    int run_count;
    const int8_t *w; /* [oc][sum of len] */
    const int32_t *bias;
    const float *scale;
    int32_t oc; /* output channels */
    int32_t in_zp;
};

struct tf_conv_packed {
    struct tf_conv_panel *panels;
    int panel_count;
    size_t bytes;
};

/*
 * Packs for a kernel. Adjacent runs are joined, so that one entry may span kernel taps. For a kernel with
 * `pairs` (vpmaddubsw adds two products of u8 and s8 in 16 bits with saturation), weights 2i and 2i+1 of one
 * entry never have a sum of positive parts over 128 or of negative parts under -128: 255 * 128 = 32640 fits.
 * Entries in which some channel breaks that have weights of 16 bits and come last.
 * A panel for which fewer channels at a time cost less is taken apart.
 * For a kernel with `tiles` every run is filled up to whole chunks with weights of 0. -ENOMEM.
 */
int tf_conv_pack(struct tf_mem *mem, const struct tf_kernel *kernel, const struct tf_conv_spec *spec,
                 struct tf_conv_packed *ret);

#endif
