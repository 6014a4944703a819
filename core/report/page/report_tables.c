// The verdict: every cell with its differences to dense; the same by task.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/page/sections.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

// ---- numbers ----

void report_value(cull_buf *page, double value, enum cull_law law)
{
    const double size = fabs(value);

    if (isnan(value))
        cull_buf_puts(page, "–");
    else if (size >= 1e5)
        cull_buf_printf(page, "%.2e", value);
    else
        cull_buf_printf(page, "%.*f",
                        size >= 1000          ? 0
                        : size >= 100         ? 1
                        : law == CULL_LAW_EXP ? 3
                                              : 4,
                        value);
}

// With a minus in place of the hyphen in front.
static void put_number(cull_buf *page, const char *text)
{
    cull_buf_printf(page, "%s%s", *text == '-' ? "−" : "", text + (*text == '-'));
}

void report_signed(cull_buf *page, double value, int digits)
{
    char text[CULL_SHOWN];

    cull_show_signed(text, sizeof text, value, digits);
    put_number(page, text);
}

void report_share(cull_buf *page, double share)
{
    char text[CULL_SHOWN];

    cull_show_share(text, sizeof text, share);
    put_number(page, text);
}

void report_difference(cull_buf *page, const cull_difference *d, enum cull_law law)
{
    const bool ratio = law == CULL_LAW_EXP;
    const double value = ratio ? 100 * expm1(d->value) : d->value;
    const int digits = !ratio ? 4 : fabs(value) < 100 ? 1 : 0;

    if (isnan(value)) {
        cull_buf_puts(page, "–");
        return;
    }
    report_signed(page, value, digits);
    cull_buf_puts(page, ratio ? " %" : "");
    if (isnan(d->low) || isnan(d->high))
        return;
    cull_buf_puts(page, " <span class=\"ci\">[");
    report_signed(page, ratio ? 100 * expm1(d->low) : d->low, digits);
    cull_buf_puts(page, ", ");
    report_signed(page, ratio ? 100 * expm1(d->high) : d->high, digits);
    cull_buf_puts(page, "]</span>");
}

static void put_p(cull_buf *page, double p)
{
    if (isnan(p))
        cull_buf_puts(page, "–");
    else if (p < 0.001)
        cull_buf_puts(page, "&lt;0.001");
    else
        cull_buf_printf(page, "%.3f", p);
}

// "worse" or "better" where the difference to dense may be claimed.
static const char *verdict(const numbers *n, size_t cell, size_t metric_view)
{
    const size_t at = number_at(n, cell, metric_view);
    const bool up = n->to_dense[at].d.value > 0;

    if (!(n->p[at] <= 0.05))
        return "";
    return up == n->metric_views.at[metric_view].higher_is_better ? "better" : "worse";
}

// ---- the verdict ----

static void put_heading(const report *r, const cull_metric_view *m)
{
    cull_page_text(r->page, m->label);
    if (m->task) {
        cull_buf_puts(r->page, ", ");
        cull_page_text(r->page, m->task);
    } else {
        cull_buf_printf(r->page, ", mean of %zu", m->k);
    }
    cull_buf_puts(r->page, m->higher_is_better ? " ↑" : " ↓");
}

// Metric views first … end − 1: as many as a printed page is wide.
typedef struct range {
    size_t first, end;
} range;

enum { PAGE_WIDE = 3 };

static void put_head(const report *r, bool seeds, range of)
{
    const cull_metric_views *m = &r->macro.metric_views;

    cull_buf_puts(r->page,
                  "<div class=\"scroll\"><table>\n<thead><tr><th rowspan=\"2\" class=\"r\">"
                  "sparsity</th><th rowspan=\"2\">method</th><th rowspan=\"2\" "
                  "class=\"r\">removed</th>");
    cull_buf_puts(r->page, seeds ? "<th rowspan=\"2\" class=\"r\">seeds</th>" : "");
    for (size_t j = of.first; j < of.end; j++) {
        cull_buf_puts(r->page, "<th colspan=\"4\">");
        put_heading(r, &m->at[j]);
        cull_buf_puts(r->page, "</th>");
    }
    cull_buf_puts(r->page, "</tr>\n<tr>");
    for (size_t j = of.first; j < of.end; j++)
        cull_buf_puts(r->page,
                      "<th class=\"r\">value ± error</th><th class=\"r\">to dense [95 %]</th>"
                      "<th class=\"r\">p</th><th class=\"r\">kept</th>");
    cull_buf_puts(r->page, "</tr></thead>\n<tbody>\n");
}

