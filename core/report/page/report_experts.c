// Which experts the criteria prefer, which go, and how far the methods agree.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/page/sections.h"
#include "results/experts.h"

enum {
    MANY = 60000
}; // cells of all grids together, above which only the highest sparsity is drawn

typedef struct known { // the experts of a cell's first trial
    size_t cell;
    cull_experts experts;
    double *rank; // (L, E) of its scores within the layer, or NULL
} known;

static cull_status load(const report *r, size_t cell, known *out)
{
    const size_t trial = r->frame->order[r->frame->cell[cell].first];

    *out = (known){ .cell = cell };
    CULL_TRY(cull_experts_load(r->ctx, r->frame->trial[trial].path, &out->experts));
    const cull_experts *e = &out->experts;
    if (!e->score)
        return CULL_OK;
    out->rank = cull_take(r->ctx, e->L * e->E, sizeof *out->rank);
    if (!out->rank)
        return CULL_ENOMEM;
    cull_rank_layers(e->L, e->E, e->score, out->rank);
    return CULL_OK;
}

// ---- grids ----

// Is this the highest sparsity of its method?
static bool is_highest(const report *r, size_t n, const known *all, size_t i)
{
    for (size_t j = 0; j < n; j++)
        if (r->frame->cell[all[j].cell].sparsity > r->frame->cell[all[i].cell].sparsity &&
            strcmp(report_method(r, all[j].cell), report_method(r, all[i].cell)) == 0)
            return false;
    return true;
}

// "reap, global at 0.5, seed 1": of several seeds the one that is drawn.
static const char *title_of(const report *r, size_t cell)
{
    const cull_frame_cell *c = &r->frame->cell[cell];
    const double seed = r->frame->trial[r->frame->order[c->first]].seed;
    cull_arena *arena = cull_context_of(r->ctx)->alloc;
    const char *title = report_method(r, cell);

    if (!isnan(c->sparsity))
        title = cull_arena_printf(arena, "%s at %g", title, c->sparsity);
    if (title && !isnan(seed))
        title = cull_arena_printf(arena, "%s, seed %.0f%s", title, seed,
                                  c->n_trials > 1 ? " of several" : "");
    return title;
}

// What the shades of a map are.
static const char *caption_of(const report *r, const known *k)
{
    if (k->rank)
        return cull_arena_printf(cull_context_of(r->ctx)->alloc,
                                 "shade: rank of the score (%s) within its layer",
                                 k->experts.criterion ? k->experts.criterion : "none");
    return k->experts.density ? "shade: share of its weights that an expert keeps"
                              : "no scores: shades mean nothing";
}

static cull_status put_grid(const report *r, const known *k)
{
    const cull_experts *e = &k->experts;
    const double *value = k->rank ? k->rank : e->density;
    uint8_t *marked = cull_take(r->ctx, e->L * e->E, 1);
    double *flat = cull_take(r->ctx, e->L * e->E, sizeof *flat);

    if (!marked || !flat)
        return CULL_ENOMEM;
    for (size_t i = 0; i < e->L * e->E; i++) {
        marked[i] = e->kept[i] == 0;
        flat[i] = e->kept[i] > 1 ? NAN : value ? value[i] : 0.5;
    }
    const char *title = title_of(r, k->cell);
    const char *caption = caption_of(r, k);
    if (!title || !caption)
        return cull_no_memory(r->ctx);
    return report_grid(r, &(cull_grid){ title, e->L, e->E, flat, marked, e->layer }, caption);
}

// ---- agreement ----

static void put_share(cull_buf *page, double value, double from, double to)
{
    if (isnan(value)) {
        cull_buf_puts(page, "<td class=\"r soft\">–</td>");
        return;
    }
    const double shade = fmin(fmax((value - from) / (to - from), 0), 1);
    cull_buf_printf(page,
                    "<td class=\"r\" style=\"background:color-mix(in srgb,var(--s0) %.0f%%,"
                    "transparent)\">%s%.2f</td>",
                    45 * shade, value <= -0.005 ? "−" : "", fabs(value));
}

static void put_names(const report *r, size_t n, const known *const *some)
{
    cull_buf_puts(r->page, "<tr><th></th>");
    for (size_t i = 0; i < n; i++) {
        cull_buf_puts(r->page, "<th class=\"r\">");
        cull_page_text(r->page, report_method(r, some[i]->cell));
        cull_buf_puts(r->page, "</th>");
    }
    cull_buf_puts(r->page, "</tr></thead>\n<tbody>");
}

static bool comparable(const known *a, const known *b)
{
    return a->experts.L == b->experts.L && a->experts.E == b->experts.E;
}

// What two cells have in common, as a cell of a table; *chance: what blind choices would, at most.
typedef void (*common_fn)(cull_buf *page, const known *a, const known *b, double *chance);

