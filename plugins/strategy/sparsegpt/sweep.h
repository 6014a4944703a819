// SparseGPT on one matrix: column by column a weight goes or stays, and those to the right make up
// for it.
#ifndef SPARSEGPT_SWEEP_H
#define SPARSEGPT_SWEEP_H

#include "factor.h"

typedef struct sweep {
    size_t rows, cols;
    double *w; // (rows, cols), rewritten; zero where the mask drops
    const factor *factor;
    const uint8_t *before; // mask of earlier stages: what it dropped stays dropped; NULL: nothing
    double sparsity;       // of the weights that are left
    size_t block;          // columns whose mask is chosen together; with n:m a multiple of m
    size_t m; // with n:m: of every m consecutive inputs floor(m × sparsity) go; else 0
} sweep;

// Fills `mask` (zeroed, see cut.h) with what is kept: of a block's weights, rows pooled, the
// floor(count × sparsity) with the smallest w²/U_ii² go, ties to the lower index (row-major).
cull_status sweep_matrix(cull_ctx *ctx, const sweep *s, uint8_t *mask);

#endif
