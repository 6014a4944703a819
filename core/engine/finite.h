// Weights that are no numbers: named where they are first read, not where they end.
#ifndef CULL_ENGINE_FINITE_H
#define CULL_ENGINE_FINITE_H

#include "base/context.h"

// Look for a NaN or an infinity in rows [first, first + n) of matrix `where` as it is stored, w (n,
// cols) its numbers. CULL_EFORMAT names layer, expert, matrix and place. Any thread.
cull_status cull_check_weights(cull_ctx *ctx, cull_matrix_id where, size_t first, size_t n,
                               size_t cols, const float *w) CULL_MUST_CHECK;
// The same for entries [first, first + n) of its bias, b.
cull_status cull_check_bias(cull_ctx *ctx, cull_matrix_id where, size_t first, size_t n,
                            const float *b) CULL_MUST_CHECK;

#endif
