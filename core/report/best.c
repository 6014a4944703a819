// Which cells may be called best.
#include <math.h>
#include <string.h>

#include "report/compare.h"

bool cull_compete(const cull_frame *f, size_t a, size_t b)
{
    const cull_frame_cell *x = &f->cell[a], *y = &f->cell[b];

    if (strcmp(x->model, y->model) != 0)
        return false;
    return (x->checkpoint && y->checkpoint) ||
           (!x->dense && !y->dense && x->sparsity == y->sparsity && // NaN is equal to nothing
            strcmp(x->axis[CULL_AXIS_LAYERS], y->axis[CULL_AXIS_LAYERS]) == 0);
}

// The best of the cells that compete with `cell`, other than `but`; SIZE_MAX: none.
static cull_status find_top(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t but,
                            const cull_metric_view *m, size_t *top)
{
    double most = -INFINITY;

    *top = SIZE_MAX;
    for (size_t c = 0; c < f->n_cells; c++) {
        cull_estimate e;
        if (c == but || !cull_compete(f, cell, c))
            continue;
        CULL_TRY(cull_estimate_of(ctx, f, c, m, &e));
        const double good = m->higher_is_better ? e.value : -e.value;
        if (good > most) {
            most = good;
            *top = c;
        }
    }
    return CULL_OK;
}

// Is the cell the first one of its group, so that the group is looked at once?
static bool leads(const cull_frame *f, size_t cell)
{
    for (size_t c = 0; c < cell; c++)
        if (cull_compete(f, c, cell))
            return false;
    return cull_compete(f, cell, cell);
}

cull_status cull_holm_by_model(cull_ctx *ctx, const cull_frame *f, size_t n, const size_t *cell,
                               double *p)
{
    double *own = cull_scratch(ctx, n + 1, sizeof *own);

    if (!own)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++) {
        const char *model = f->cell[c].model;
        if (!cull_first_of_model(f, c))
            continue;
        for (size_t i = 0; i < n; i++)
            own[i] = strcmp(f->cell[cell[i]].model, model) == 0 ? p[i] : NAN;
        CULL_TRY(cull_holm(ctx, n, own, own));
        for (size_t i = 0; i < n; i++)
            if (strcmp(f->cell[cell[i]].model, model) == 0)
                p[i] = own[i];
    }
    return CULL_OK;
}

cull_status cull_find_best(cull_ctx *ctx, const cull_frame *f,
                           const cull_metric_views *metric_views, bool *best, double *p)
{
    const size_t n = f->n_cells * metric_views->n;
    double *holm = cull_scratch(ctx, n ? n : 1, sizeof *holm);
    size_t *place = cull_scratch(ctx, n ? n : 1, sizeof *place), tests = 0;
    size_t *of = cull_scratch(ctx, n ? n : 1, sizeof *of);

    if (!holm || !place || !of)
        return CULL_ENOMEM;

    for (size_t cell = 0; cell < f->n_cells; cell++)
        for (size_t j = 0; leads(f, cell) && j < metric_views->n; j++) {
            size_t top, second;
            cull_comparison c;
            CULL_TRY(find_top(ctx, f, cell, SIZE_MAX, &metric_views->at[j], &top));
            CULL_TRY(find_top(ctx, f, cell, top, &metric_views->at[j], &second));
            if (top == SIZE_MAX || second == SIZE_MAX)
                continue;
            CULL_TRY(cull_compare_cells(ctx, f, second, top, &metric_views->at[j], &c));
            place[tests] = top * metric_views->n + j;
            of[tests] = top;
            holm[tests++] = c.d.p;
        }
    CULL_TRY(cull_holm_by_model(ctx, f, tests, of, holm));
    for (size_t i = 0; i < tests; i++) {
        best[place[i]] = holm[i] <= 0.05;
        if (p)
            p[place[i]] = holm[i];
    }
    return CULL_OK;
}
