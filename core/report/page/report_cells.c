// What sections share: a model's cells in the order in which every section has them, their names,
// and what a file could not tell.
#include <math.h>
#include <string.h>

#include "report/page/sections.h"

void report_do_without(const report *r)
{
    r->page->failed |= cull_context_of(r->ctx)->error.status == CULL_ENOMEM;
    cull_error_clear(r->ctx);
}

const char *report_method(const report *r, size_t cell)
{
    const cull_frame_cell *c = &r->frame->cell[cell];
    cull_buf name = CULL_BUF_INIT;

    cull_buf_puts(&name, c->method);
    cull_put_axes(r->frame, cell, &name);
    const char *copy =
        name.failed ? NULL : cull_arena_copy(cull_context_of(r->ctx)->alloc, name.s, name.n);
    cull_buf_release(&name);
    return copy ? copy : c->method;
}

// How good a cell is by the first metric; what lacks it comes last.
static double goodness(const report *r, size_t cell)
{
    const numbers *n = &r->macro;

    if (n->metric_views.n == 0)
        return -INFINITY;
    const double value = n->estimate[number_at(n, cell, 0)].value;
    if (isnan(value))
        return -INFINITY;
    return n->metric_views.at[0].higher_is_better ? value : -value;
}

static bool comes_before(const report *r, size_t one, size_t other)
{
    const cull_frame *f = r->frame;
    const cull_frame_cell *a = &f->cell[one], *b = &f->cell[other];

    if (a->sparsity != b->sparsity && !(isnan(a->sparsity) && isnan(b->sparsity)))
        return isnan(b->sparsity) || a->sparsity < b->sparsity;
    const double x = goodness(r, one), y = goodness(r, other);
    if (x != y)
        return x > y;
    const int order = strcmp(a->method, b->method);
    return order ? order < 0 : cull_axes_order(f, a->axis, b->axis) < 0;
}

size_t *report_cells(const report *r, const char *model, size_t *n)
{
    const cull_frame *f = r->frame;
    size_t *cells = cull_take(r->ctx, f->n_cells + 1, sizeof *cells);

    *n = 0;
    for (size_t c = 0; cells && c < f->n_cells; c++) {
        if (f->cell[c].dense || strcmp(f->cell[c].model, model) != 0)
            continue;
        size_t at = (*n)++;
        for (; at > 0 && comes_before(r, c, cells[at - 1]); at--)
            cells[at] = cells[at - 1];
        cells[at] = c;
    }
    return cells;
}
