// The tables of `cull compare`.
#ifndef CULL_REPORT_TABLES_VIEWS_H
#define CULL_REPORT_TABLES_VIEWS_H

#include "report/compare.h"
#include "report/tables/table.h"

enum cull_sort { CULL_SORT_SPARSITY, CULL_SORT_METHOD, CULL_SORT_METRIC };

typedef struct cull_view_options {
    enum cull_sort
        sort; // of the rows below dense: by sparsity and then quality, by method, by quality
    const char *metric_view; // SORT_MEASURE: its metric; NULL: the first one
    bool plain;              // values and errors alone, without differences to dense
} cull_view_options;

// One row a cell of one model, one column a metric view: value ± error, difference to dense with
// its 95 % interval. Dense comes first, also where there is no such trial.
cull_status cull_view_cells(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const cull_metric_views *metric_views, const cull_view_options *options,
                            cull_table *out) CULL_MUST_CHECK;

// One row a metric view and cell of the model that is compared to its dense one: both values, the
// paired difference with its 95 % interval, p and p by Holm over the table, flips. Tasks come
// first, then means over tasks; sums that a metric reports itself are left out. The better of two
// values that are separable (p ≤ 0.05 by Holm) is set apart. metric: its label, NULL: those of a
// first look. CULL_EUSAGE where the model has nothing to compare to, or nothing in common with it.
cull_status cull_view_pairs(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const char *metric, cull_table *out) CULL_MUST_CHECK;

// Every value of every trial, with the paired difference to its model's dense trial: the tidy
// table. metric: the label of those that are shown; NULL: all.
cull_status cull_view_tidy(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                           cull_table *out) CULL_MUST_CHECK;

// The same in the layout of lm-eval's tables, in front the cell where there are several trials.
cull_status cull_view_lm_eval(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                              cull_table *out) CULL_MUST_CHECK;

#endif
