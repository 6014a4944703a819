// The main table of `cull compare`: a row a cell, a column a metric.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/baseline.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

// The columns before the metrics'; between METHOD and REMOVED one for each axis.
enum { SPARSITY, METHOD, AXES, REMOVED = AXES, ACTIVE, SEEDS, FIXED };

// What is shown of one cell and metric view.
typedef struct shown {
    cull_estimate estimate;
    cull_comparison to_base;
    double holm; // p of it, adjusted over the table
    bool best;
} shown;

typedef struct view {
    cull_ctx *ctx;
    const cull_frame *frame;
    const cull_metric_views *metric_views;
    const cull_view_options *options;
    const char *model;
    size_t n,
        *cell;    // rows: cells of the model, in order; dense first, SIZE_MAX where it is missing
    shown *shown; // (n_cells, metric_views->n)
    bool use[FIXED], *use_axis; // which of the columns say something; (n_axes)
} view;

static const shown *shown_of(const view *v, size_t cell, size_t metric_view)
{
    return &v->shown[cell * v->metric_views->n + metric_view];
}

// ---- rows ----

static double rank_of(const view *v, size_t cell, size_t metric_view)
{
    const double value = shown_of(v, cell, metric_view)->estimate.value;
    const double good = v->metric_views->at[metric_view].higher_is_better ? value : -value;

    return isnan(good) ? -INFINITY : good;
}

static int by_number(double a, double b) // NaN last
{
    if (isnan(a) || isnan(b))
        return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
    return (a > b) - (a < b);
}

static size_t sort_measure(const view *v)
{
    for (size_t j = 0; v->options->metric_view && j < v->metric_views->n; j++)
        if (strcmp(v->metric_views->at[j].label, v->options->metric_view) == 0)
            return j;
    return 0;
}

static int order(const view *v, size_t a, size_t b)
{
    const cull_frame_cell *x = &v->frame->cell[a], *y = &v->frame->cell[b];
    const size_t metric_view = sort_measure(v);
    const int quality = v->metric_views->n
                            ? by_number(-rank_of(v, a, metric_view), -rank_of(v, b, metric_view))
                            : 0;
    const int sparsity = by_number(x->sparsity, y->sparsity), method = strcmp(x->method, y->method);
    const int keys[3][4] = { { sparsity, quality, method, 0 },
                             { method, sparsity, quality, 0 },
                             { quality, sparsity, method, 0 } };

    if (x->dense != y->dense)
        return x->dense ? -1 : 1;
    for (size_t i = 0; i < 3; i++)
        if (keys[v->options->sort][i])
            return keys[v->options->sort][i];
    return cull_axes_order(v->frame, x->axis, y->axis);
}

static void sort_rows(view *v) // by insertion: a table has tens of rows
{
    for (size_t i = 1; i < v->n; i++) {
        const size_t cell = v->cell[i];
        size_t j = i;
        for (; j > 0 && order(v, cell, v->cell[j - 1]) < 0; j--)
            v->cell[j] = v->cell[j - 1];
        v->cell[j] = cell;
    }
}

// Holm's adjustment of the differences that the table shows.
static cull_status adjust(view *v)
{
    const size_t m = v->metric_views->n, n = v->n * m;
    double *p = cull_scratch(v->ctx, n + 1, sizeof *p);

    if (!p)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        p[i] = v->shown[v->cell[i / m] * m + i % m].to_base.d.p;
    CULL_TRY(cull_holm(v->ctx, n, p, p));
    for (size_t i = 0; i < n; i++)
        v->shown[v->cell[i / m] * m + i % m].holm = p[i];
    return CULL_OK;
}

static cull_status gather(view *v)
{
    const size_t dense = cull_frame_dense(v->frame, v->model), m = v->metric_views->n;
    const size_t cells = v->frame->n_cells;

    v->cell = cull_take(v->ctx, cells + 1, sizeof *v->cell);
    v->shown = cull_take(v->ctx, cells * m + 1, sizeof *v->shown);
    bool *best = cull_take(v->ctx, cells * m + 1, sizeof *best);
    if (!v->cell || !v->shown || !best)
        return CULL_ENOMEM;

    CULL_TRY(cull_find_best(v->ctx, v->frame, v->metric_views, best, NULL));
    for (size_t c = 0; c < cells; c++) {
        if (strcmp(v->frame->cell[c].model, v->model) != 0)
            continue;
        v->cell[v->n++] = c;
        for (size_t j = 0; j < m; j++) {
            shown *s = &v->shown[c * m + j];
            s->best = best[c * m + j];
            CULL_TRY(cull_estimate_of(v->ctx, v->frame, c, &v->metric_views->at[j], &s->estimate));
            s->to_base.d.value = s->to_base.d.p = NAN;
            const size_t base = cull_baseline_of(v->frame, c, v->options->baseline);
            if (base != SIZE_MAX && !v->options->plain)
                CULL_TRY(cull_compare_cells(v->ctx, v->frame, base, c, &v->metric_views->at[j],
                                            &s->to_base));
        }
    }
    CULL_TRY(adjust(v));
    sort_rows(v);
    if (dense == SIZE_MAX) { // dense is always a row
        memmove(v->cell + 1, v->cell, v->n * sizeof *v->cell);
        v->cell[0] = SIZE_MAX;
        v->n++;
    }
    return CULL_OK;
}

