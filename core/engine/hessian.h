// Σ x xᵀ of a matrix's inputs, in float64.
//
// Rows come in the order of the experiment's sequences, in any portions. Every CULL_HESSIAN_ROWS of
// them make a tile, one product; what does not fill a tile waits for the next portion. So the sums
// depend on the rows alone, and whoever sums a matrix can do so from rows that others computed and
// kept: no Hessian goes from process to process.
#ifndef CULL_ENGINE_HESSIAN_H
#define CULL_ENGINE_HESSIAN_H

#include "engine/run.h"

enum { CULL_HESSIAN_ROWS = 256 };

typedef struct cull_hessian {
    size_t cols;
    double *h;   // (cols, cols) the caller's, zeros at first; its lower triangle until finish; or
                 // NULL: rows are kept for the process that sums them
    float *tile; // (CULL_HESSIAN_ROWS, cols) rows that wait; or (room, cols) that are kept
    size_t n;    // of them
    size_t room;
} cull_hessian;

typedef struct cull_hessian_rows {
    cull_hessian *to;
    size_t n;
    const float *const *row; // (n) → (cols)
} cull_hessian_rows;

// Kept rows are forgotten; those to come are summed into h, which is zeros, or NULL: kept again.
void cull_hessian_begin(cull_hessian *hessian, double *h);
// All at once on the pool; no two of the n parts may be of one Hessian.
cull_status cull_hessians_add(cull_run *run, size_t n,
                              const cull_hessian_rows *part) CULL_MUST_CHECK;
// Kept rows as doubles, for another process: returns how many they are, and counts alone where
// `out` is NULL. Listed there again, in the arena, over what `in` goes on to hold; *row is NULL
// where there is no memory. Returns the doubles gone over.
size_t cull_hessian_put(const cull_hessian *hessian, double *out);
size_t cull_hessian_listed(const double *in, size_t cols, cull_arena *arena, size_t *n,
                           const float ***row);
// The rows that wait, and the upper triangle.
cull_status cull_hessians_finish(cull_run *run, size_t n, cull_hessian *hessian) CULL_MUST_CHECK;
// Not h, which is the caller's.
void cull_hessian_release(cull_hessian *hessian);

#endif
