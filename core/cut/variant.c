// A model's matrices as a cut leaves them, row by row.
#include "cut/variant.h"

#include "base/narrow.h"
#include "cut/cut.h"
#include "cut/overlay.h"

static bool changed(const cull_cut *cut, cull_matrix_id where)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlaid_matrix(&over);
}

static void rows(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m, size_t first,
                 size_t n, float *out)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    cull_overlay_rows(&over, m, first, n, out);
    if (cut && first + n == m->rows) // they are read in order, and seldom again
        cull_cut_leave_matrix(cut, where);
}

static bool bias_changed(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlaid_bias(&over, m);
}

static void bias(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m, size_t first,
                 size_t n, float *out)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    cull_overlay_bias(&over, m, first, n, out);
}

static bool keeps(const cull_cut *cut, cull_matrix_id where, size_t channel)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlay_keeps(&over, channel);
}

const cull_variant_ext cull_variant_service = {
    .size = sizeof cull_variant_service,
    .changed = changed,
    .rows = rows,
    .narrow = cull_narrow,
    .bias_changed = bias_changed,
    .bias = bias,
    .keeps = keeps,
};
