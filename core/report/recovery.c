// How much of the dense model's quality a cell has kept.
#include "report/recovery.h"

#include <math.h>

static const cull_difference UNKNOWN = { NAN, NAN, NAN, NAN, NAN, NAN };

// Perplexities: the difference of logarithms, as a ratio.
static cull_status of_logarithms(cull_ctx *ctx, const cull_frame *f, size_t dense, size_t cell,
                                 const cull_metric_view *m, cull_difference *out)
{
    const double sign = m->higher_is_better ? 1 : -1;
    cull_comparison c;

    CULL_TRY(cull_compare_cells(ctx, f, dense, cell, m, &c));
    const double a = exp(sign * c.d.low), b = exp(sign * c.d.high);
    *out = (cull_difference){ .value = exp(sign * c.d.value),
                              .error = c.d.error * exp(sign * c.d.value),
                              .df = c.d.df,
                              .low = a < b ? a : b,
                              .high = a < b ? b : a,
                              .p = NAN };
    return CULL_OK;
}

// Two cells' items of a column as one ratio: Σa is of the one that should be large.
static cull_status ratio_items(cull_ctx *ctx, const cull_frame *f, size_t dense, size_t cell,
                               const cull_metric_view *m, size_t column, cull_items *out)
{
    cull_items whole, own;

    CULL_TRY(cull_cell_items(ctx, f, dense, column, &whole));
    CULL_TRY(cull_cell_items(ctx, f, cell, column, &own));
    *out = m->higher_is_better ? own : whole;
    out->b = m->higher_is_better ? whole.a : own.a;
    return CULL_OK;
}

static double seed_ratio(const cull_frame *f, size_t dense, size_t cell, size_t seed,
                         const cull_metric_view *m)
{
    double sum = 0;

    for (size_t j = 0; j < m->k; j++) {
        const double whole = cull_cell_row(f, dense, 0, m->column[j])->value;
        const double own = cull_cell_row(f, cell, seed, m->column[j])->value;
        sum += m->higher_is_better ? own / whole : whole / own;
    }
    return sum / (double)m->k;
}

// The error of the mean over the cell's seeds.
static cull_error_part over_seeds(const cull_frame *f, size_t dense, size_t cell,
                                  const cull_metric_view *m)
{
    const size_t seeds = f->cell[cell].n_trials;
    const double n = (double)seeds;
    double mean = 0, squares = 0;

    for (size_t s = 0; s < seeds; s++)
        mean += seed_ratio(f, dense, cell, s, m) / n;
    for (size_t s = 0; s < seeds; s++)
        squares += pow(seed_ratio(f, dense, cell, s, m) - mean, 2);
    return (cull_error_part){ sqrt(squares / (n - 1) / n), n - 1 };
}

static cull_status of_means(cull_ctx *ctx, const cull_frame *f, size_t dense, size_t cell,
                            const cull_metric_view *m, cull_difference *out)
{
    const double k = (double)m->k;
    cull_error_part error = { 0, INFINITY };
    double value = 0;

    for (size_t j = 0; j < m->k; j++) {
        cull_items items;
        cull_error_part one;
        CULL_TRY(ratio_items(ctx, f, dense, cell, m, m->column[j], &items));
        one.error = cull_ratio_stderr(&items, &one.df);
        error = cull_add_errors(error, one);
        value += cull_ratio(&items) / k;
    }
    error.error /= k;
    *out = f->cell[cell].n_trials > 1
               ? cull_by_two_parts(value, error, over_seeds(f, dense, cell, m))
               : cull_by_t(value, error.error, error.df);
    if (out->error == 0) // item by item the same: nothing is uncertain
        out->low = out->high = value;
    out->p = NAN;
    return CULL_OK;
}

cull_status cull_recovery_of(cull_ctx *ctx, const cull_frame *f, size_t dense, size_t cell,
                             const cull_metric_view *m, cull_difference *out)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    cull_status status = CULL_OK;

    *out = UNKNOWN;
    if (!cull_may_pair(f, dense, cell, m))
        return CULL_OK;
    status = m->law == CULL_LAW_EXP ? of_logarithms(ctx, f, dense, cell, m, out)
                                    : of_means(ctx, f, dense, cell, m, out);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    if (!isfinite(out->value))
        *out = UNKNOWN;
    return status;
}
