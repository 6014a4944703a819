// Statistics that are fed where rows meet a matrix (INPUT_SQUARES and HESSIAN).
#ifndef CULL_ENGINE_INPUT_HOOKS_H
#define CULL_ENGINE_INPUT_HOOKS_H

#include "engine/run.h"

// x: (n, cols) with row stride ldx, the input of matrix `where`. Adds Σ x² (and Σ x xᵀ where it is
// wanted) to the piece's hooks, rows in order.
cull_status cull_input_hooks_feed(cull_piece *piece, cull_matrix_id where, size_t cols, size_t n,
                                  const float *x, size_t ldx) CULL_MUST_CHECK;

// acc (cols) += Σ x², rows in order.
void cull_add_squares(size_t n, size_t cols, const float *x, size_t ldx, double *acc);

// H (cols, cols) += xᵀ x in float64, by the pool when the piece is the coordinator's.
cull_status cull_add_hessian(cull_piece *piece, size_t n, size_t cols, const float *x, size_t ldx,
                             double *h) CULL_MUST_CHECK;

#endif
