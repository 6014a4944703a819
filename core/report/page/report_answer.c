// The answer in sentences, each with its evidence; and every two methods side by side.
#include <math.h>
#include <string.h>

#include "report/baseline.h"
#include "report/page/sections.h"
#include "report/tables/views.h"

static const size_t NONE = SIZE_MAX;

// ---- who is best at a sparsity ----

typedef struct podium { // of the cells of one model that compete, by one metric view
    size_t first, second, n;
} podium;

static double goodness(const numbers *n, size_t cell, size_t metric_view)
{
    const double value = n->estimate[number_at(n, cell, metric_view)].value;

    return n->metric_views.at[metric_view].higher_is_better ? value : -value;
}

static podium find_podium(const report *r, const size_t *cells, size_t n_cells, size_t like,
                          size_t metric_view)
{
    const numbers *n = &r->macro;
    podium out = { NONE, NONE, 0 };

    for (size_t i = 0; i < n_cells; i++) {
        const size_t c = cells[i];
        if (!cull_compete(r->frame, c, like) || isnan(goodness(n, c, metric_view)))
            continue;
        out.n++;
        if (out.first == NONE ||
            goodness(n, c, metric_view) > goodness(n, out.first, metric_view)) {
            out.second = out.first;
            out.first = c;
        } else if (out.second == NONE ||
                   goodness(n, c, metric_view) > goodness(n, out.second, metric_view))
            out.second = c;
    }
    return out;
}

// ---- sentences ----

static void put_name(const report *r, size_t cell)
{
    cull_buf_puts(r->page, "<b>");
    cull_page_text(r->page, report_method(r, cell));
    cull_buf_puts(r->page, "</b>");
}

static void put_label(const report *r, const cull_metric_view *m)
{
    cull_page_text(r->page, m->label);
    if (m->task) {
        cull_buf_puts(r->page, " of ");
        cull_page_text(r->page, m->task);
    }
}

// " (2.3 % [1.9, 2.8], p = 0.003)": the p that the sentence before it rests on, by Holm.
static void put_evidence(const report *r, const cull_comparison *c, const cull_metric_view *m,
                         double holm)
{
    cull_buf_puts(r->page, " (");
    report_difference(r->page, &c->d, m->law);
    if (!isnan(holm))
        cull_buf_printf(r->page, holm < 0.001 ? ", p &lt; 0.001" : ", p = %.3f", holm);
    cull_buf_puts(r->page, ")");
}

// "At 0.5, mone is best of 6 by perplexity: 3.446, +61.9 % [..] to dense; better than mone-drop
// (…)."
static cull_status put_best(const report *r, const podium *p, size_t metric_view)
{
    const numbers *n = &r->macro;
    const cull_metric_view *m = &n->metric_views.at[metric_view];
    const size_t at = number_at(n, p->first, metric_view);
    cull_comparison c;

    CULL_TRY(cull_compare_cells(r->ctx, r->frame, p->second, p->first, m, &c));
    cull_buf_printf(r->page, "<li>At %g, ", r->frame->cell[p->first].sparsity);
    put_name(r, p->first);
    cull_buf_printf(r->page, n->best[at] ? " is the best of %zu by " : " comes first of %zu by ",
                    p->n);
    put_label(r, m);
    cull_buf_puts(r->page, ": ");
    report_value(r->page, n->estimate[at].value, m->law);
    if (!isnan(n->to_dense[at].d.value)) {
        cull_buf_puts(r->page, ", ");
        report_difference(r->page, &n->to_dense[at].d, m->law);
        cull_buf_puts(r->page, " to dense");
    }
    cull_buf_puts(r->page, n->best[at] ? "; better than " : "; it cannot be told from ");
    put_name(r, p->second);
    put_evidence(r, &c, m, n->best_p[at]);
    cull_buf_puts(r->page, ".</li>\n");
    return CULL_OK;
}

