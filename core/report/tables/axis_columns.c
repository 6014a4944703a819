// The axes' columns of the tidy tables.
#include <string.h>

#include "report/tables/views.h"

// The allocation has a column of its own in all tables.
static bool has_column(const cull_frame *f, size_t axis)
{
    return axis != CULL_AXIS_ALLOCATION && cull_axis_varies(f, NULL, axis, 1);
}

cull_table cull_table_with_axes(cull_ctx *ctx, const cull_frame *f, size_t n,
                                const cull_table_column *columns)
{
    cull_table_column *all = cull_scratch(ctx, n + f->n_axes, sizeof *all);

    if (!all)
        return (cull_table){ .ctx = ctx, .status = CULL_ENOMEM };
    memcpy(all, columns, n * sizeof *all);
    for (size_t i = 0; i < f->n_axes; i++)
        if (has_column(f, i))
            all[n++] = (cull_table_column){ .name = f->axis[i] };
    return cull_table_new(ctx, n, 0, all);
}

void cull_set_axes(cull_table *t, size_t n, const cull_frame *f, const char *const *axis)
{
    for (size_t i = 0; i < f->n_axes; i++)
        if (has_column(f, i))
            cull_table_set(t, n++, axis[i]);
}
