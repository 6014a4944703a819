// Pairs of cells, task by task: both values, their difference, p, flips.
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/baseline.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

typedef struct pair {
    const cull_metric_view *metric_view;
    size_t base, cell;
    cull_estimate theirs, own; // of base and cell
    cull_comparison difference;
} pair;

typedef struct pairs {
    cull_ctx *ctx;
    const cull_frame *frame;
    size_t n_sides, *base, *cell; // (n_sides) who is set beside whom
    bool one_base, one_cell;      // is it the same one in all?
    size_t n;
    pair *at;      // (n)
    double *holm;  // (n)
    bool outcomes; // any flips?
} pairs;

// The metric views of tasks and groups and then the means, of one metric or those of a first look.
static cull_status views_of(cull_ctx *ctx, const cull_frame *f, const cull_pairing *how,
                            cull_metric_views *out)
{
    const char *metric = how->metric;
    cull_metric_views each, macro, main;

    CULL_TRY(cull_metric_views_each(ctx, f, &each));
    CULL_TRY(cull_metric_views_macro(ctx, f, &macro));
    CULL_TRY(cull_metric_views_main(ctx, &macro, metric, &main));
    if (how->means) {
        *out = main;
        return CULL_OK;
    }
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

// ---- who is set beside whom ----

static void add_sides(pairs *p, size_t base, size_t cell)
{
    p->one_base &= p->n_sides == 0 || base == p->base[0];
    p->one_cell &= p->n_sides == 0 || cell == p->cell[0];
    p->base[p->n_sides] = base;
    p->cell[p->n_sides++] = cell;
}

static cull_status find_sides(pairs *p, const char *model, const cull_pairing *how)
{
    const cull_frame *f = p->frame;
    const size_t room = how->each_other ? f->n_cells * f->n_cells : f->n_cells;

    p->one_base = p->one_cell = true;
    p->base = cull_take(p->ctx, room + 1, sizeof *p->base);
    p->cell = cull_take(p->ctx, room + 1, sizeof *p->cell);
    if (!p->base || !p->cell)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++) {
        if (strcmp(f->cell[c].model, model) != 0)
            continue;
        const size_t base = cull_baseline_of(f, c, how->baseline);
        if (!how->each_other && base != SIZE_MAX)
            add_sides(p, base, c);
        for (size_t b = 0; how->each_other && b < c; b++)
            if (cull_are_rivals(f, b, c))
                add_sides(p, b, c);
    }
    return CULL_OK;
}

static cull_status no_sides(const pairs *p, const char *model, const cull_pairing *how)
{
    if (how->each_other)
        return cull_fail(p->ctx, CULL_EUSAGE,
                         "\"%s\" has no two methods at one sparsity and allocation to set against "
                         "each other",
                         model);
    if (how->baseline && strcmp(how->baseline, "dense") != 0)
        return cull_fail(p->ctx, CULL_EUSAGE,
                         "\"%s\" has no method at a sparsity and allocation that \"%s\" has, too",
                         model, how->baseline);
    if (cull_frame_dense(p->frame, model) == SIZE_MAX)
        return cull_fail(p->ctx, CULL_EUSAGE,
                         "\"%s\" has no dense trial, so there are no pairs to set side by side",
                         model);
    return cull_fail(p->ctx, CULL_EUSAGE,
                     "the results hold the dense trial of \"%s\" alone, so there is nothing to "
                     "compare it to",
                     model);
}

static cull_status add_pair(pairs *p, const cull_metric_view *m, size_t base, size_t cell)
{
    pair *at = &p->at[p->n];

    *at = (pair){ .metric_view = m, .base = base, .cell = cell };
    CULL_TRY(cull_estimate_of(p->ctx, p->frame, base, m, &at->theirs));
    CULL_TRY(cull_estimate_of(p->ctx, p->frame, cell, m, &at->own));
    CULL_TRY(cull_compare_cells(p->ctx, p->frame, base, cell, m, &at->difference));
    if (isnan(at->theirs.value) || isnan(at->own.value)) // nothing to set side by side
        return CULL_OK;
    p->outcomes |= at->difference.flips;
    p->n++;
    return CULL_OK;
}

