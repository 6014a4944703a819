// Quality against sparsity, by method; quality against cost.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/page/sections.h"

// The methods of a model, each with its cells by sparsity: of all, or of one facet.
typedef struct lines {
    const char *facet; // "global, wiki": the values of the axes that vary; NULL: all in one
    size_t n;
    const char **name;
    size_t *n_cells, **cell; // (n)
    size_t *colour;          // (n) and mark
} lines;

static bool is_known(const lines *l, const char *name, size_t *at)
{
    for (*at = 0; *at < l->n; ++*at)
        if (strcmp(l->name[*at], name) == 0)
            return true;

    return false;
}

// Does a cell stand in the facet of `like`: has it no value of an axis, or the same?
static bool in_facet(const cull_frame *f, const cull_frame_cell *cell, const cull_frame_cell *like)
{
    for (size_t i = 0; like && i < f->n_axes; i++)
        if (*cell->axis[i] && *like->axis[i] && strcmp(cell->axis[i], like->axis[i]) != 0)
            return false;
    return true;
}

// like: a cell of the facet, NULL: all cells.
static cull_status find_lines(const report *r, const char *model, const cull_frame_cell *like,
                              lines *out)
{
    size_t n;
    const size_t *cells = report_cells(r, model, &n);

    *out = (lines){ 0 };
    out->name = cull_take(r->ctx, n + 1, sizeof *out->name);
    out->n_cells = cull_take(r->ctx, n + 1, sizeof *out->n_cells);
    out->cell = cull_take(r->ctx, n + 1, sizeof *out->cell);
    out->colour = cull_take(r->ctx, n + 1, sizeof *out->colour);
    if (!cells || !out->name || !out->n_cells || !out->cell || !out->colour)
        return CULL_ENOMEM;

    for (size_t i = 0; i < n; i++) {
        size_t at;
        const cull_frame_cell *cell = &r->frame->cell[cells[i]];
        const char *name = like ? cell->method : report_method(r, cells[i]);
        if (cell->checkpoint || !in_facet(r->frame, cell, like)) // of checkpoints no cost is known
            continue;
        if (!is_known(out, name, &at)) {
            out->cell[at] = cull_take(r->ctx, n, sizeof *out->cell[at]);
            if (!out->cell[at])
                return CULL_ENOMEM;
            out->name[at] = name;
            out->colour[at] = at;
            out->n++;
        }
        out->cell[at][out->n_cells[at]++] = cells[i];
    }
    return CULL_OK;
}

// ---- facets ----

typedef struct facets {
    size_t n;
    lines *at;
    lines all; // of the model, in one
} facets;

// Which axes vary and of which the cell has values: how many.
static size_t values_of(const report *r, const char *model, const cull_frame_cell *cell)
{
    size_t n = 0;

    for (size_t i = 0; i < r->frame->n_axes; i++)
        n += *cell->axis[i] && cull_axis_varies(r->frame, model, i, 2);
    return n;
}

static const char *facet_name(const report *r, size_t cell)
{
    cull_buf name = CULL_BUF_INIT;

    cull_put_axes(r->frame, cell, &name);
    const size_t comma = name.n > 2 ? 2 : 0;
    const char *copy = name.failed || !name.s ? NULL
                                              : cull_arena_copy(cull_context_of(r->ctx)->alloc,
                                                                name.s + comma, name.n - comma);
    cull_buf_release(&name);
    return copy;
}

// A method has one colour in all facets, where there are enough for all methods.
static cull_status colour_alike(const report *r, facets *f)
{
    lines all = { 0 };
    size_t n = 0;

    for (size_t k = 0; k < f->n; k++)
        n += f->at[k].n;
    all.name = cull_take(r->ctx, n + 1, sizeof *all.name);
    if (!all.name)
        return CULL_ENOMEM;
    for (size_t k = 0; k < f->n; k++)
        for (size_t i = 0, at; i < f->at[k].n; i++)
            if (!is_known(&all, f->at[k].name[i], &at))
                all.name[all.n++] = f->at[k].name[i];
    for (size_t k = 0; k < f->n && all.n <= CULL_SERIES_COLOURS; k++)
        for (size_t i = 0; i < f->at[k].n; i++)
            (void)is_known(&all, f->at[k].name[i], &f->at[k].colour[i]);
    return CULL_OK;
}