static void put_each_pair(const report *r, size_t n, const known *const *some, common_fn put,
                          double *chance)
{
    put_names(r, n, some);
    for (size_t i = 0; i < n; i++) {
        cull_buf_puts(r->page, "<tr><td>");
        cull_page_text(r->page, report_method(r, some[i]->cell));
        cull_buf_puts(r->page, "</td>");
        for (size_t j = 0; j < n; j++)
            put(r->page, some[i], some[j], chance);
        cull_buf_puts(r->page, "</tr>\n");
    }
    cull_buf_puts(r->page, "</tbody></table></div>");
}

static void put_correlation(cull_buf *page, const known *a, const known *b, double *chance)
{
    const bool both = a->rank && b->rank && comparable(a, b);

    (void)chance;
    put_share(page,
              both ? cull_rank_correlation(a->experts.L, a->experts.E, a->rank, b->rank) : NAN, 0,
              1);
}

// Of a table with a column for each of n methods: smaller on paper where they are many.
static void put_width(cull_buf *page, size_t n)
{
    cull_buf_printf(page, "%s\"><table><thead>", n > 12 ? " many" : "");
}

static void put_correlations(const report *r, size_t n, const known *const *some)
{
    cull_buf_puts(r->page, "<div><h4>Scores: Spearman’s ρ within a layer, mean over layers</h4>"
                           "<div class=\"scroll");
    put_width(r->page, n);
    put_each_pair(r, n, some, put_correlation, NULL);
    cull_buf_puts(r->page, "</div>\n");
}

static void put_overlap(cull_buf *page, const known *a, const known *b, double *chance)
{
    const cull_experts *e = &a->experts;
    cull_overlap o = { NAN, NAN };

    if (comparable(a, b))
        o = cull_removed_overlap(e->L, e->E, e->kept, b->experts.kept);
    if (a != b && !isnan(o.chance))
        *chance = isnan(*chance) ? o.chance : fmax(*chance, o.chance);
    put_share(page, o.jaccard, isnan(o.chance) ? 0 : o.chance, 1);
}

static void put_overlaps(const report *r, size_t n, const known *const *some, double sparsity)
{
    double chance = NAN;

    cull_buf_printf(r->page,
                    "<div><h4>Removed at %g: Jaccard index, mean over layers</h4>"
                    "<div class=\"scroll",
                    sparsity);
    put_width(r->page, n);
    put_each_pair(r, n, some, put_overlap, &chance);
    if (!isnan(chance))
        cull_buf_printf(r->page,
                        "<p class=\"note\">Blind choices of these sizes would give %.2f; shading "
                        "begins there.</p>",
                        chance);
    cull_buf_puts(r->page, "</div>\n");
}

static bool removes_experts(const known *k)
{
    for (size_t i = 0; i < k->experts.L * k->experts.E; i++)
        if (k->experts.kept[i] == 0)
            return true;
    return false;
}

static cull_status put_agreement(const report *r, size_t n, const known *all)
{
    const known **some = cull_take(r->ctx, n + 1, sizeof *some);
    size_t k = 0;

    if (!some)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (all[i].rank && is_highest(r, n, all, i))
            some[k++] = &all[i];
    if (k < 2)
        return CULL_OK;
    cull_buf_puts(r->page, "<h3>Agreement</h3><div class=\"pair\">\n");
    put_correlations(r, k, some);
    for (size_t i = 0; i < n; i++) {
        const double sparsity = r->frame->cell[all[i].cell].sparsity;
        bool first = !isnan(sparsity);
        for (size_t j = 0; j < i; j++)
            first &= r->frame->cell[all[j].cell].sparsity != sparsity;
        k = 0;
        for (size_t j = i; first && j < n; j++)
            if (r->frame->cell[all[j].cell].sparsity == sparsity && removes_experts(&all[j]))
                some[k++] = &all[j];
        if (k > 1)
            put_overlaps(r, k, some, sparsity);
    }
    cull_buf_puts(r->page, "</div>\n");
    return CULL_OK;
}

cull_status report_experts(const report *r, const char *model)
{
    size_t n, total = 0, used = 0;
    const size_t *cells = report_cells(r, model, &n);
    known *all = cull_take(r->ctx, n + 1, sizeof *all);

    if (!cells || !all)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (r->frame->cell[cells[i]].checkpoint) // nothing was cut
            continue;
        CULL_TRY(load(r, cells[i], &all[used]));
        total += all[used].experts.L * all[used].experts.E;
        used += all[used].experts.L > 0;
    }
    if (used == 0)
        return CULL_OK;
    cull_page_grid_key(r->page, "lowest", "highest", "removed");
    cull_buf_puts(r->page, "<div class=\"grids\">\n");
    for (size_t i = 0; i < used; i++)
        if (total <= MANY || is_highest(r, used, all, i))
            CULL_TRY(put_grid(r, &all[i]));
    cull_buf_puts(r->page, "</div>\n");
    return put_agreement(r, used, all);
}