// Is cell i, which has a sparsity, the first of those that compete with it?
static bool leads(const report *r, const size_t *cells, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (cull_compete(r->frame, cells[k], cells[i]))
            return false;
    return !isnan(r->frame->cell[cells[i]].sparsity);
}

static cull_status put_bests(const report *r, const size_t *cells, size_t n)
{
    for (size_t j = 0; j < r->macro.metric_views.n; j++)
        for (size_t i = 0; i < n; i++) {
            if (!leads(r, cells, i))
                continue;
            const podium p = find_podium(r, cells, n, cells[i], j);
            if (p.second != NONE)
                CULL_TRY(put_best(r, &p, j));
        }
    return CULL_OK;
}

typedef struct rivalry { // a cell and its baseline, by one metric view
    size_t base, cell, metric_view;
    cull_comparison c;
    double holm; // p, adjusted over all of them
} rivalry;

typedef struct rivalries {
    size_t n;
    rivalry *at;
} rivalries;

// More sentences than these are summed up, and folded away.
enum { READ_AT_ONCE = 8 };

// "stun at 0.5 is better than wanda by acc (+0.03 [+0.02, +0.04], p = 0.003)."
static void put_rivalry(const report *r, const rivalry *of)
{
    const cull_metric_view *m = &r->macro.metric_views.at[of->metric_view];
    const double sparsity = r->frame->cell[of->cell].sparsity;
    const bool better = (of->c.d.value > 0) == m->higher_is_better;

    cull_buf_puts(r->page, "<li>");
    put_name(r, of->cell);
    if (!isnan(sparsity))
        cull_buf_printf(r->page, " at %g", sparsity);
    cull_buf_puts(r->page, !(of->holm <= 0.05) ? " cannot be told from "
                           : better            ? " is better than "
                                               : " is worse than ");
    put_name(r, of->base);
    cull_buf_puts(r->page, " by ");
    put_label(r, m);
    put_evidence(r, &of->c, m, of->holm);
    cull_buf_puts(r->page, ".</li>\n");
}

// Every cell against its baseline, by every metric; p adjusted over them all.
static cull_status find_rivalries(const report *r, const size_t *cells, size_t n_cells,
                                  rivalries *out)
{
    const size_t m = r->macro.metric_views.n, room = n_cells * m + 1;
    double *p = cull_take(r->ctx, room, sizeof *p);

    *out = (rivalries){ .at = cull_take(r->ctx, room, sizeof *out->at) };
    if (!out->at || !p)
        return CULL_ENOMEM;
    for (size_t j = 0; j < m; j++)
        for (size_t i = 0; i < n_cells; i++) {
            const size_t base = cull_baseline_of(r->frame, cells[i], r->baseline);
            rivalry *of = &out->at[out->n];
            *of = (rivalry){ .base = base, .cell = cells[i], .metric_view = j };
            if (base == NONE)
                continue;
            CULL_TRY(cull_compare_cells(r->ctx, r->frame, base, cells[i],
                                        &r->macro.metric_views.at[j], &of->c));
            p[out->n] = of->c.d.p;
            out->n += isnan(of->c.d.value) ? 0 : 1;
        }
    CULL_TRY(cull_holm(r->ctx, out->n, p, p));
    for (size_t i = 0; i < out->n; i++)
        out->at[i].holm = p[i];
    return CULL_OK;
}

// What is set against the baseline: a method, or a value of the baseline's axis.
static const char *side_of(const report *r, size_t cell)
{
    const size_t axis = cull_baseline_axis(r->frame, r->baseline);
    const cull_frame_cell *c = &r->frame->cell[cell];

    return axis == SIZE_MAX ? c->method : c->axis[axis];
}