// At most so many series are in one drawing. More methods are drawn in several; where axes make
// them many, there is a facet for each combination of their values.
static cull_status find_facets(const report *r, const char *model, facets *out)
{
    size_t n, most = 0;
    const size_t *cells = report_cells(r, model, &n);

    out->at = cull_take(r->ctx, n + 1, sizeof *out->at);
    out->n = 1;
    if (!cells || !out->at)
        return CULL_ENOMEM;
    CULL_TRY(find_lines(r, model, NULL, &out->all));
    out->at[0] = out->all;
    for (size_t i = 0; i < n; i++)
        most = (size_t)fmax((double)most, (double)values_of(r, model, &r->frame->cell[cells[i]]));
    if (out->at[0].n <= CULL_SERIES_COLOURS || most == 0)
        return CULL_OK;
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        const cull_frame_cell *cell = &r->frame->cell[cells[i]];
        if (values_of(r, model, cell) < most) // it stands beside all of them, and has no name
            continue;
        const char *name = facet_name(r, cells[i]);
        bool known = false;
        if (!name)
            return cull_no_memory(r->ctx);
        for (size_t k = 0; k < out->n && !known; k++)
            known = strcmp(out->at[k].facet, name) == 0;
        if (known)
            continue;
        CULL_TRY(find_lines(r, model, cell, &out->at[out->n]));
        out->at[out->n++].facet = name;
    }
    return colour_alike(r, out);
}

// Lines [first, first + most) of some, as lines of their own.
static lines some_lines(const lines *l, size_t first, size_t most)
{
    const size_t left = l->n - first;

    return (lines){ .facet = l->facet,
                    .n = left < most ? left : most,
                    .name = l->name + first,
                    .n_cells = l->n_cells + first,
                    .cell = l->cell + first,
                    .colour = l->colour + first };
}

// Facets have the same axes, which hold the lines of all. Where there is one facet, its drawings,
// best methods first, have axes of their own: on those of the worst the best are one line.
typedef struct shared_scale { // the series of all lines, made once
    bool made;
    size_t n;
    cull_series *series;
} shared_scale;

typedef struct shared_scales {
    const lines *all; // NULL: drawings have axes of their own
    shared_scale *at; // of each thing that is shown: curve_key, cost_key
} shared_scales;

typedef cull_status (*draw_fn)(const report *r, const lines *l, const shared_scales *scales,
                               const char *model);

// Methods in a drawing: as few drawings as there can be, and none of them nearly empty.
static size_t lines_at_a_time(size_t n)
{
    const size_t drawings = (n + CULL_SERIES_COLOURS - 1) / CULL_SERIES_COLOURS;

    return drawings ? (n + drawings - 1) / drawings : 1;
}

enum { COST_ALL, COST_ACTIVE, COST_SECONDS, N_COSTS };

static size_t things_shown(const report *r)
{
    return N_COSTS * r->macro.metric_views.n + r->each.metric_views.n + 1;
}

