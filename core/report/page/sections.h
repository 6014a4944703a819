// The sections of the page; for report/page/report*.c alone.
#ifndef CULL_REPORT_PAGE_SECTIONS_H
#define CULL_REPORT_PAGE_SECTIONS_H

#include "report/compare.h"
#include "report/page/page.h"

// Metric views with all that is known of them, (n_cells, metric_views.n) each.
typedef struct numbers {
    cull_metric_views metric_views;
    cull_estimate *estimate;
    cull_difference *interval; // of the estimate
    cull_comparison *to_dense;
    double *p; // of the differences to dense, by Holm over the model's table
    bool *best;
    double *best_p; // of the best one and the next, by Holm over the model's table
} numbers;

typedef struct report {
    cull_ctx *ctx;
    const cull_frame *frame;
    cull_buf *page;
    size_t n_models, n_weights; // tables, and the models that were run
    const char **model;
    const char *baseline; // see report/baseline.h; NULL: dense
    const char *figures;  // a folder for every drawing as files, too; NULL: none
    size_t *n_figures;    // written so far
    numbers macro, each;
} report;

static inline size_t number_at(const numbers *n, size_t cell, size_t metric_view)
{
    return cell * n->metric_views.n + metric_view;
}

// A cell's name without its sparsity: "reap"; with the axes that vary "reap, global, wiki".
const char *report_method(const report *r, size_t cell);
// Cells of a model that are not dense, by sparsity and then value, the best first; *n of them.
size_t *report_cells(const report *r, const char *model, size_t *n);

// What a file could not tell is left out of the page; without memory there is no page.
void report_do_without(const report *r);

void report_value(cull_buf *page, double value, enum cull_law law); // a number as tables show it
// Signs and minus as typography has them, none of a zero; a share as percent, "" if not finite.
void report_signed(cull_buf *page, double value, int digits);
void report_share(cull_buf *page, double share);
void report_difference(cull_buf *page, const cull_difference *d, enum cull_law law);

// A drawing of the page; its numbers and itself as files, where they are asked for.
cull_status report_chart(const report *r, const cull_chart *chart) CULL_MUST_CHECK;
cull_status report_grid(const report *r, const cull_grid *grid,
                        const char *caption) CULL_MUST_CHECK;

cull_status report_answer(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_against(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_verdict(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_curves(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_experts(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_cost(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_flips(const report *r, const char *model) CULL_MUST_CHECK;
cull_status report_origin(const report *r) CULL_MUST_CHECK;

#endif
