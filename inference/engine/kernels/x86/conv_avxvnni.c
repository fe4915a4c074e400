/* Convolution, AVX-VNNI: vpdpbusd on 256-bit registers, for processors without AVX-512. */
#define TF_CONV_NAME tf_conv_avxvnni
#define VEC_DOT(acc, a, w) _mm256_dpbusd_avx_epi32(acc, a, w)
#define ROWS_MOST_2 6
#include "inference/engine/kernels/x86/conv_ymm.h"
