// The main table of `cull compare`: a row a cell, a column a metric.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/baseline.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

enum { FIXED = 6 };

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
    return strcmp(x->allocation, y->allocation);
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

    CULL_TRY(cull_find_best(v->ctx, v->frame, v->metric_views, best));
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

// ---- the table ----

// Which of the fixed columns say something (an allocation that all share does not): sparsity,
// method, allocation, removed, active, seeds.
static void useful(const view *v, bool use[FIXED])
{
    const char *allocation = NULL;
    use[1] = true;
    for (size_t i = 0; i < v->n; i++) {
        if (v->cell[i] == SIZE_MAX)
            continue;
        const cull_frame_cell *cell = &v->frame->cell[v->cell[i]];
        const cull_frame_trial *t = &v->frame->trial[v->frame->order[cell->first]];
        use[2] |= *cell->allocation && allocation && strcmp(cell->allocation, allocation) != 0;
        allocation = *cell->allocation ? cell->allocation : allocation;
        use[0] |= !isnan(cell->sparsity);
        use[3] |= !cell->dense && !isnan(t->achieved);
        use[4] |= t->active > 0;
        use[5] |= cell->n_trials > 1;
    }
}

static void percent(char *to, size_t room, double fraction)
{
    if (!isnan(fraction))
        snprintf(to, room, "%.1f %%", 100 * fraction);
}

// The text of a fixed column.
static void fixed_text(const view *v, const cull_frame_cell *c, size_t column, char *to,
                       size_t room)
{
    double achieved = 0, active = 0;
    for (size_t s = 0; s < c->n_trials; s++) {
        const cull_frame_trial *trial = &v->frame->trial[v->frame->order[c->first + s]];
        achieved += trial->achieved / (double)c->n_trials;
        active += trial->active / (double)c->n_trials;
    }
    *to = '\0';
    if (column == 0 && !isnan(c->sparsity))
        snprintf(to, room, "%g", c->sparsity);
    else if (column == 1 || column == 2)
        snprintf(to, room, "%s", column == 1 ? c->method : c->allocation);
    else if ((column == 3 || column == 4) && !c->dense)
        percent(to, room, column == 3 ? achieved : active);
    else if (column == 5)
        snprintf(to, room, "%zu", c->n_trials);
}

// The fixed columns that are used; the first one after them is returned.
static size_t put_cell(const view *v, size_t cell, const bool use[FIXED], cull_table *t)
{
    size_t at = 0;
    for (size_t i = 0; i < FIXED; i++) {
        char text[CULL_SHOWN];
        if (!use[i])
            continue;
        if (cell != SIZE_MAX)
            fixed_text(v, &v->frame->cell[cell], i, text, sizeof text);
        else
            snprintf(text, sizeof text, "%s", i == 1 ? "dense" : "");
        cull_table_set(t, at++, text);
    }
    return at;
}

static void put_measures(const view *v, size_t cell, size_t at, bool sd, cull_table *t)
{
    for (size_t j = 0; j < v->metric_views->n; j++) {
        const shown *s = cell == SIZE_MAX ? NULL : shown_of(v, cell, j);
        const enum cull_law law = v->metric_views->at[j].law;
        char text[CULL_SHOWN];
        if (s) {
            cull_show_value(text, sizeof text, &s->estimate, law);
            cull_table_set(t, at, text);
            if (s->best)
                cull_table_best(t, at);
        } else {
            cull_table_set(t, at, "–");
        }
        at++;
        if (v->options->plain)
            continue;
        if (sd && s) {
            cull_show_sd(text, sizeof text, &s->estimate, law);
            cull_table_set(t, at, text);
        }
        at += sd;
        if (s && (v->options->baseline || !v->frame->cell[cell].dense)) {
            cull_show_difference(text, sizeof text, &s->to_base.d, law);
            cull_table_set(t, at, isnan(s->to_base.d.value) && v->options->baseline ? "" : text);
        }
        at++;
        if (v->options->baseline && s) {
            cull_show_p(text, sizeof text, s->holm);
            cull_table_set(t, at, isnan(s->holm) ? "" : text);
        }
        at += v->options->baseline != NULL;
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

static cull_status make_columns(const view *v, const bool use[FIXED], bool sd, cull_table *out)
{
    static const cull_table_column fixed[FIXED] = {
        { "sparsity", true, false, true },     { "method", false, false, false },
        { "allocation", false, false, false }, { "removed", true, false, false },
        { "active", true, false, false },      { "seeds", true, false, true },
    };
    const size_t room = FIXED + 4 * v->metric_views->n;
    cull_table_column *column = cull_take(v->ctx, room, sizeof *column);
    const char *to = difference_heading(v);
    size_t n = 0;
    if (!column || !to)
        return CULL_ENOMEM;

    for (size_t i = 0; i < FIXED; i++)
        if (use[i])
            column[n++] = fixed[i];
    const size_t n_fixed = n;
    for (size_t j = 0; j < v->metric_views->n; j++) {
        const char *name = heading(v->ctx, &v->metric_views->at[j], v->options->plain);
        if (!name)
            return cull_no_memory(v->ctx);
        column[n++] = (cull_table_column){ name, true, false, false };
        if (!v->options->plain && sd)
            column[n++] = (cull_table_column){ "sd", true, true, false };
        if (!v->options->plain)
            column[n++] = (cull_table_column){ to, true, true, false };
        if (!v->options->plain && v->options->baseline)
            column[n++] = (cull_table_column){ "Holm", true, true, false };
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
    bool use[FIXED] = { false };

    CULL_TRY(gather(&v));
    useful(&v, use);
    CULL_TRY(make_columns(&v, use, use[5], out));
    for (size_t i = 0; i < v.n; i++) {
        cull_table_row(out);
        put_measures(&v, v.cell[i], put_cell(&v, v.cell[i], use, out), use[5], out);
    }
    return out->status;
}