// ---- the columns before the metrics' ----

static bool has_sparsity(const cull_frame_cell *c, const cull_frame_trial *t)
{
    (void)t;
    return !isnan(c->sparsity);
}

static bool has_removed(const cull_frame_cell *c, const cull_frame_trial *t)
{
    return !c->dense && !isnan(t->achieved);
}

static bool has_active(const cull_frame_cell *c, const cull_frame_trial *t)
{
    (void)c;
    return t->active > 0;
}

static bool has_seeds(const cull_frame_cell *c, const cull_frame_trial *t)
{
    (void)t;
    return c->n_trials > 1;
}

static void put_sparsity(const view *v, const cull_frame_cell *c, size_t at, cull_table *t)
{
    (void)v;
    if (!isnan(c->sparsity))
        cull_table_printf(t, at, "%g", c->sparsity);
}

static void put_method(const view *v, const cull_frame_cell *c, size_t at, cull_table *t)
{
    (void)v;
    cull_table_set(t, at, c->method);
}

static void put_share(const view *v, const cull_frame_cell *c, size_t at, cull_table *t,
                      double (*of)(const cull_frame_trial *))
{
    const double share = c->dense ? NAN : cull_cell_mean(v->frame, c, of);
    char text[CULL_SHOWN];

    cull_show_share(text, sizeof text, share);
    cull_table_set(t, at, text);
}

static double removed(const cull_frame_trial *t)
{
    return t->achieved;
}

static double active(const cull_frame_trial *t)
{
    return t->active;
}

static void put_removed(const view *v, const cull_frame_cell *c, size_t at, cull_table *t)
{
    put_share(v, c, at, t, removed);
}

static void put_active(const view *v, const cull_frame_cell *c, size_t at, cull_table *t)
{
    put_share(v, c, at, t, active);
}

static void put_seeds(const view *v, const cull_frame_cell *c, size_t at, cull_table *t)
{
    (void)v;
    cull_table_printf(t, at, "%zu", c->n_trials);
}

// A column is there where it says something of any row.
// clang-format off
static const struct {
    cull_table_column head; // name, number, …: see table.h
    bool (*says)(const cull_frame_cell *, const cull_frame_trial *first); // NULL: always
    void (*put)(const view *, const cull_frame_cell *, size_t at, cull_table *);
} fixed[FIXED] = {
    [SPARSITY] = { { "sparsity", true, false, true },  has_sparsity, put_sparsity },
    [METHOD]   = { { "method", false, false, false },  NULL,         put_method },
    [REMOVED]  = { { "removed", true, false, false },  has_removed,  put_removed },
    [ACTIVE]   = { { "active", true, false, false },   has_active,   put_active },
    [SEEDS]    = { { "seeds", true, false, true },     has_seeds,    put_seeds },
};
// clang-format on

// An axis whose value all share says nothing.
static cull_status find_useful(view *v)
{
    v->use_axis = cull_take(v->ctx, v->frame->n_axes, sizeof *v->use_axis);
    if (!v->use_axis)
        return CULL_ENOMEM;
    for (size_t i = 0; i < v->frame->n_axes; i++)
        v->use_axis[i] = cull_axis_varies(v->frame, v->model, i, 2);
    for (size_t k = 0; k < FIXED; k++)
        v->use[k] = !fixed[k].says;
    for (size_t i = 0; i < v->n; i++) {
        if (v->cell[i] == SIZE_MAX)
            continue;
        const cull_frame_cell *cell = &v->frame->cell[v->cell[i]];
        const cull_frame_trial *t = &v->frame->trial[v->frame->order[cell->first]];
        for (size_t k = 0; k < FIXED; k++)
            v->use[k] = v->use[k] || fixed[k].says(cell, t);
    }
    return CULL_OK;
}

// Their number is returned.
static size_t fixed_columns(const view *v, cull_table_column *column)
{
    size_t n = 0;

    for (size_t k = 0; k < FIXED; k++) {
        for (size_t a = 0; k == AXES && a < v->frame->n_axes; a++)
            if (v->use_axis[a])
                column[n++] = (cull_table_column){ .name = v->frame->axis[a] };
        if (v->use[k])
            column[n++] = fixed[k].head;
    }
    return n;
}

// The first column after them is returned. c NULL: dense, which is not there.
static size_t put_cell(const view *v, const cull_frame_cell *c, cull_table *t)
{
    size_t at = 0;

    for (size_t k = 0; k < FIXED; k++) {
        for (size_t a = 0; k == AXES && a < v->frame->n_axes; a++)
            if (v->use_axis[a])
                cull_table_set(t, at++, c ? c->axis[a] : "");
        if (v->use[k] && c)
            fixed[k].put(v, c, at, t);
        else if (k == METHOD)
            cull_table_set(t, at, "dense");
        at += v->use[k];
    }
    return at;
}

