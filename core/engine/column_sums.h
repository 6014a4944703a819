// Sums over rows, column by column and slice by slice: the widest of the statistics.
//
// A column's rows are added one by one in their order; columns are shared out to the pool in
// chunks, each with its own sums, so that one expert with all the rows keeps all threads busy.
#ifndef CULL_ENGINE_COLUMN_SUMS_H
#define CULL_ENGINE_COLUMN_SUMS_H

#include "engine/run.h"
#include "engine/slices.h"

typedef enum cull_column_kind {
    CULL_COLUMN_SUM,     // Σ g x
    CULL_COLUMN_SQUARES, // Σ x²
    CULL_COLUMN_MOMENTS, // the mean, Σ (x − mean)² and Σ g² x
    CULL_COLUMN_SPREAD,  // the mean and Σ (x − mean)²
    CULL_COLUMN_GATED,   // Σ (g x)²
    CULL_COLUMN_PEAKS,   // max (g x)²
} cull_column_kind;

typedef struct cull_column_sums {
    size_t cols;
    cull_column_kind kind;
    size_t n_chunks;
    cull_slice_sum *chunk;
} cull_column_sums;

// Rows of one pass, ascending, with what they are summed by.
typedef struct cull_sliced_rows {
    size_t n;
    const float *const *row; // (n) → (cols)
    const float *gate;       // (n) g; NULL: 1
    const uint8_t *slice;    // (n)
} cull_sliced_rows;

typedef struct cull_column_work {
    cull_column_sums *to;
    cull_sliced_rows rows;
} cull_column_work;

// Sums of the slices [first, end), the others' are made elsewhere.
cull_status cull_column_sums_init(cull_ctx *ctx, cull_column_sums *sums, cull_column_kind kind,
                                  size_t cols, size_t first, size_t end) CULL_MUST_CHECK;
void cull_column_sums_release(cull_column_sums *sums);

// All at once on the pool; no two of the n are of the same sums.
cull_status cull_column_sums_add(cull_run *run, size_t n,
                                 const cull_column_work *work) CULL_MUST_CHECK;

// Quantity q of a kind into out (cols), in the order in which kinds are described; 0 where there
// was no row.
void cull_column_sums_total(cull_column_sums *sums, size_t q, double *out);

#endif
