// What a cell is compared to: the dense model, or another method.
#include "report/baseline.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

static bool is_dense(const char *baseline)
{
    return !baseline || strcmp(baseline, "dense") == 0;
}

static double seed_of(const cull_frame *f, const cull_frame_cell *c)
{
    return f->trial[f->order[c->first]].seed;
}

// Both have none, or the same.
static bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

// Has the other no value of an axis, or the same?
static bool axes_agree(const cull_frame *f, const char *const *own, const char *const *other)
{
    for (size_t i = 0; i < f->n_axes; i++)
        if (*other[i] && strcmp(other[i], own[i]) != 0)
            return false;
    return true;
}

// May `other`, of the baseline's method, stand beside the cell?
static bool stands_beside(const cull_frame *f, const cull_frame_cell *cell,
                          const cull_frame_cell *other)
{
    const bool seeds = other->n_trials == 1 && cell->n_trials == 1 && !isnan(seed_of(f, other)) &&
                       !isnan(seed_of(f, cell));

    return strcmp(other->model, cell->model) == 0 &&
           (isnan(other->sparsity) || other->sparsity == cell->sparsity) &&
           axes_agree(f, cell->axis, other->axis) &&
           (!seeds || seed_of(f, other) == seed_of(f, cell));
}

size_t cull_baseline_of(const cull_frame *f, size_t cell, const char *baseline)
{
    const cull_frame_cell *own = &f->cell[cell];

    if (is_dense(baseline)) {
        const size_t dense = cull_frame_dense(f, own->model);
        return dense == cell ? SIZE_MAX : dense;
    }
    if (own->dense || strcmp(own->method, baseline) == 0)
        return SIZE_MAX;
    for (size_t c = 0; c < f->n_cells; c++)
        if (strcmp(f->cell[c].method, baseline) == 0 && stands_beside(f, own, &f->cell[c]))
            return c;
    return SIZE_MAX;
}

bool cull_are_rivals(const cull_frame *f, size_t a, size_t b)
{
    const cull_frame_cell *x = &f->cell[a], *y = &f->cell[b];

    return a != b && !x->dense && !y->dense && strcmp(x->model, y->model) == 0 &&
           strcmp(x->method, y->method) != 0 && same_number(x->sparsity, y->sparsity) &&
           strcmp(x->axis[CULL_AXIS_ALLOCATION], y->axis[CULL_AXIS_ALLOCATION]) == 0 &&
           (axes_agree(f, x->axis, y->axis) || axes_agree(f, y->axis, x->axis));
}

cull_status cull_baseline_check(cull_ctx *ctx, const cull_frame *f, const char *baseline)
{
    const char **methods = cull_scratch(ctx, f->n_cells + 1, sizeof *methods);

    if (!methods)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++) {
        methods[c] = f->cell[c].method;
        if (is_dense(baseline) || strcmp(methods[c], baseline) == 0)
            return CULL_OK;
    }
    const char *near = cull_nearest(baseline, methods);
    return cull_fail(ctx, CULL_EUSAGE, "--baseline: the results have no method \"%s\"%s%s%s",
                     baseline, near ? "; did you mean \"" : "", near ? near : "",
                     near ? "\"?" : "");
}
