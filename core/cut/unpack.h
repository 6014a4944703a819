// Stored matrices as float32, a tile of rows at a time.
#ifndef CULL_CUT_UNPACK_H
#define CULL_CUT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cull/tensor.h>

// Rows [first, first + n) of m into out (n, m->cols), row-major. F32, F16, BF16, F8_E4M3 with block
// scales and MXFP4 (see cull_matrix). Any thread.
void cull_unpack_rows(const cull_matrix *m, size_t first, size_t n, float *out);

// Entries [first, first + n) of the matrix's bias, which it must have.
void cull_unpack_bias(const cull_matrix *m, size_t first, size_t n, float *out);

// The matrix itself when it is stored as plain, aligned, row-major float32; else NULL.
const float *cull_plain_f32(const cull_matrix *m);

float cull_f16_to_f32(uint16_t half);
float cull_bf16_to_f32(uint16_t bits);
uint16_t cull_f32_to_bf16(float value); // round to nearest, ties to even
uint16_t cull_f32_to_f16(float value);
float cull_e4m3_to_f32(uint8_t bits); // E4M3FN: bias 7, no infinities, NaN at 0x7F and 0xFF

#endif