// "global is better than allocation=layer by perplexity in 5 of 8 comparisons, worse in 1."
static void put_sum(const report *r, const rivalries *all, size_t first)
{
    const rivalry *lead = &all->at[first];
    const cull_metric_view *m = &r->macro.metric_views.at[lead->metric_view];
    size_t n = 0, better = 0, worse = 0;

    for (size_t i = 0; i < all->n; i++) {
        const rivalry *of = &all->at[i];
        if (of->metric_view != lead->metric_view ||
            strcmp(side_of(r, of->cell), side_of(r, lead->cell)) != 0)
            continue;
        n++;
        better += of->holm <= 0.05 && (of->c.d.value > 0) == m->higher_is_better;
        worse += of->holm <= 0.05 && (of->c.d.value > 0) != m->higher_is_better;
    }
    cull_buf_puts(r->page, "<li><b>");
    cull_page_text(r->page, side_of(r, lead->cell));
    cull_buf_puts(r->page, "</b> against <b>");
    cull_page_text(r->page, r->baseline);
    cull_buf_puts(r->page, "</b> by ");
    put_label(r, m);
    cull_buf_printf(r->page, ": better in %zu of %zu comparison%s, worse in %zu.</li>\n", better, n,
                    n == 1 ? "" : "s", worse);
}

static bool is_first_of_side(const report *r, const rivalries *all, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (all->at[j].metric_view == all->at[i].metric_view &&
            strcmp(side_of(r, all->at[j].cell), side_of(r, all->at[i].cell)) == 0)
            return false;
    return true;
}

// What is claimed holds by Holm over all these sentences.
static cull_status put_against(const report *r, const size_t *cells, size_t n_cells)
{
    rivalries all;

    CULL_TRY(find_rivalries(r, cells, n_cells, &all));
    const bool many = all.n > READ_AT_ONCE;
    for (size_t i = 0; i < all.n && many; i++)
        if (is_first_of_side(r, &all, i))
            put_sum(r, &all, i);
    if (many)
        cull_buf_printf(r->page,
                        "<li><details><summary>each of the %zu comparisons</summary><ul>\n", all.n);
    for (size_t i = 0; i < all.n; i++)
        put_rivalry(r, &all.at[i]);
    if (many)
        cull_buf_puts(r->page, "</ul></details></li>\n");
    return CULL_OK;
}

cull_status report_answer(const report *r, const char *model)
{
    size_t n;
    const size_t *cells = report_cells(r, model, &n);

    if (!cells)
        return CULL_ENOMEM;
    const size_t mark = r->page->n;
    cull_buf_puts(r->page, "<ul class=\"answer\">\n");
    const size_t opened = r->page->n;
    CULL_TRY(put_bests(r, cells, n));
    if (r->baseline)
        CULL_TRY(put_against(r, cells, n));
    if (r->page->n == opened) {
        cull_buf_cut(r->page, mark);
        return CULL_OK;
    }
    cull_buf_puts(r->page, "</ul>\n");
    return CULL_OK;
}

// ---- every two methods ----

enum { MANY_PAIRS = 60 }; // that would bury what follows, and fill a printed page of their own

static bool has_rivals(const report *r, const size_t *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (cull_are_rivals(r->frame, cells[i], cells[j]))
                return true;
    return false;
}

cull_status report_against(const report *r, const char *model)
{
    size_t n;
    const size_t *cells = report_cells(r, model, &n);
    const cull_pairing how = { .each_other = true, .means = true };
    cull_table table;

    if (!cells)
        return CULL_ENOMEM;
    if (!has_rivals(r, cells, n))
        return CULL_OK;
    CULL_TRY(cull_view_pairs(r->ctx, r->frame, model, &how, &table));
    const bool folded = table.n_rows > MANY_PAIRS;
    if (folded)
        cull_buf_printf(r->page, "<details class=\"noprint\"><summary>all %zu pairs</summary>\n",
                        table.n_rows);
    cull_page_table(r->page, &table);
    cull_buf_puts(r->page, folded ? "</details>\n" : "");
    return CULL_OK;
}
