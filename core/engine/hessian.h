// Σ x xᵀ of a matrix's inputs, in float64.
//
// Rows come in the order of the experiment's sequences, in any portions. Every CULL_HESSIAN_ROWS of
// them make a tile, one product; what does not fill a tile waits for the next portion. So the sums
// depend on the rows alone, and whoever owns a matrix can sum it from rows that others computed.
#ifndef CULL_ENGINE_HESSIAN_H
#define CULL_ENGINE_HESSIAN_H

#include "engine/run.h"

enum { CULL_HESSIAN_ROWS = 256 };

typedef struct cull_hessian {
    size_t cols;
    double *h;   // (cols, cols) the caller's, zeros at first; its lower triangle until finish
    float *tile; // (CULL_HESSIAN_ROWS, cols) rows that wait
    size_t n;    // of them
} cull_hessian;

typedef struct cull_hessian_rows {
    cull_hessian *to;
    size_t n;
    const float *const *row; // (n) → (cols)
} cull_hessian_rows;

// All at once on the pool; no two of the n parts may be of one Hessian.
cull_status cull_hessians_add(cull_run *run, size_t n,
                              const cull_hessian_rows *part) CULL_MUST_CHECK;
// The rows that wait, and the upper triangle.
cull_status cull_hessians_finish(cull_run *run, size_t n, cull_hessian *hessian) CULL_MUST_CHECK;
// Not h, which is the caller's.
void cull_hessian_release(cull_hessian *hessian);

#endif