// Every facet, at most eight methods at a time.
static cull_status each_drawing(const report *r, const char *model, draw_fn draw)
{
    facets f;

    CULL_TRY(find_facets(r, model, &f));
    const shared_scales scales = { .all = f.n == 1 ? NULL : &f.all,
                                   .at = cull_take(r->ctx, things_shown(r), sizeof *scales.at) };
    if (!scales.at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f.n; i++) {
        const lines *l = &f.at[i];
        const size_t most = lines_at_a_time(l->n);
        for (size_t first = 0; first < l->n; first += most) {
            const lines some = some_lines(l, first, most);
            if (l->facet || l->n > some.n) {
                cull_buf_puts(r->page, "<h4>");
                cull_page_text(r->page, l->facet ? l->facet : "");
                if (l->n > some.n)
                    cull_buf_printf(r->page, "%smethods %zu to %zu of %zu, by value%s",
                                    l->facet ? ": " : "", first + 1, first + some.n, l->n,
                                    f.n > 1 ? "" : "; axes of their own");
                cull_buf_puts(r->page, "</h4>\n");
            }
            CULL_TRY(draw(r, &some, &scales, model));
        }
    }
    return CULL_OK;
}

// ---- points ----

// On the scale where it is read: perplexities, and their ratios.
static cull_point point_of(const cull_difference *d, enum cull_law law, double x)
{
    return law == CULL_LAW_EXP ? (cull_point){ x, exp(d->value), exp(d->low), exp(d->high), NULL }
                               : (cull_point){ x, d->value, d->low, d->high, NULL };
}

// Value with its 95 % band, over items and seeds.
static cull_point value_point(const numbers *n, size_t cell, size_t metric_view, double x)
{
    return point_of(&n->interval[number_at(n, cell, metric_view)],
                    n->metric_views.at[metric_view].law, x);
}

// Difference to dense with its paired interval, as a ratio for perplexities.
static cull_point difference_point(const numbers *n, size_t cell, size_t metric_view, double x)
{
    return point_of(&n->to_dense[number_at(n, cell, metric_view)].d,
                    n->metric_views.at[metric_view].law, x);
}

typedef cull_point (*point_fn)(const numbers *n, size_t cell, size_t metric_view, double x);

// The methods' points of one metric view, from dense at sparsity 0 on.
static cull_status make_series(const report *r, const lines *l, const numbers *n,
                               size_t metric_view, size_t dense, point_fn point, cull_series **out,
                               size_t *n_out)
{
    const bool ratio = n->metric_views.at[metric_view].law == CULL_LAW_EXP;

    *out = cull_take(r->ctx, l->n + 1, sizeof **out);
    *n_out = 0;
    if (!*out)
        return CULL_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        cull_point *points = cull_take(r->ctx, l->n_cells[i] + 1, sizeof *points);
        size_t k = 0;
        if (!points)
            return CULL_ENOMEM;
        for (size_t j = 0; j < l->n_cells[i]; j++) {
            const double x = r->frame->cell[l->cell[i][j]].sparsity;
            if (isnan(x))
                continue;
            if (k == 0 && dense != SIZE_MAX) {
                const double same = ratio ? 1 : 0;
                points[k++] = point == value_point ? value_point(n, dense, metric_view, 0)
                                                   : (cull_point){ 0, same, same, same, NULL };
            }
            points[k++] = point(n, l->cell[i][j], metric_view, x);
        }
        if (k > 0)
            (*out)[(*n_out)++] = (cull_series){ l->name[i], l->colour[i], k, points };
    }
    return CULL_OK;
}

// ---- curves ----

// Values of views, their differences, and values by task.
static size_t curve_key(const report *r, const numbers *n, size_t metric_view, point_fn point)
{
    const size_t kind = n == &r->each ? 2 : point == difference_point ? 1 : 0;

    return kind * r->macro.metric_views.n + metric_view;
}

static cull_status curve_scale(const report *r, const shared_scales *scales, const numbers *n,
                               size_t metric_view, size_t dense, point_fn point, shared_scale *out)
{
    shared_scale *s = &scales->at[curve_key(r, n, metric_view, point)];

    if (scales->all && !s->made)
        CULL_TRY(make_series(r, scales->all, n, metric_view, dense, point, &s->series, &s->n));
    s->made = true;
    *out = *s;
    return CULL_OK;
}