static void put_estimate(const report *r, const numbers *n, size_t cell, size_t metric_view)
{
    const cull_estimate *e = &n->estimate[number_at(n, cell, metric_view)];
    const enum cull_law law = n->metric_views.at[metric_view].law;

    report_value(r->page, e->value, law);
    if (!isnan(e->value) && !isnan(e->error)) {
        cull_buf_puts(r->page, " <span class=\"ci\">±");
        report_value(r->page, e->error, law);
        cull_buf_puts(r->page, "</span>");
    }
    if (!isnan(e->sd)) {
        cull_buf_puts(r->page, "<br><span class=\"ci\">sd ");
        report_value(r->page, e->sd, law);
        cull_buf_puts(r->page, "</span>");
    }
}

// What is left of dense's quality: acc over dense's, dense's perplexity over the cell's. Of what
// measures a distance to dense, nothing can be left.
static void put_recovery(const report *r, const numbers *n, size_t dense, size_t cell,
                         size_t metric_view)
{
    const double own = n->estimate[number_at(n, cell, metric_view)].value;
    const double all =
        dense == SIZE_MAX ? NAN : n->estimate[number_at(n, dense, metric_view)].value;
    const double kept = n->metric_views.at[metric_view].higher_is_better ? own / all : all / own;

    if (all != 0)
        report_share(r->page, kept);
}

static void put_measures(const report *r, size_t dense, size_t cell, range of)
{
    const numbers *n = &r->macro;

    for (size_t j = of.first; j < of.end; j++) {
        const size_t at = number_at(n, cell, j);
        cull_buf_printf(r->page, "<td class=\"r%s\">", n->best[at] ? " best" : "");
        put_estimate(r, n, cell, j);
        cull_buf_puts(r->page, "</td>");
        if (r->frame->cell[cell].dense) {
            cull_buf_puts(r->page, "<td></td><td></td><td></td>");
            continue;
        }
        cull_buf_printf(r->page, "<td class=\"r %s\">", verdict(n, cell, j));
        report_difference(r->page, &n->to_dense[at].d, n->metric_views.at[j].law);
        cull_buf_puts(r->page, "</td><td class=\"r soft\">");
        put_p(r->page, n->p[at]);
        cull_buf_puts(r->page, "</td><td class=\"r soft\">");
        put_recovery(r, n, dense, cell, j);
        cull_buf_puts(r->page, "</td>");
    }
}

static double achieved_of(const cull_frame_trial *t)
{
    return t->achieved;
}

static void put_achieved(cull_buf *page, double achieved)
{
    cull_buf_puts(page, "<td class=\"r soft\">");
    report_share(page, achieved);
    cull_buf_puts(page, "</td>");
}

static void put_cell_names(const report *r, size_t cell, bool seeds, bool removed)
{
    const cull_frame_cell *c = &r->frame->cell[cell];
    const double achieved = cull_cell_mean(r->frame, c, achieved_of);

    cull_buf_puts(r->page, "<td class=\"r\">");
    if (!isnan(c->sparsity))
        cull_buf_printf(r->page, "%g", c->sparsity);
    cull_buf_puts(r->page, "</td><td>");
    cull_page_text(r->page, report_method(r, cell));
    cull_buf_puts(r->page, "</td>");
    if (removed && (c->dense || isnan(achieved)))
        cull_buf_puts(r->page, "<td></td>");
    else if (removed)
        put_achieved(r->page, achieved);
    if (seeds)
        cull_buf_printf(r->page, "<td class=\"r soft\">%zu</td>", c->n_trials);
}

// ---- by task ----

// Is the metric view a task of this label?
static bool is_of(const cull_metric_view *m, const char *label)
{
    return strcmp(m->label, label) == 0 && m->law != CULL_LAW_NONE;
}

