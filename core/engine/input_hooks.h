// What statistics are shown where rows meet a matrix (groups H and I).
#ifndef CULL_ENGINE_INPUT_HOOKS_H
#define CULL_ENGINE_INPUT_HOOKS_H

#include "engine/run.h"

// x: (n, cols) with row stride ldx, the input of matrix `where`, as the piece's inputs want it.
cull_status cull_input_hooks_feed(cull_piece *piece, cull_matrix_id where, size_t cols, size_t n,
                                  const float *x, size_t ldx) CULL_MUST_CHECK;

#endif
