// What sets cells of one method and sparsity apart: their axes' values, in tables and in names.
#include <string.h>

#include "base/text.h"
#include "results/frame.h"

bool cull_axis_varies(const cull_frame *f, const char *model, size_t axis, size_t at_least)
{
    const char *first = NULL;

    for (size_t c = 0; c < f->n_cells; c++) {
        const char *value = f->cell[c].axis[axis];
        if (!*value || (model && strcmp(f->cell[c].model, model) != 0))
            continue;
        if (at_least <= 1 || (first && strcmp(first, value) != 0))
            return true;
        first = value;
    }
    return false;
}

int cull_axes_order(const cull_frame *f, const char *const *a, const char *const *b)
{
    int order = 0;

    for (size_t i = 0; i < f->n_axes && order == 0; i++)
        order = strcmp(a[i], b[i]);
    return order;
}

bool cull_same_axes(const cull_frame *f, const char *const *a, const char *const *b)
{
    return cull_axes_order(f, a, b) == 0;
}

void cull_put_axes(const cull_frame *f, size_t cell, cull_buf *out)
{
    for (size_t i = 0; i < f->n_axes; i++) {
        const char *value = f->cell[cell].axis[i];
        if (!*value || !cull_axis_varies(f, NULL, i, 2))
            continue;
        cull_buf_puts(out, ", ");
        if (i >= CULL_AXES_NAMED) // a setting's value says little without its name
            cull_buf_printf(out, "%s=", f->axis[i]);
        cull_buf_puts(out, value);
    }
}

double cull_cell_mean(const cull_frame *f, const cull_frame_cell *c,
                      double (*of)(const cull_frame_trial *))
{
    double sum = 0;

    for (size_t s = 0; s < c->n_trials; s++)
        sum += of(&f->trial[f->order[c->first + s]]) / (double)c->n_trials;
    return sum;
}
