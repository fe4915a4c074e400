/*
 * Repetition by the preprocessor: TF_ROWS_3(X) is X(0) X(1) X(2). Tiles of accumulators are written with it,
 * since a compiler keeps named variables in registers and, at this size, not always the elements of an array.
 */
#ifndef TF_INFERENCE_ENGINE_KERNELS_X86_REPEAT_H
#define TF_INFERENCE_ENGINE_KERNELS_X86_REPEAT_H

#define TF_ROWS_1(X) X(0)
#define TF_ROWS_2(X) TF_ROWS_1(X) X(1)
#define TF_ROWS_3(X) TF_ROWS_2(X) X(2)
#define TF_ROWS_4(X) TF_ROWS_3(X) X(3)
#define TF_ROWS_5(X) TF_ROWS_4(X) X(4)
#define TF_ROWS_6(X) TF_ROWS_5(X) X(5)
#define TF_ROWS_7(X) TF_ROWS_6(X) X(6)
#define TF_ROWS_8(X) TF_ROWS_7(X) X(7)
#define TF_ROWS_9(X) TF_ROWS_8(X) X(8)
#define TF_ROWS_10(X) TF_ROWS_9(X) X(9)
#define TF_ROWS_11(X) TF_ROWS_10(X) X(10)
#define TF_ROWS_12(X) TF_ROWS_11(X) X(11)
#define TF_ROWS_13(X) TF_ROWS_12(X) X(12)
#define TF_ROWS_14(X) TF_ROWS_13(X) X(13)

#endif
