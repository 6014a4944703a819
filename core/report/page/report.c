// `cull report`: the page's sections in order.
#include "report/page/report.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/new_file.h"
#include "record/folder/folder.h"
#include "record/h5/h5.h"
#include "report/page/sections.h"

// ---- what the sections share ----

// ---- numbers ----

// p of the differences to dense, adjusted: a model's table is the family.
static cull_status adjust(const report *r, numbers *n)
{
    const size_t m = n->metric_views.n, all = r->frame->n_cells * m;
    size_t *cell = cull_scratch(r->ctx, all + 1, sizeof *cell);

    if (!cell)
        return CULL_ENOMEM;
    for (size_t i = 0; i < all; i++) {
        cell[i] = i / m;
        n->p[i] = n->to_dense[i].d.p;
    }
    return cull_holm_by_model(r->ctx, r->frame, all, cell, n->p);
}

static cull_status compute(const report *r, numbers *n)
{
    const cull_frame *f = r->frame;
    const size_t m = n->metric_views.n, room = f->n_cells * m + 1;

    n->estimate = cull_take(r->ctx, room, sizeof *n->estimate);
    n->interval = cull_take(r->ctx, room, sizeof *n->interval);
    n->to_dense = cull_take(r->ctx, room, sizeof *n->to_dense);
    n->p = cull_take(r->ctx, room, sizeof *n->p);
    n->best = cull_take(r->ctx, room, sizeof *n->best);
    n->best_p = cull_take(r->ctx, room, sizeof *n->best_p);
    for (size_t i = 0; n->best_p && i < room; i++)
        n->best_p[i] = NAN;
    if (!n->estimate || !n->interval || !n->to_dense || !n->p || !n->best || !n->best_p)
        return CULL_ENOMEM;

    for (size_t c = 0; c < f->n_cells; c++) {
        const size_t dense = cull_frame_dense(f, f->cell[c].model);
        for (size_t j = 0; j < m; j++) {
            const size_t at = number_at(n, c, j);
            CULL_TRY(cull_estimate_of(r->ctx, f, c, &n->metric_views.at[j], &n->estimate[at]));
            CULL_TRY(cull_interval_of(r->ctx, f, c, &n->metric_views.at[j], &n->interval[at]));
            n->to_dense[at].d = (cull_difference){ NAN, NAN, NAN, NAN, NAN, NAN };
            if (dense != SIZE_MAX && dense != c)
                CULL_TRY(cull_compare_cells(r->ctx, f, dense, c, &n->metric_views.at[j],
                                            &n->to_dense[at]));
        }
    }
    CULL_TRY(adjust(r, n));
    return cull_find_best(r->ctx, f, &n->metric_views, n->best, n->best_p);
}

static cull_status find_models(report *r)
{
    const cull_frame *f = r->frame;

    r->model = cull_take(r->ctx, f->n_cells + 1, sizeof *r->model);
    if (!r->model)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++)
        if (cull_first_of_model(f, c))
            r->model[r->n_models++] = f->cell[c].model;
    for (size_t i = 0; i < f->n_trials; i++) {
        bool known = false;
        for (size_t j = 0; j < i && !known; j++)
            known = strcmp(f->trial[j].weights, f->trial[i].weights) == 0;
        r->n_weights += !known;
    }
    return CULL_OK;
}

// ---- the page ----

// The question of the first trial's experiment, or "".
static const char *question(const report *r)
{
    cull_h5_in *file;
    cull_h5_shape shape;
    const void *data = NULL;
    const char *text = "";
    json_t *config = NULL;

    if (cull_h5_open(r->ctx, r->frame->trial[0].path, &file) == CULL_OK &&
        cull_h5_get(file, "/provenance/config_resolved", 's', &shape, &data) == CULL_OK &&
        shape.n && cull_json_stored(r->ctx, ((const char *const *)data)[0], &config) == CULL_OK) {
        const char *asked = json_string_value(json_object_get(config, "question"));
        const char *copy =
            asked ? cull_arena_copy(cull_context_of(r->ctx)->alloc, asked, strlen(asked)) : NULL;
        r->page->failed |= asked && !copy;
        text = copy ? copy : "";
        json_decref(config);
    }
    cull_h5_close(file);
    report_do_without(r);
    return text;
}

typedef cull_status (*section_fn)(const report *r, const char *model);

typedef struct section {
    const char *id, *name, *title, *note;
    section_fn put;
    const char *to_baseline; // of the note, where there is a baseline; may be NULL
} section;