static cull_status put_curve(const report *r, const lines *l, const shared_scales *scales,
                             const numbers *n, size_t metric_view, size_t dense, point_fn point,
                             bool small, const char *title)
{
    cull_series *series;
    size_t n_series;
    shared_scale all;
    const cull_metric_view *m = &n->metric_views.at[metric_view];

    CULL_TRY(make_series(r, l, n, metric_view, dense, point, &series, &n_series));
    CULL_TRY(curve_scale(r, scales, n, metric_view, dense, point, &all));
    if (n_series == 0)
        return CULL_OK;
    const bool difference = point == difference_point;
    const double reference = difference ? m->law == CULL_LAW_EXP ? 1 : 0
                             : dense == SIZE_MAX
                                 ? NAN
                                 : n->estimate[number_at(n, dense, metric_view)].value;
    return report_chart(r, &(cull_chart){ .title = title,
                                          .x_label = "sparsity",
                                          .width = small ? 250 : 460,
                                          .height = small ? 180 : 300,
                                          .log_y = m->law == CULL_LAW_EXP,
                                          .lines = true,
                                          .percent_x = true,
                                          .reference = reference,
                                          .reference_name = small ? "" : "dense",
                                          .n = n_series,
                                          .series = series,
                                          .n_scale = all.n,
                                          .scale = all.series });
}

static const char *title_of(const report *r, const cull_metric_view *m, const char *what)
{
    cull_arena *arena = cull_context_of(r->ctx)->alloc;

    return cull_arena_printf(arena, "%s%s%s %s%s", m->task ? m->task : "", m->task ? " " : "",
                             m->label, m->higher_is_better ? "↑" : "↓", what);
}

static cull_status put_legend(const report *r, const lines *l)
{
    cull_series *named = cull_take(r->ctx, l->n + 1, sizeof *named);

    if (!named)
        return CULL_ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        named[i] = (cull_series){ l->name[i], l->colour[i], 0, NULL };
    cull_page_legend(r->page, l->n, named);
    return CULL_OK;
}

static cull_status draw_curves(const report *r, const lines *l, const shared_scales *scales,
                               const char *model)
{
    const numbers *n = &r->macro;
    const size_t dense = cull_frame_dense(r->frame, model);

    CULL_TRY(put_legend(r, l));
    for (size_t j = 0; j < n->metric_views.n; j++) {
        const cull_metric_view *m = &n->metric_views.at[j];
        const bool ratio = m->law == CULL_LAW_EXP;
        cull_buf_puts(r->page, "<div class=\"pair\">");
        CULL_TRY(put_curve(r, l, scales, n, j, dense, value_point, false, title_of(r, m, "")));
        if (dense != SIZE_MAX)
            CULL_TRY(put_curve(r, l, scales, n, j, dense, difference_point, false,
                               title_of(r, m, ratio ? ", times dense's" : ", less dense's")));
        cull_buf_puts(r->page, "</div>\n");
        if (m->task)
            continue;
        cull_buf_printf(r->page, "<details%s><summary>", l->facet ? "" : " open");
        cull_page_text(r->page, m->label);
        cull_buf_puts(r->page, " by task</summary>\n<div class=\"small\">\n");
        for (size_t t = 0; t < r->each.metric_views.n; t++)
            if (strcmp(r->each.metric_views.at[t].label, m->label) == 0 &&
                r->each.metric_views.at[t].law != CULL_LAW_NONE)
                CULL_TRY(put_curve(r, l, scales, &r->each, t, dense, value_point, true,
                                   title_of(r, &r->each.metric_views.at[t], "")));
        cull_buf_puts(r->page, "</div></details>\n");
    }
    return CULL_OK;
}

cull_status report_curves(const report *r, const char *model)
{
    return each_drawing(r, model, draw_curves);
}

// ---- cost ----

static double parameters_kept(const cull_frame_trial *t)
{
    return 1 - t->achieved_all;
}

static double active_kept(const cull_frame_trial *t)
{
    return 1 - t->active;
}

