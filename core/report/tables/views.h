// The tables of `cull compare`.
#ifndef CULL_REPORT_TABLES_VIEWS_H
#define CULL_REPORT_TABLES_VIEWS_H

#include "report/compare.h"
#include "report/tables/table.h"

enum cull_sort { CULL_SORT_SPARSITY, CULL_SORT_METHOD, CULL_SORT_METRIC };

typedef struct cull_view_options {
    // Of the rows below dense: by sparsity and then quality, by method, by quality.
    enum cull_sort sort;
    const char *metric_view; // SORT_METRIC: its metric; NULL: the first one
    bool plain;              // values and errors alone, without differences to the baseline
    const char *baseline;    // see baseline.h; NULL: dense
} cull_view_options;

// A table of the columns given, and behind them one for each axis, but the allocation, of which any
// cell has a value.
cull_table cull_table_with_axes(cull_ctx *ctx, const cull_frame *frame, size_t n,
                                const cull_table_column *columns);
// A trial's values of them, in the last row; n: as above.
void cull_set_axes(cull_table *table, size_t n, const cull_frame *frame, const char *const *axis);

// One row a cell of one model, one column a metric view: value ± error, difference to the baseline
// with its 95 % interval, and where that is a method p by Holm over the table. Dense comes first,
// also where there is no such trial.
cull_status cull_view_cells(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const cull_metric_views *metric_views, const cull_view_options *options,
                            cull_table *out) CULL_MUST_CHECK;

typedef struct cull_pairing { // who is set beside whom, and in what
    const char *metric;       // its label; NULL: those of a first look
    const char *baseline;     // every cell beside its baseline; NULL: dense
    bool each_other;          // instead: every two methods at one sparsity and allocation
    bool means;               // only the mean over tasks, or the one task that there is
} cull_pairing;

// One row a metric view and pair of cells of the model: both values, the paired difference with its
// 95 % interval, p and p by Holm over the table, flips. Tasks come first, then means over tasks;
// sums that a metric reports itself are left out. The better of two values that are separable (p ≤
// 0.05 by Holm) is set apart. CULL_EUSAGE where there are no pairs, or nothing that both have.
cull_status cull_view_pairs(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const cull_pairing *how, cull_table *out) CULL_MUST_CHECK;

// The same as numbers, for other programs, of all models.
cull_status cull_view_pairs_tidy(cull_ctx *ctx, const cull_frame *frame, const cull_pairing *how,
                                 cull_table *out) CULL_MUST_CHECK;

// How much of the dense model's quality is left: one row a cell of the model, one column a task of
// the metric and one for their mean, percent of dense with its paired 95 % interval; beside them
// the checkpoint's share of bytes and the active parameters. metric: its label; NULL: the first.
// CULL_EUSAGE where the model has no dense trial, or the metric no values per item.
cull_status cull_view_recovery(cull_ctx *ctx, const cull_frame *frame, const char *model,
                               const char *metric, cull_table *out) CULL_MUST_CHECK;

cull_status cull_view_recovery_tidy(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                                    cull_table *out) CULL_MUST_CHECK;

// Every value of every trial, with the paired difference to its model's dense trial, and to its
// baseline where that is a method: the tidy table. metric: the label of those that are shown; NULL:
// all.
cull_status cull_view_tidy(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                           const char *baseline, cull_table *out) CULL_MUST_CHECK;

// The same in the layout of lm-eval's tables, in front the cell where there are several trials.
cull_status cull_view_lm_eval(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                              cull_table *out) CULL_MUST_CHECK;

#endif
