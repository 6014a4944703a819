// What statistics are shown where rows meet a matrix.
#ifndef CULL_ENGINE_INPUT_HOOKS_H
#define CULL_ENGINE_INPUT_HOOKS_H

#include "engine/run.h"

// x: (n, cols) with row stride ldx, the input of matrix `where`, as the piece's inputs want it.
cull_status cull_input_hooks_feed(cull_piece *piece, cull_matrix_id where, size_t cols, size_t n,
                                  const float *x, size_t ldx) CULL_MUST_CHECK;

// y: (n, 1) with row stride ldy, the output of matrix `where`: where that is the shared expert's
// own router, its sigmoid is the gate of the part's channels, which the backend multiplies
// afterwards.
cull_status cull_input_hooks_gate(cull_piece *piece, cull_matrix_id where, size_t n, const float *y,
                                  size_t ldy) CULL_MUST_CHECK;

#endif