static cull_status gather(pairs *p, const cull_metric_views *metric_views)
{
    p->at = cull_take(p->ctx, metric_views->n * p->n_sides + 1, sizeof *p->at);
    p->holm = cull_take(p->ctx, metric_views->n * p->n_sides + 1, sizeof *p->holm);
    if (!p->at || !p->holm)
        return CULL_ENOMEM;
    for (size_t j = 0; j < metric_views->n; j++)
        for (size_t i = 0; i < p->n_sides; i++)
            CULL_TRY(add_pair(p, &metric_views->at[j], p->base[i], p->cell[i]));
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

static cull_status tell_sides(const pairs *p, const cull_metric_views *metric_views, cull_buf *out)
{
    enum { TOLD = 3 };

    CULL_TRY(tell_cell(p, metric_views, p->base[0], out));
    for (size_t i = 0; i < p->n_sides && i < TOLD; i++) {
        cull_buf_puts(out, "; ");
        CULL_TRY(tell_cell(p, metric_views, p->cell[i], out));
    }
    if (p->n_sides > TOLD)
        cull_buf_printf(out, "; and so on for %zu more", p->n_sides - TOLD);
    return CULL_OK;
}

static cull_status nothing_in_common(const pairs *p, const cull_metric_views *metric_views)
{
    cull_buf sides = CULL_BUF_INIT;
    cull_status status = tell_sides(p, metric_views, &sides);

    if (status == CULL_OK && sides.failed)
        status = cull_no_memory(p->ctx);
    if (status == CULL_OK)
        status = cull_fail(p->ctx, CULL_EUSAGE, "no values can be set side by side: %s", sides.s);
    cull_buf_release(&sides);
    return status;
}

// ---- the table ----

static void put_task(const pairs *p, size_t i, size_t at, cull_table *t)
{
    const cull_metric_view *m = p->at[i].metric_view;

    if (m->task)
        cull_table_set(t, at, m->task);
    else
        cull_table_printf(t, at, "mean of %zu", m->k);
}

static void put_metric(const pairs *p, size_t i, size_t at, cull_table *t)
{
    const cull_metric_view *m = p->at[i].metric_view;

    cull_table_printf(t, at, "%s %s", m->label, m->higher_is_better ? "↑" : "↓");
}

// "reap", "reap 0.5", "reap 0.5, global, wiki": the axes that vary.
static void put_name(const cull_frame *f, size_t cell, size_t at, cull_table *t)
{
    cull_buf name = CULL_BUF_INIT;
    char sparsity[32];

    show_sparsity(&f->cell[cell], sparsity, sizeof sparsity);
    cull_buf_printf(&name, "%s%s", f->cell[cell].method, sparsity);
    cull_put_axes(f, cell, &name);
    if (name.failed)
        t->status = cull_no_memory(t->ctx);
    else
        cull_table_set(t, at, name.s);
    cull_buf_release(&name);
}

static void put_cell(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_name(p->frame, p->at[i].cell, at, t);
}

static void put_base(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_name(p->frame, p->at[i].base, at, t);
}

// Set apart where the two are separable and this one is the better: the cell's, or the base's.
static void put_side(const pairs *p, size_t i, bool own, size_t at, cull_table *t)
{
    const pair *x = &p->at[i];
    const cull_metric_view *m = x->metric_view;
    const bool separable = p->holm[i] <= 0.05, up = x->difference.d.value > 0;
    char text[CULL_SHOWN];

    cull_show_value(text, sizeof text, own ? &x->own : &x->theirs, m->law);
    cull_table_set(t, at, text);
    if (separable && (up == m->higher_is_better) == own)
        cull_table_best(t, at);
}

static void put_its_value(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_side(p, i, false, at, t);
}

static void put_value(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_side(p, i, true, at, t);
}

static void put_difference(const pairs *p, size_t i, size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    cull_show_difference(text, sizeof text, &p->at[i].difference.d, p->at[i].metric_view->law);
    cull_table_set(t, at, text);
}

static void put_p_value(double p, size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    cull_show_p(text, sizeof text, p);
    cull_table_set(t, at, text);
}

static void put_p(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_p_value(p->at[i].difference.d.p, at, t);
}

static void put_holm(const pairs *p, size_t i, size_t at, cull_table *t)
{
    put_p_value(p->holm[i], at, t);
}

static void put_to_wrong(const pairs *p, size_t i, size_t at, cull_table *t)
{
    if (p->at[i].difference.flips)
        cull_table_printf(t, at, "%zu", p->at[i].difference.to_wrong);
}

static void put_to_right(const pairs *p, size_t i, size_t at, cull_table *t)
{
    if (p->at[i].difference.flips)
        cull_table_printf(t, at, "%zu", p->at[i].difference.to_right);
}

static bool cells_differ(const pairs *p)
{
    return !p->one_cell;
}

static bool bases_differ(const pairs *p)
{
    return !p->one_base;
}

static bool has_outcomes(const pairs *p)
{
    return p->outcomes;
}

// Those before ITS_VALUE are repeated where the table is shown in parts.
enum {
    TASK,
    METRIC,
    CELL,
    BASE,
    ITS_VALUE, // under the base's name where it is one
    VALUE,     // under the cell's
    DIFFERENCE,
    P,
    HOLM,
    TO_WRONG,
    TO_RIGHT,
    N_COLUMNS
};

// clang-format off
static const struct {
    cull_table_column head;
    bool (*says)(const pairs *); // is the column there? NULL: always
    void (*put)(const pairs *, size_t i, size_t at, cull_table *);
} columns[N_COLUMNS] = {
    [TASK]       = { { .name = "task" },                             NULL,         put_task },
    [METRIC]     = { { .name = "metric" },                           NULL,         put_metric },
    [CELL]       = { { .name = "of" },                               cells_differ, put_cell },
    [BASE]       = { { .name = "against" },                          bases_differ, put_base },
    [ITS_VALUE]  = { { .name = "its value",         .right = true }, NULL,         put_its_value },
    [VALUE]      = { { .name = "value",             .right = true }, NULL,         put_value },
    [DIFFERENCE] = { { .name = "difference [95 %]", .right = true }, NULL,         put_difference },
    [P]          = { { .name = "p",                 .right = true }, NULL,         put_p },
    [HOLM]       = { { .name = "Holm",              .right = true }, NULL,         put_holm },
    [TO_WRONG]   = { { .name = "to wrong",          .right = true }, has_outcomes, put_to_wrong },
    [TO_RIGHT]   = { { .name = "to right",          .right = true }, has_outcomes, put_to_right },
};
// clang-format on

static bool says(const pairs *p, size_t column)
{
    return !columns[column].says || columns[column].says(p);
}

static void put_pair(const pairs *p, size_t i, cull_table *t)
{
    size_t at = 0;

    cull_table_row(t);
    for (size_t k = 0; k < N_COLUMNS; k++)
        if (says(p, k))
            columns[k].put(p, i, at++, t);
}

static cull_status make_columns(const pairs *p, cull_table *out)
{
    const cull_frame *f = p->frame;
    cull_table_column column[N_COLUMNS];
    size_t n = 0, fixed = 0;

    for (size_t k = 0; k < N_COLUMNS; k++) {
        if (!says(p, k))
            continue;
        column[n] = columns[k].head;
        if (k == ITS_VALUE && p->one_base)
            column[n].name = f->cell[p->at[0].base].method;
        if (k == VALUE && p->one_cell)
            column[n].name = f->cell[p->at[0].cell].method;
        fixed += k < ITS_VALUE;
        n++;
    }
    *out = cull_table_new(p->ctx, n, fixed, column);
    return out->status;
}

// Find and compare all pairs of a model; refuse where there are none.
static cull_status make_pairs(pairs *p, const char *model, const cull_pairing *how)
{
    cull_metric_views metric_views;

    CULL_TRY(views_of(p->ctx, p->frame, how, &metric_views));
    CULL_TRY(find_sides(p, model, how));
    if (p->n_sides == 0)
        return no_sides(p, model, how);
    CULL_TRY(gather(p, &metric_views));
    return p->n ? CULL_OK : nothing_in_common(p, &metric_views);
}

cull_status cull_view_pairs(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const cull_pairing *how, cull_table *out)
{
    pairs p = { .ctx = ctx, .frame = frame };

    CULL_TRY(make_pairs(&p, model, how));
    CULL_TRY(make_columns(&p, out));
    for (size_t i = 0; i < p.n; i++)
        put_pair(&p, i, out);
    return out->status;
}

// ---- as numbers ----

enum {
    T_MODEL,
    T_TASK,
    T_METRIC,
    T_HIGHER,
    T_SPARSITY,
    T_ALLOCATION,
    T_METHOD,
    T_AGAINST,
    T_VALUE,
    T_ITS_VALUE,
    T_DIFFERENCE, // and its low, high, p
    T_HOLM = T_DIFFERENCE + 4,
    T_TO_WRONG,
    T_TO_RIGHT,
    N_TIDY
};

// clang-format off
static const cull_table_column tidy[N_TIDY] = {
    [T_MODEL]          = { .name = "model" },
    [T_TASK]           = { .name = "task" },
    [T_METRIC]         = { .name = "metric" },
    [T_HIGHER]         = { .name = "higher_is_better", .number = true },
    [T_SPARSITY]       = { .name = "sparsity",         .number = true },
    [T_ALLOCATION]     = { .name = "allocation" },
    [T_METHOD]         = { .name = "method" },
    [T_AGAINST]        = { .name = "against" },
    [T_VALUE]          = { .name = "value",            .number = true },
    [T_ITS_VALUE]      = { .name = "its_value",        .number = true },
    [T_DIFFERENCE]     = { .name = "difference",       .number = true },
    [T_DIFFERENCE + 1] = { .name = "low",              .number = true },
    [T_DIFFERENCE + 2] = { .name = "high",             .number = true },
    [T_DIFFERENCE + 3] = { .name = "p",                .number = true },
    [T_HOLM]           = { .name = "holm",             .number = true },
    [T_TO_WRONG]       = { .name = "to_wrong",         .number = true },
    [T_TO_RIGHT]       = { .name = "to_right",         .number = true },
};
// clang-format on

static void put_tidy(const pairs *p, size_t i, cull_table *t)
{
    const pair *x = &p->at[i];
    const cull_frame_cell *cell = &p->frame->cell[x->cell];
    const cull_metric_view *m = x->metric_view;

    cull_table_row(t);
    cull_table_set(t, T_MODEL, cell->model);
    cull_table_set(t, T_TASK, m->task ? m->task : "mean");
    cull_table_set(t, T_METRIC, m->label);
    cull_table_set(t, T_HIGHER, m->higher_is_better ? "1" : "0");
    cull_table_real(t, T_SPARSITY, cell->sparsity);
    cull_table_set(t, T_ALLOCATION, cell->axis[CULL_AXIS_ALLOCATION]);
    cull_table_set(t, T_METHOD, cell->method);
    cull_table_set(t, T_AGAINST, p->frame->cell[x->base].method);
    cull_table_real(t, T_VALUE, x->own.value);
    cull_table_real(t, T_ITS_VALUE, x->theirs.value);
    cull_put_difference(t, T_DIFFERENCE, &x->difference.d, m->law);
    cull_table_real(t, T_HOLM, p->holm[i]);
    if (x->difference.flips) {
        cull_table_printf(t, T_TO_WRONG, "%zu", x->difference.to_wrong);
        cull_table_printf(t, T_TO_RIGHT, "%zu", x->difference.to_right);
    }
    cull_set_axes(t, N_TIDY, p->frame, cell->axis);
}

cull_status cull_view_pairs_tidy(cull_ctx *ctx, const cull_frame *frame, const cull_pairing *how,
                                 cull_table *out)
{
    *out = cull_table_with_axes(ctx, frame, N_TIDY, tidy);
    for (size_t c = 0; c < frame->n_cells; c++) {
        pairs p = { .ctx = ctx, .frame = frame };
        if (!cull_first_of_model(frame, c))
            continue;
        CULL_TRY(make_pairs(&p, frame->cell[c].model, how));
        for (size_t i = 0; i < p.n; i++)
            put_tidy(&p, i, out);
    }
    return out->status;
}