static double calibration_seconds(const cull_frame_trial *t)
{
    return t->calibrate_s;
}

static size_t cost_key(const report *r, size_t metric_view, size_t which)
{
    return which * r->macro.metric_views.n + metric_view;
}

static double cost_of(const report *r, size_t cell, size_t which)
{
    static double (*const of[N_COSTS])(const cull_frame_trial *) = { parameters_kept, active_kept,
                                                                     calibration_seconds };

    return cull_cell_mean(r->frame, &r->frame->cell[cell], of[which]);
}

static cull_status cost_series(const report *r, const lines *l, size_t metric_view, size_t which,
                               cull_series **out)
{
    cull_series *series = *out = cull_take(r->ctx, l->n + 1, sizeof *series);

    if (!series)
        return CULL_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        cull_point *points = cull_take(r->ctx, l->n_cells[i], sizeof *points);
        if (!points)
            return CULL_ENOMEM;
        for (size_t j = 0; j < l->n_cells[i]; j++)
            points[j] = value_point(&r->macro, l->cell[i][j], metric_view,
                                    cost_of(r, l->cell[i][j], which));
        series[i] = (cull_series){ l->name[i], l->colour[i], l->n_cells[i], points };
    }
    return CULL_OK;
}

// Do the costs differ, so that there is something to see?
static bool costs_differ(size_t n, const cull_series *series, size_t which)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < series[i].n; j++) {
            low = fmin(low, series[i].point[j].x);
            high = fmax(high, series[i].point[j].x);
        }
    return which == COST_SECONDS ? high - low > 1 : high - low > 0.005 * fabs(high);
}

static cull_status cost_scale(const report *r, const shared_scales *scales, size_t metric_view,
                              size_t which, shared_scale *out)
{
    shared_scale *s = &scales->at[cost_key(r, metric_view, which)];

    if (scales->all && !s->made) {
        CULL_TRY(cost_series(r, scales->all, metric_view, which, &s->series));
        s->n = scales->all->n;
    }
    s->made = true;
    *out = *s;
    return CULL_OK;
}

static cull_status put_cost(const report *r, const lines *l, const shared_scales *scales,
                            size_t metric_view, size_t dense, size_t which)
{
    static const char *const names[N_COSTS] = { "parameters kept", "active parameters kept",
                                                "seconds of calibration" };
    const cull_metric_view *m = &r->macro.metric_views.at[metric_view];
    cull_series *series;
    shared_scale all;

    CULL_TRY(cost_series(r, l, metric_view, which, &series));
    CULL_TRY(cost_scale(r, scales, metric_view, which, &all));
    if (!costs_differ(l->n, series, which))
        return CULL_OK;
    return report_chart(
        r, &(cull_chart){
               .title = title_of(r, m, ""),
               .x_label = names[which],
               .width = 390,
               .height = 270,
               .log_y = m->law == CULL_LAW_EXP,
               .percent_x = which != COST_SECONDS,
               .reference = dense == SIZE_MAX
                                ? NAN
                                : r->macro.estimate[number_at(&r->macro, dense, metric_view)].value,
               .reference_name = "dense",
               .n = l->n,
               .series = series,
               .n_scale = all.n,
               .scale = all.series });
}

static cull_status draw_costs(const report *r, const lines *l, const shared_scales *scales,
                              const char *model)
{
    const size_t dense = cull_frame_dense(r->frame, model);

    CULL_TRY(put_legend(r, l));
    for (size_t j = 0; j < r->macro.metric_views.n; j++) {
        cull_buf_puts(r->page, "<div class=\"pair\">");
        for (size_t which = 0; which < N_COSTS; which++)
            CULL_TRY(put_cost(r, l, scales, j, dense, which));
        cull_buf_puts(r->page, "</div>\n");
    }
    return CULL_OK;
}

cull_status report_cost(const report *r, const char *model)
{
    return each_drawing(r, model, draw_costs);
}
