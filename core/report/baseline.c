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

// Has either no value of an axis, or both the same? An axis of which a method has none makes no
// difference to it: weights are pruned alike under each allocation. But for axis `but`.
static bool axes_agree(const cull_frame *f, const char *const *own, const char *const *other,
                       size_t but)
{
    for (size_t i = 0; i < f->n_axes; i++)
        if (i != but && *other[i] && *own[i] && strcmp(other[i], own[i]) != 0)
            return false;
    return true;
}

// Of cells that are trials, have both one seed, or either none?
static bool seeds_agree(const cull_frame *f, const cull_frame_cell *cell,
                        const cull_frame_cell *other)
{
    const bool seeds = other->n_trials == 1 && cell->n_trials == 1 && !isnan(seed_of(f, other)) &&
                       !isnan(seed_of(f, cell));

    return !seeds || seed_of(f, other) == seed_of(f, cell);
}

// May `other`, of the baseline's method, stand beside the cell?
static bool stands_beside(const cull_frame *f, const cull_frame_cell *cell,
                          const cull_frame_cell *other)
{
    return strcmp(other->model, cell->model) == 0 &&
           (isnan(other->sparsity) || other->sparsity == cell->sparsity) &&
           axes_agree(f, cell->axis, other->axis, SIZE_MAX) && seeds_agree(f, cell, other);
}

// ---- a value of an axis, "allocation=layer" ----

// Which axis the baseline is a value of, and the value; SIZE_MAX: of none.
static size_t axis_of(const cull_frame *f, const char *baseline, const char **value)
{
    const char *equals = baseline ? strchr(baseline, '=') : NULL;

    for (size_t i = 0; equals && i < f->n_axes; i++)
        if (strlen(f->axis[i]) == (size_t)(equals - baseline) &&
            strncmp(f->axis[i], baseline, (size_t)(equals - baseline)) == 0) {
            *value = equals + 1;
            return i;
        }
    return SIZE_MAX;
}

// The same method's cell that differs in that axis alone.
static size_t with_value(const cull_frame *f, size_t cell, size_t axis, const char *value)
{
    const cull_frame_cell *own = &f->cell[cell];

    if (!*own->axis[axis] || strcmp(own->axis[axis], value) == 0)
        return SIZE_MAX;
    for (size_t c = 0; c < f->n_cells; c++) {
        const cull_frame_cell *other = &f->cell[c];
        if (strcmp(other->axis[axis], value) == 0 && strcmp(other->model, own->model) == 0 &&
            strcmp(other->method, own->method) == 0 &&
            same_number(other->sparsity, own->sparsity) &&
            axes_agree(f, own->axis, other->axis, axis) && seeds_agree(f, own, other))
            return c;
    }
    return SIZE_MAX;
}

size_t cull_baseline_axis(const cull_frame *f, const char *baseline)
{
    const char *value;

    return axis_of(f, baseline, &value);
}

size_t cull_baseline_of(const cull_frame *f, size_t cell, const char *baseline)
{
    const cull_frame_cell *own = &f->cell[cell];

    if (is_dense(baseline)) {
        const size_t dense = cull_frame_dense(f, own->model);
        return dense == cell ? SIZE_MAX : dense;
    }
    const char *value;
    const size_t axis = axis_of(f, baseline, &value);
    if (axis != SIZE_MAX)
        return with_value(f, cell, axis, value);
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
           axes_agree(f, x->axis, y->axis, SIZE_MAX);
}

cull_status cull_baseline_check(cull_ctx *ctx, const cull_frame *f, const char *baseline)
{
    const char **methods = cull_scratch(ctx, f->n_cells + 1, sizeof *methods);

    if (!methods)
        return CULL_ENOMEM;
    if (is_dense(baseline))
        return CULL_OK;
    const char *value = baseline;
    const size_t axis = axis_of(f, baseline, &value);
    for (size_t c = 0; c < f->n_cells; c++) {
        methods[c] = axis == SIZE_MAX ? f->cell[c].method : f->cell[c].axis[axis];
        if (strcmp(methods[c], value) == 0)
            return CULL_OK;
    }
    const char *near = cull_nearest(value, methods);
    return cull_fail(ctx, CULL_EUSAGE, "--baseline: the results have no %s \"%s\"%s%s%s",
                     axis == SIZE_MAX ? "method" : f->axis[axis], value,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
