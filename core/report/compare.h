// Cells set side by side: estimates over seeds, paired differences, and who may be called best.
//
// A metric view is a column, or the mean over the columns of one metric. Values whose law is EXP
// (perplexities) are averaged and compared as logarithms: a macro mean is geometric, a difference a
// ratio.
//
// A cell with several seeds is represented by its items' means over the seeds; the spread between
// seeds adds to the error of every difference (cull_by_two_parts). Cells that had the same seeds
// are compared seed by seed.
#ifndef CULL_REPORT_COMPARE_H
#define CULL_REPORT_COMPARE_H

#include "results/frame.h"

typedef struct cull_metric_view {
    const char *task;  // NULL: the macro mean
    const char *label; // of the metric
    size_t k;
    const size_t *column; // (k)
    bool higher_is_better;
    enum cull_law law; // NONE: no items, so nothing is paired
} cull_metric_view;

typedef struct cull_metric_views {
    size_t n;
    const cull_metric_view *at;
} cull_metric_views;

// One metric view a metric: its macro mean where it has several tasks, and the task itself where it
// has one. Sums that a metric reports itself (tasks "macro" and "pooled", groups without items) are
// left out. CULL_EUSAGE where the tasks of a metric were measured in ways that no mean may mix.
cull_status cull_metric_views_macro(cull_ctx *ctx, const cull_frame *frame,
                                    cull_metric_views *out) CULL_MUST_CHECK;
// One metric view a column.
cull_status cull_metric_views_each(cull_ctx *ctx, const cull_frame *frame,
                                   cull_metric_views *out) CULL_MUST_CHECK;

// Those of one metric.
cull_status cull_metric_views_of(cull_ctx *ctx, const cull_metric_views *all, const char *label,
                                 cull_metric_views *out) CULL_MUST_CHECK;
// One metric view for each metric that a first look needs, or for the metric asked for: acc_bytes,
// and among means acc_norm, are variants of acc. Only labels are told apart: with tasks, the
// first one of each.
cull_status cull_metric_views_main(cull_ctx *ctx, const cull_metric_views *all, const char *label,
                                   cull_metric_views *out) CULL_MUST_CHECK;
// Is the column a sum over others: "macro", "pooled", a group of tasks?
bool cull_is_sum(const cull_frame *frame, size_t column);
bool cull_is_variant(const cull_metric_views *all, const cull_metric_view *metric_view);

// The row of one of a cell's seeds, NULL: it has none.
const cull_row *cull_cell_row(const cull_frame *frame, size_t cell, size_t seed, size_t column);
// The items of a cell and column, means over its seeds; arrays made for it are scratch.
cull_status cull_cell_items(cull_ctx *ctx, const cull_frame *frame, size_t cell, size_t column,
                            cull_items *out) CULL_MUST_CHECK;
// Do both cells have the metric view, of the same documents and by the same numerics?
bool cull_may_pair(const cull_frame *frame, size_t base, size_t cell,
                   const cull_metric_view *metric_view);

typedef struct cull_estimate {
    double value;  // NaN: the cell lacks it
    double error;  // standard error over items, of the mean over seeds
    double sd;     // between seeds; NaN for one
    double spread; // the error of `value` on the scale where it is averaged (logarithms for EXP)
    size_t seeds, n;
} cull_estimate;

cull_status cull_estimate_of(cull_ctx *ctx, const cull_frame *frame, size_t cell,
                             const cull_metric_view *metric_view,
                             cull_estimate *out) CULL_MUST_CHECK;

// The value on the scale where it is averaged (logarithms for EXP), with its interval over items
// and seeds; p and df mean nothing.
cull_status cull_interval_of(cull_ctx *ctx, const cull_frame *frame, size_t cell,
                             const cull_metric_view *metric_view,
                             cull_difference *out) CULL_MUST_CHECK;

enum cull_test {
    CULL_TEST_NONE,
    CULL_TEST_T,
    CULL_TEST_MCNEMAR,
    CULL_TEST_BOOTSTRAP,
    CULL_TEST_UNPAIRED
};

typedef struct cull_comparison { // of `cell` to `base`
    cull_difference d;           // EXP: of logarithms
    enum cull_test test;         // where p comes from
    size_t to_wrong,
        to_right; // flips: base right and cell wrong, and the other way; one seed, outcomes 0/1
    bool flips;   // are they known?
} cull_comparison;

// value NaN where either lacks the metric view. The same cells and metric view always give the same
// numbers.
cull_status cull_compare_cells(cull_ctx *ctx, const cull_frame *frame, size_t base, size_t cell,
                               const cull_metric_view *metric_view,
                               cull_comparison *out) CULL_MUST_CHECK;

// Holm's adjustment of n comparisons within the table of each model: cell[i] is a cell of
// comparison i's model. p that are NaN are no comparisons.
cull_status cull_holm_by_model(cull_ctx *ctx, const cull_frame *frame, size_t n, const size_t *cell,
                               double *p) CULL_MUST_CHECK;

// May one of two cells be called the better one? Of one model, sparsity and choice of layers (dense
// and those without a sparsity aside), or checkpoints that were evaluated as they are.
bool cull_compete(const cull_frame *frame, size_t a, size_t b);

// For each metric view, cells that may be called best: among those that compete the best one, where
// it differs from the runner-up with p ≤ 0.05 by Holm's adjustment over the model's table. best:
// (n_cells, metric_views->n), zeroed by the caller; p, as large, or NULL: that adjusted p, where
// the best one stands, and nothing elsewhere.
cull_status cull_find_best(cull_ctx *ctx, const cull_frame *frame,
                           const cull_metric_views *metric_views, bool *best,
                           double *p) CULL_MUST_CHECK;

#endif