static void put_task_table(const report *r, const char *label, size_t dense, size_t n_cells,
                           const size_t *cells)
{
    const numbers *n = &r->each;

    cull_buf_puts(r->page, "<details><summary>");
    cull_page_text(r->page, label);
    cull_buf_puts(r->page,
                  " of every task</summary>\n<p class=\"note\">Coloured and bold as above, "
                  "adjusted by Holm over all values of all tasks of the model.</p>\n<div "
                  "class=\"scroll\"><table><thead><tr><th "
                  "class=\"r\">sparsity</th><th>method</th>");
    for (size_t j = 0; j < n->metric_views.n; j++)
        if (is_of(&n->metric_views.at[j], label)) {
            cull_buf_puts(r->page, "<th class=\"r\">");
            cull_page_text(r->page, n->metric_views.at[j].task);
            cull_buf_puts(r->page, "</th>");
        }
    cull_buf_puts(r->page, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i <= n_cells; i++) {
        const size_t cell = i == 0 ? dense : cells[i - 1];
        if (cell == SIZE_MAX)
            continue;
        cull_buf_puts(r->page, "<tr>");
        put_cell_names(r, cell, false, false);
        for (size_t j = 0; j < n->metric_views.n; j++)
            if (is_of(&n->metric_views.at[j], label)) {
                cull_buf_printf(r->page, "<td class=\"r %s%s\">",
                                r->frame->cell[cell].dense ? "" : verdict(n, cell, j),
                                n->best[number_at(n, cell, j)] ? " best" : "");
                put_estimate(r, n, cell, j);
                cull_buf_puts(r->page, "</td>");
            }
        cull_buf_puts(r->page, "</tr>\n");
    }
    cull_buf_puts(r->page, "</tbody></table></div>\n</details>\n");
}

// What is left of dense, task by task, of a metric with values per item: too wide for paper.
static cull_status put_kept(const report *r, const char *model, const cull_metric_view *m)
{
    cull_table table;

    if (m->law == CULL_LAW_NONE)
        return CULL_OK;
    CULL_TRY(cull_view_recovery(r->ctx, r->frame, model, m->label, &table));
    cull_buf_puts(r->page, "<details class=\"noprint\"><summary>");
    cull_page_text(r->page, m->label);
    cull_buf_puts(r->page, ": percent of dense that is left</summary>\n<p class=\"note\">With its "
                           "paired 95 % interval; parameters and active: what is left of all, and "
                           "of those that a token passes through.</p>\n");
    cull_page_table(r->page, &table);
    cull_buf_puts(r->page, "</details>\n");
    return CULL_OK;
}

// ---- pairs ----

static cull_status put_pairs(const report *r, const char *model)
{
    cull_table table;

    CULL_TRY(cull_view_pairs(r->ctx, r->frame, model, &(cull_pairing){ 0 }, &table));
    cull_buf_puts(r->page, "<p class=\"note\">p: exact McNemar where answers are right or wrong; "
                           "Holm: p adjusted over this table. To wrong, to right: answers that "
                           "change. Bold: the better one of two that are separable.</p>\n");
    cull_page_table(r->page, &table);
    return CULL_OK;
}

static void put_verdicts(const report *r, size_t dense, size_t n, const size_t *cells, range of)
{
    bool seeds = false;

    for (size_t i = 0; i < n; i++)
        seeds |= r->frame->cell[cells[i]].n_trials > 1;

    put_head(r, seeds, of);
    for (size_t i = 0; i <= n; i++) {
        const size_t cell = i == 0 ? dense : cells[i - 1];
        if (cell == SIZE_MAX) {
            cull_buf_puts(r->page, "<tr><td></td><td>dense</td><td>not measured</td></tr>\n");
            continue;
        }
        const bool opens = i > 0 && (i == 1 || r->frame->cell[cell].sparsity !=
                                                   r->frame->cell[cells[i - 2]].sparsity);
        cull_buf_puts(r->page, opens ? "<tr class=\"group\">" : "<tr>");
        put_cell_names(r, cell, seeds, true);
        put_measures(r, dense, cell, of);
        cull_buf_puts(r->page, "</tr>\n");
    }
    cull_buf_puts(r->page, "</tbody></table></div>\n");
}

cull_status report_verdict(const report *r, const char *model)
{
    size_t n;
    const size_t *cells = report_cells(r, model, &n), dense = cull_frame_dense(r->frame, model);
    const size_t metric_views = r->macro.metric_views.n;

    if (!cells)
        return CULL_ENOMEM;
    if (dense != SIZE_MAX && r->frame->cell[dense].checkpoint)
        return put_pairs(r, model);
    for (size_t j = 0; j < metric_views; j += PAGE_WIDE)
        put_verdicts(r, dense, n, cells,
                     (range){ j, j + PAGE_WIDE < metric_views ? j + PAGE_WIDE : metric_views });
    for (size_t j = 0; j < r->macro.metric_views.n; j++)
        if (!r->macro.metric_views.at[j].task)
            put_task_table(r, r->macro.metric_views.at[j].label, dense, n, cells);
    for (size_t j = 0; dense != SIZE_MAX && j < metric_views; j++)
        CULL_TRY(put_kept(r, model, &r->macro.metric_views.at[j]));
    return CULL_OK;
}
