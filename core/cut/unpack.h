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

// Is every number of the stored matrix exact in bf16?
bool cull_is_bf16(const cull_matrix *m);

#endif