// ---- the columns of a metric ----

static void put_value(const view *v, const shown *s, const cull_metric_view *m, bool dense,
                      size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    (void)v, (void)dense;
    cull_show_value(text, sizeof text, &s->estimate, m->law);
    cull_table_set(t, at, text);
    if (s->best)
        cull_table_best(t, at);
}

static void put_sd(const view *v, const shown *s, const cull_metric_view *m, bool dense, size_t at,
                   cull_table *t)
{
    char text[CULL_SHOWN];

    (void)v, (void)dense;
    cull_show_sd(text, sizeof text, &s->estimate, m->law);
    cull_table_set(t, at, text);
}

static void put_difference(const view *v, const shown *s, const cull_metric_view *m, bool dense,
                           size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    if (dense && !v->options->baseline)
        return;
    cull_show_difference(text, sizeof text, &s->to_base.d, m->law);
    cull_table_set(t, at, isnan(s->to_base.d.value) && v->options->baseline ? "" : text);
}

static void put_holm(const view *v, const shown *s, const cull_metric_view *m, bool dense,
                     size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    (void)v, (void)m, (void)dense;
    cull_show_p(text, sizeof text, s->holm);
    cull_table_set(t, at, isnan(s->holm) ? "" : text);
}

enum { VALUE, SD, DIFFERENCE, HOLM, OF_METRIC };

static void (*const put_of[OF_METRIC])(const view *, const shown *, const cull_metric_view *,
                                       bool dense, size_t at, cull_table *) = {
    [VALUE] = put_value, [SD] = put_sd, [DIFFERENCE] = put_difference, [HOLM] = put_holm
};

static bool has(const view *v, size_t column)
{
    switch (column) {
    case VALUE:
        return true;
    case SD:
        return !v->options->plain && v->use[SEEDS];
    case DIFFERENCE:
        return !v->options->plain;
    default:
        return !v->options->plain && v->options->baseline;
    }
}

static void put_metrics(const view *v, size_t cell, size_t at, cull_table *t)
{
    for (size_t j = 0; j < v->metric_views->n; j++) {
        const shown *s = cell == SIZE_MAX ? NULL : shown_of(v, cell, j);
        if (!s)
            cull_table_set(t, at, "–");
        for (size_t k = 0; k < OF_METRIC; k++) {
            if (s && has(v, k))
                put_of[k](v, s, &v->metric_views->at[j], v->frame->cell[cell].dense, at, t);
            at += has(v, k);
        }
    }
}

static const char *heading(cull_ctx *ctx, const cull_metric_view *m, bool plain)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char *arrow = m->higher_is_better ? "↑" : "↓";

    if (m->task)
        return plain ? m->task : cull_arena_printf(arena, "%s %s %s", m->task, m->label, arrow);
    return cull_arena_printf(arena, "%s %s of %zu", m->label, arrow, m->k);
}

static const char *difference_heading(const view *v)
{
    const size_t dense = cull_frame_dense(v->frame, v->model);

    if (v->options->baseline)
        return cull_arena_printf(cull_context_of(v->ctx)->alloc, "to %s [95 %%]",
                                 v->options->baseline);
    return dense != SIZE_MAX && v->frame->cell[dense].checkpoint ? "difference [95 %]"
                                                                 : "to dense [95 %]";
}

static cull_status make_columns(const view *v, cull_table *out)
{
    const size_t room = FIXED + v->frame->n_axes + OF_METRIC * v->metric_views->n;
    cull_table_column *column = cull_take(v->ctx, room, sizeof *column);
    const char *to = difference_heading(v);

    if (!column || !to)
        return CULL_ENOMEM;

    size_t n = fixed_columns(v, column);
    const size_t n_fixed = n;
    for (size_t j = 0; j < v->metric_views->n; j++) {
        const char *name = heading(v->ctx, &v->metric_views->at[j], v->options->plain);
        const char *const names[OF_METRIC] = { name, "sd", to, "Holm" };
        if (!name)
            return cull_no_memory(v->ctx);
        for (size_t k = 0; k < OF_METRIC; k++)
            if (has(v, k))
                column[n++] = (cull_table_column){ names[k], true, k != VALUE, false };
    }
    *out = cull_table_new(v->ctx, n, n_fixed, column);
    return out->status;
}

cull_status cull_view_cells(cull_ctx *ctx, const cull_frame *frame, const char *model,
                            const cull_metric_views *metric_views, const cull_view_options *options,
                            cull_table *out)
{
    view v = {
        .ctx = ctx, .frame = frame, .metric_views = metric_views, .options = options, .model = model
    };

    CULL_TRY(gather(&v));
    CULL_TRY(find_useful(&v));
    CULL_TRY(make_columns(&v, out));
    for (size_t i = 0; i < v.n; i++) {
        const cull_frame_cell *c = v.cell[i] == SIZE_MAX ? NULL : &frame->cell[v.cell[i]];
        cull_table_row(out);
        put_metrics(&v, v.cell[i], put_cell(&v, c, out), out);
    }
    return out->status;
}
