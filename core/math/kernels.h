// Which kernels multiply here, and how fast.
#ifndef CULL_MATH_KERNELS_H
#define CULL_MATH_KERNELS_H

#include <stdbool.h>

enum { CULL_KERNELS_TEXT = 160 };

// "oneDNN 2.6.3 avx512_core_bf16, OpenBLAS SkylakeX".
void cull_kernels_text(char text[CULL_KERNELS_TEXT]);

// FLOP/s of one thread, the best of a few tries that take at most `seconds` together: x Wᵀ of 512
// rows with a matrix of 256 × 2048, float32 or bf16, its weights stored as bf16; a Gram matrix in
// double precision. 0: it is not to be had here.
double cull_measure_f32(double seconds);
double cull_measure_bf16(double seconds);
double cull_measure_f64(double seconds);

#endif
