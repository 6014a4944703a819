#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

typedef struct pair {
    const cull_metric_view *metric_view;
    size_t cell;
    cull_estimate base, own;
    cull_comparison difference;
} pair;

typedef struct pairs {
    cull_ctx *ctx;
    const cull_frame *frame;
    size_t dense, n, others; // others: cells besides dense
    pair *at;                // (n)
    double *holm;            // (n)
    bool outcomes;           // any flips?
} pairs;

// The metric views of tasks and groups and then the means, of one metric or those of a first look.
static cull_status measures_of(cull_ctx *ctx, const cull_frame *f, const char *metric,
                               cull_metric_views *out)
{
    cull_metric_views each, macro, main;
    CULL_TRY(cull_metric_views_each(ctx, f, &each));
    CULL_TRY(cull_metric_views_macro(ctx, f, &macro));
    CULL_TRY(cull_metric_views_main(ctx, &macro, metric, &main));
    cull_metric_view *at = cull_take(ctx, each.n + main.n + 1, sizeof *at);
    *out = (cull_metric_views){ .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < each.n; i++) {
        const cull_metric_view *m = &each.at[i];
        const bool wanted = metric ? strcmp(m->label, metric) == 0 : !cull_is_variant(&each, m);
        const bool ours = strcmp(m->task, "pooled") == 0 || strcmp(m->task, "macro") == 0;
        const bool group = f->column[i].group_of_tasks;
        if (wanted && !ours && (group || !cull_is_sum(f, i)))
            at[out->n++] = *m;
    }
    for (size_t i = 0; i < main.n; i++)
        if (!main.at[i].task)
            at[out->n++] = main.at[i];
    return CULL_OK;
}

static cull_status add_pair(pairs *p, const cull_metric_view *m, size_t cell)
{
    pair *at = &p->at[p->n];
    *at = (pair){ .metric_view = m, .cell = cell };
    CULL_TRY(cull_estimate_of(p->ctx, p->frame, p->dense, m, &at->base));
    CULL_TRY(cull_estimate_of(p->ctx, p->frame, cell, m, &at->own));
    CULL_TRY(cull_compare_cells(p->ctx, p->frame, p->dense, cell, m, &at->difference));
    if (isnan(at->base.value) || isnan(at->own.value)) // nothing to set side by side
        return CULL_OK;
    p->outcomes |= at->difference.flips;
    p->n++;
    return CULL_OK;
}

static cull_status gather(pairs *p, const char *model, const cull_metric_views *metric_views)
{
    const cull_frame *f = p->frame;
    p->at = cull_take(p->ctx, metric_views->n * f->n_cells + 1, sizeof *p->at);
    p->holm = cull_take(p->ctx, metric_views->n * f->n_cells + 1, sizeof *p->holm);
    if (!p->at || !p->holm)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++)
        p->others += c != p->dense && strcmp(f->cell[c].model, model) == 0;
    for (size_t j = 0; j < metric_views->n; j++)
        for (size_t c = 0; c < f->n_cells; c++)
            if (c != p->dense && strcmp(f->cell[c].model, model) == 0)
                CULL_TRY(add_pair(p, &metric_views->at[j], c));
    for (size_t i = 0; i < p->n; i++)
        p->holm[i] = p->at[i].difference.d.p;
    return cull_holm(p->ctx, p->n, p->holm, p->holm);
}

// " 0.5", or nothing.
static void show_sparsity(const cull_frame_cell *c, char *text, size_t room)
{
    *text = 0;
    if (!isnan(c->sparsity))
        snprintf(text, room, " %g", c->sparsity);
}

// ---- nothing to set side by side ----

// "reap 0.5 has facts (acc), code (acc) and 3 more".
static cull_status tell_cell(const pairs *p, const cull_metric_views *metric_views, size_t cell,
                             cull_buf *out)
{
    enum { TOLD = 4 };
    const cull_frame_cell *c = &p->frame->cell[cell];
    char sparsity[32];
    size_t n = 0;
    show_sparsity(c, sparsity, sizeof sparsity);
    cull_buf_printf(out, "%s%s has ", c->method, sparsity);
    for (size_t i = 0; i < metric_views->n; i++) {
        const cull_metric_view *m = &metric_views->at[i];
        cull_estimate own;
        CULL_TRY(cull_estimate_of(p->ctx, p->frame, cell, m, &own));
        if (!m->task || isnan(own.value))
            continue;
        if (n++ < TOLD)
            cull_buf_printf(out, "%s%s (%s)", n > 1 ? ", " : "", m->task, m->label);
    }
    if (n > TOLD)
        cull_buf_printf(out, " and %zu more", n - TOLD);
    cull_buf_puts(out, n ? "" : "none");
    return CULL_OK;
}

static cull_status tell_sides(const pairs *p, const char *model,
                              const cull_metric_views *metric_views, cull_buf *out)
{
    enum { TOLD = 3 };
    const cull_frame *f = p->frame;
    size_t n = 0;
    CULL_TRY(tell_cell(p, metric_views, p->dense, out));
    for (size_t c = 0; c < f->n_cells; c++) {
        if (c == p->dense || strcmp(f->cell[c].model, model) != 0 || n++ >= TOLD)
            continue;
        cull_buf_puts(out, "; ");
        CULL_TRY(tell_cell(p, metric_views, c, out));
    }
    if (n > TOLD)
        cull_buf_printf(out, "; and so on for %zu more", n - TOLD);
    return CULL_OK;
}

