// Float32 products of a few rows whose bits depend on the row, the matrix and the kernel alone: not
// on the row's place, on how many rows there are, or on what stands in the others.
//
// Rows are padded to counts for which oneDNN's kernels keep that, with SSE4.1, AVX2 and AVX-512:
// 16, 24, 48, 64 and 96, but not 8, 32 or 128 with AVX2. For matrices that are met once, as
// attention's; weights are made ready in tiles (gemm.h).
#ifndef CULL_MATH_PADDED_PRODUCT_H
#define CULL_MATH_PADDED_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

enum { CULL_PADDED_MOST = 96 };

// Rows that a product of n rows must have room for, n ≤ CULL_PADDED_MOST. Those behind the n are
// computed and mean nothing.
size_t cull_padded_rows(size_t n);

// c (rows, cols) = a (rows, k) · b, or c += it; b is (cols, k) where `transposed`, else (k, cols);
// all dense, rows as cull_padded_rows gives them. In the calling thread. false: out of memory.
bool cull_padded_product(bool transposed, size_t rows, size_t cols, size_t k, const float *a,
                         const float *b, bool add, float *c) __attribute__((warn_unused_result));

#endif