static const section sections[] = {
    { "answer", "In short", "In short",
      "The best of each sparsity, where it can be told from the next (p ≤ 0.05 by Holm over the "
      "model’s table). Differences are paired, with their 95 % interval.",
      report_answer, " Methods are set against the baseline, too, by Holm over these sentences." },
    { "verdict", "Verdict", "Verdict",
      "Values with their standard error over items; means over tasks, of perplexities the "
      "geometric one. To dense (of checkpoints: to the first one): paired difference with its 95 "
      "% interval, coloured where it may be claimed; p: exact McNemar, paired t or studentised "
      "paired bootstrap, adjusted by Holm over the model’s table. Kept: share of dense’s quality. "
      "Bold: best of its sparsity and separable from the runner-up. With several seeds: their "
      "mean and standard deviation (sd), which is part of every interval.",
      report_verdict, NULL },
    { "against", "Methods", "Method against method",
      "Every two methods at the same sparsity and allocation: means over tasks, the paired "
      "difference with its 95 % interval, p, and p by Holm over this table. Bold: the better one "
      "of two that are separable.",
      report_against, NULL },
    { "curves", "Curves", "Sparsity and quality",
      "Dotted edges, or whiskers, are 95 % intervals: of a value by itself on the left, of the "
      "paired difference to "
      "dense on the right, which is the one to compare by.",
      report_curves, NULL },
    { "experts", "Experts", "Experts",
      "Rows are layers, columns experts; below each map stands what its shades are of.",
      report_experts, NULL },
    { "cost", "Cost", "Cost and quality", "What is kept of the model against what it still does.",
      report_cost, NULL },
    { "flips", "Flips", "Flips",
      "Share of the answers that change against dense, over all tasks with right and wrong "
      "answers. Two models of equal accuracy may still answer differently.",
      report_flips, NULL },
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

// The head of the page, with links to the sections that there are.
static void put_opening(const report *r, cull_buf *page, const bool there[N_SECTIONS])
{
    const char *asked = question(r), *title = *asked ? asked : "Results";
    const char *last = "";

    for (size_t i = 0; i < r->frame->n_trials; i++)
        if (strcmp(r->frame->trial[i].finished, last) > 0)
            last = r->frame->trial[i].finished;

    cull_page_head(page, title);
    cull_buf_puts(page, "<header><h1>");
    cull_page_text(page, title);
    cull_buf_printf(page,
                    "</h1><p class=\"note\">%zu trial%s of %zu model%s, %s; the last one "
                    "finished %.10s. Cull %s.</p>\n<nav>",
                    r->frame->n_trials, r->frame->n_trials == 1 ? "" : "s", r->n_weights,
                    r->n_weights == 1 ? "" : "s", r->frame->trial[0].precision, last, CULL_VERSION);
    for (size_t i = 0; i < N_SECTIONS; i++)
        if (there[i])
            cull_buf_printf(page, "<a href=\"#%s\">%s</a>", sections[i].id, sections[i].name);
    cull_buf_puts(page, "<a href=\"#origin\">Origin</a></nav></header>\n");
}

// A section of every model; none where no model has anything to say.
static cull_status put_section(const report *r, const section *s, bool *there)
{
    const size_t before = r->page->n;

    *there = false;
    cull_buf_printf(r->page, "<section id=\"%s\"><h2>%s</h2>\n<p class=\"note\">%s%s</p>\n", s->id,
                    s->title, s->note, r->baseline && s->to_baseline ? s->to_baseline : "");
    for (size_t i = 0; i < r->n_models; i++) {
        const size_t mark = r->page->n;
        if (r->n_models > 1) {
            cull_buf_puts(r->page, "<h3>");
            cull_page_text(r->page, r->model[i]);
            cull_buf_puts(r->page, "</h3>\n");
        }
        const size_t named = r->page->n;
        CULL_TRY(s->put(r, r->model[i]));
        if (r->page->n == named)
            cull_buf_cut(r->page, mark);
        else
            *there = true;
    }
    cull_buf_puts(r->page, "</section>\n");
    if (!*there)
        cull_buf_cut(r->page, before);
    return CULL_OK;
}

static cull_status put_page(report *r, cull_buf *page)
{
    bool there[N_SECTIONS];

    for (size_t i = 0; i < N_SECTIONS; i++)
        CULL_TRY(put_section(r, &sections[i], &there[i]));
    cull_buf_puts(r->page, "<section id=\"origin\"><h2>Origin</h2>\n");
    CULL_TRY(report_origin(r));
    cull_buf_puts(r->page, "</section>\n");
    put_opening(r, page, there);
    cull_buf_add(page, r->page->s, r->page->n);
    cull_page_tail(page);
    return page->failed || r->page->failed ? cull_no_memory(r->ctx) : CULL_OK;
}

cull_status cull_report_write(cull_ctx *ctx, const cull_frame *frame, const char *baseline,
                              const char *figures, const char *path)
{
    size_t n_figures = 0;
    cull_buf page = CULL_BUF_INIT, body = CULL_BUF_INIT;
    report r = { .ctx = ctx,
                 .frame = frame,
                 .baseline = baseline,
                 .figures = figures,
                 .n_figures = &n_figures,
                 .page = &body };
    cull_metric_views all;

    if (figures)
        CULL_TRY(cull_make_folder(ctx, figures));
    CULL_TRY(find_models(&r));
    CULL_TRY(cull_metric_views_macro(ctx, frame, &all));
    CULL_TRY(cull_metric_views_main(ctx, &all, NULL, &r.macro.metric_views));
    CULL_TRY(cull_metric_views_each(ctx, frame, &r.each.metric_views));
    CULL_TRY(compute(&r, &r.macro));
    CULL_TRY(compute(&r, &r.each));
    cull_status status = put_page(&r, &page);
    if (status == CULL_OK)
        status = cull_write_file(ctx, path, page.s, page.n);
    cull_buf_release(&page);
    cull_buf_release(&body);
    return status;
}