static cull_status nothing_in_common(const pairs *p, const char *model,
                                     const cull_metric_views *metric_views)
{
    cull_buf sides = CULL_BUF_INIT;
    cull_status status = tell_sides(p, model, metric_views, &sides);
    if (status == CULL_OK && sides.failed)
        status = cull_no_memory(p->ctx);
    if (status == CULL_OK)
        status = cull_fail(p->ctx, CULL_EUSAGE, "no values can be set side by side: %s", sides.s);
    cull_buf_release(&sides);
    return status;
}

// ---- the table ----

static void put_p(cull_table *t, size_t column, double p)
{
    if (isnan(p))
        cull_table_set(t, column, "–");
    else if (p < 0.0001)
        cull_table_set(t, column, "<0.0001");
    else
        cull_table_printf(t, column, "%.4f", p);
}

// "reap", "reap 0.5", "reap 0.5, global".
static void put_name(const cull_frame_cell *c, cull_table *t, size_t column)
{
    char sparsity[32];
    show_sparsity(c, sparsity, sizeof sparsity);
    cull_table_printf(t, column, "%s%s%s%s", c->method, sparsity, *c->allocation ? ", " : "",
                      c->allocation);
}

static void put_pair(const pairs *p, size_t i, cull_table *t)
{
    const pair *x = &p->at[i];
    const cull_metric_view *m = x->metric_view;
    const bool separable = p->holm[i] <= 0.05, up = x->difference.d.value > 0;
    char text[CULL_SHOWN];
    size_t at = 0;

    cull_table_row(t);
    if (m->task)
        cull_table_set(t, at++, m->task);
    else
        cull_table_printf(t, at++, "mean of %zu", m->k);
    cull_table_printf(t, at++, "%s %s", m->label, m->higher_is_better ? "↑" : "↓");
    if (p->others > 1)
        put_name(&p->frame->cell[x->cell], t, at++);
    for (size_t own = 0; own < 2; own++) {
        cull_show_value(text, sizeof text, own ? &x->own : &x->base, m->law);
        cull_table_set(t, at, text);
        if (separable && (up == m->higher_is_better) == (own == 1))
            cull_table_best(t, at);
        at++;
    }
    cull_show_difference(text, sizeof text, &x->difference.d, m->law);
    cull_table_set(t, at++, text);
    put_p(t, at++, x->difference.d.p);
    put_p(t, at++, p->holm[i]);
    if (p->outcomes && x->difference.flips) {
        cull_table_printf(t, at, "%zu", x->difference.to_wrong);
        cull_table_printf(t, at + 1, "%zu", x->difference.to_right);
    }
}

static cull_status make_columns(const pairs *p, cull_table *out)
{
    const cull_frame *f = p->frame;
    size_t n = 0, only = p->at[0].cell;
    cull_table_column column[10];
    column[n++] = (cull_table_column){ "task", false, false, false };
    column[n++] = (cull_table_column){ "metric", false, false, false };
    if (p->others > 1)
        column[n++] = (cull_table_column){ "of", false, false, false };
    const size_t fixed = n;
    column[n++] = (cull_table_column){ f->cell[p->dense].method, true, false, false };
    column[n++] =
        (cull_table_column){ p->others > 1 ? "value" : f->cell[only].method, true, false, false };
    column[n++] = (cull_table_column){ "difference [95 %]", true, false, false };
    column[n++] = (cull_table_column){ "p", true, false, false };
    column[n++] = (cull_table_column){ "Holm", true, false, false };
    if (p->outcomes) {
        column[n++] = (cull_table_column){ "to wrong", true, false, false };
        column[n++] = (cull_table_column){ "to right", true, false, false };
    }
    *out = cull_table_new(p->ctx, n, fixed, column);
    return out->status;
}

cull_status cull_view_pairs(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const char *metric, cull_table *out)
{
    pairs p = { .ctx = ctx, .frame = frame, .dense = cull_frame_dense(frame, model) };
    cull_metric_views metric_views;
    if (p.dense == SIZE_MAX)
        return cull_fail(ctx, CULL_EUSAGE,
                         "\"%s\" has no dense trial, so there are no pairs to set side by side",
                         model);
    CULL_TRY(measures_of(ctx, frame, metric, &metric_views));
    CULL_TRY(gather(&p, model, &metric_views));
    if (p.others == 0)
        return cull_fail(ctx, CULL_EUSAGE,
                         "the results hold the dense trial of \"%s\" alone, so there is nothing to "
                         "compare it to",
                         model);
    if (p.n == 0)
        return nothing_in_common(&p, model, &metric_views);
    CULL_TRY(make_columns(&p, out));
    for (size_t i = 0; i < p.n; i++)
        put_pair(&p, i, out);
    return out->status;
}
