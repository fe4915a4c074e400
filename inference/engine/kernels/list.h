/*
 * The one list of kernels: TF_KERNEL(kind, level, unit, panel, pairs). The function is tf_<kind>_<level>, its
 * member of struct tf_kernel <kind>; unit, panel and pairs matter to convolutions only (pairs: see
 * tf_conv_pack; 2 stands for activations shifted by 128). No include guard: it
 * is included once per use.
 */
TF_KERNEL(conv, CONV, generic, GENERIC, 4, 8, false)
TF_KERNEL(dw, DW, generic, GENERIC, 0, 0, false)
TF_KERNEL(add, ADD, generic, GENERIC, 0, 0, false)
TF_KERNEL(mul, MUL, generic, GENERIC, 0, 0, false)
TF_KERNEL(lut, LUT, generic, GENERIC, 0, 0, false)
TF_KERNEL(max, MAX, generic, GENERIC, 0, 0, false)
TF_KERNEL(avg, AVG, generic, GENERIC, 0, 0, false)
TF_KERNEL(gap, GAP, generic, GENERIC, 0, 0, false)
TF_KERNEL(quantize, QUANTIZE, generic, GENERIC, 0, 0, false)
TF_KERNEL(blend, BLEND, generic, GENERIC, 0, 0, false)
#if defined(__x86_64__)
TF_KERNEL(conv, CONV, avx2, AVX2, 8, 16, true)
TF_KERNEL(conv, CONV, avxvnni, AVXVNNI, 8, 16, false)
TF_KERNEL(conv, CONV, avx512vnni, AVX512VNNI, 16, 64, false)
TF_KERNEL(dw, DW, avx2, AVX2, 0, 0, false)
TF_KERNEL(dw, DW, avxvnni, AVXVNNI, 0, 0, false)
TF_KERNEL(dw, DW, avx512vnni, AVX512VNNI, 0, 0, false)
TF_KERNEL(add, ADD, avx2, AVX2, 0, 0, false)
TF_KERNEL(add, ADD, avx512vnni, AVX512VNNI, 0, 0, false)
TF_KERNEL(lut, LUT, avx2, AVX2, 0, 0, false)
TF_KERNEL(lut, LUT, avx512vnni, AVX512VNNI, 0, 0, false)
TF_KERNEL(mul, MUL, avx2, AVX2, 0, 0, false)
TF_KERNEL(max, MAX, avx2, AVX2, 0, 0, false)
TF_KERNEL(avg, AVG, avx2, AVX2, 0, 0, false)
TF_KERNEL(gap, GAP, avx2, AVX2, 0, 0, false)
TF_KERNEL(quantize, QUANTIZE, avx2, AVX2, 0, 0, false)
TF_KERNEL(blend, BLEND, avx2, AVX2, 0, 0, false)
#endif
#if defined(__aarch64__)
TF_KERNEL(conv, CONV, neon, NEON, 4, 16, 2)
TF_KERNEL(conv, CONV, dotprod, DOTPROD, 4, 16, 2)
TF_KERNEL(conv, CONV, i8mm, I8MM, 4, 16, false)
TF_KERNEL(dw, DW, neon, NEON, 0, 0, false)
TF_KERNEL(add, ADD, neon, NEON, 0, 0, false)
TF_KERNEL(lut, LUT, neon, NEON, 0, 0, false)
#endif
