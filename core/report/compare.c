#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- a cell's items ----

static const cull_row *row_of(const cull_frame *f, size_t cell, size_t seed, size_t column)
{
    return cull_frame_row(f, f->order[f->cell[cell].first + seed], column);
}

// Do the trials of the cell all have the column, with equally many items?
static bool has_column(const cull_frame *f, size_t cell, size_t column)
{
    for (size_t s = 0; s < f->cell[cell].n_trials; s++) {
        const cull_row *row = row_of(f, cell, s, column);
        if (!row || row->n != row_of(f, cell, 0, column)->n)
            return false;
    }
    return true;
}

static bool has_measure(const cull_frame *f, size_t cell, const cull_measure *m)
{
    for (size_t j = 0; j < m->k; j++)
        if (!has_column(f, cell, m->column[j]))
            return false;
    return m->k > 0;
}

// The items of a cell and column, means over its seeds.
static cull_status items_of(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t column,
                            cull_items *out)
{
    const size_t seeds = f->cell[cell].n_trials;
    *out = row_of(f, cell, 0, column)->items;
    if (seeds == 1)
        return CULL_OK;

    double *a = cull_scratch(ctx, out->n ? out->n : 1, sizeof *a);
    double *b = out->b ? cull_scratch(ctx, out->n ? out->n : 1, sizeof *b) : NULL;
    if (!a || (out->b && !b))
        return CULL_ENOMEM;
    for (size_t s = 0; s < seeds; s++) {
        const cull_items *one = &row_of(f, cell, s, column)->items;
        for (size_t i = 0; i < out->n; i++) {
            a[i] += one->a[i] / (double)seeds;
            if (b)
                b[i] += one->b[i] / (double)seeds;
        }
    }
    out->a = a;
    out->b = b;
    return CULL_OK;
}

// The value of one seed on the scale on which it is averaged.
static double scaled(const cull_row *row, enum cull_law law)
{
    return law == CULL_LAW_EXP ? log(row->value) : row->value;
}

// The measure of one seed: the mean over its columns.
static double seed_value(const cull_frame *f, size_t cell, size_t seed, const cull_measure *m)
{
    double sum = 0;
    for (size_t j = 0; j < m->k; j++)
        sum += scaled(row_of(f, cell, seed, m->column[j]), m->law);
    return sum / (double)m->k;
}

// Mean and standard deviation over the seeds.
static double over_seeds(const cull_frame *f, size_t cell, const cull_measure *m, double *sd)
{
    const double n = (double)f->cell[cell].n_trials;
    double mean = 0, squares = 0;
    for (size_t s = 0; s < f->cell[cell].n_trials; s++)
        mean += seed_value(f, cell, s, m) / n;
    for (size_t s = 0; s < f->cell[cell].n_trials; s++)
        squares += pow(seed_value(f, cell, s, m) - mean, 2);
    *sd = n > 1 ? sqrt(squares / (n - 1)) : NAN;
    return mean;
}

// ---- estimates ----

// Error of one column of a cell over its items, on the averaged scale; as the metric says where
// there are no items, and of a group of tasks, whose errors lm-eval pools.
static cull_status column_error(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t column,
                                enum cull_law law, double *error, double *df)
{
    const cull_row *row = row_of(f, cell, 0, column);
    cull_items items;
    *df = (double)row->n - 1;
    *error = row->error;
    if (law == CULL_LAW_NONE || (row->group_of_tasks && f->cell[cell].n_trials == 1))
        return CULL_OK;
    CULL_TRY(items_of(ctx, f, cell, column, &items));
    *error = cull_ratio_stderr(&items, df);
    return CULL_OK;
}

cull_status cull_estimate_of(cull_ctx *ctx, const cull_frame *f, size_t cell, const cull_measure *m,
                             cull_estimate *out)
{
    *out = (cull_estimate){ NAN, NAN, NAN, NAN, f->cell[cell].n_trials, 0 };
    if (!has_measure(f, cell, m))
        return CULL_OK;

    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    double variance = 0, sd;
    for (size_t j = 0; j < m->k; j++) {
        double error, df;
        CULL_TRY(column_error(ctx, f, cell, m->column[j], m->law, &error, &df));
        variance += error * error / (double)(m->k * m->k);
        out->n += row_of(f, cell, 0, m->column[j])->n;
    }
    const double mean = over_seeds(f, cell, m, &sd);
    out->spread = sqrt(variance);
    out->value = m->law == CULL_LAW_EXP ? exp(mean) : mean;
    out->error = m->law == CULL_LAW_EXP ? out->value * out->spread : out->spread; // delta method
    out->sd = m->law == CULL_LAW_EXP ? out->value * sd : sd;
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return CULL_OK;
}

// ---- differences ----

static bool same_documents(const cull_row *a, const cull_row *b)
{
    if (a->n != b->n || a->items.n != b->items.n)
        return false;
    for (size_t i = 0; a->hash && b->hash && i < a->n; i++)
        if (strcmp(a->hash[i], b->hash[i]) != 0)
            return false;
    return true;
}

static bool may_pair(const cull_frame *f, size_t base, size_t cell, const cull_measure *m)
{
    for (size_t j = 0; j < m->k; j++)
        if (!same_documents(row_of(f, base, 0, m->column[j]), row_of(f, cell, 0, m->column[j])))
            return false;
    return m->law != CULL_LAW_NONE;
}

// Outcomes 0 and 1 of one task, without clusters, one seed each: the table of McNemar's test.
static void count_flips(const cull_items *base, const cull_items *items, cull_comparison *out)
{
    out->flips = !base->b && !items->b;
    for (size_t i = 0; out->flips && i < items->n; i++) {
        const double x = base->a[i], y = items->a[i];
        out->flips = (x == 0 || x == 1) && (y == 0 || y == 1);
        out->to_wrong += x == 1 && y == 0;
        out->to_right += x == 0 && y == 1;
    }
}

// What the seeds of a cell do to single items, squared, as it stands in the error of their mean
// over seeds; `mean` has the items' means. One seed cannot tell.
static double of_seeds_and_items(const cull_frame *f, size_t cell, size_t column,
                                 const cull_items *mean)
{
    const size_t n = f->cell[cell].n_trials;
    double squares = 0;
    for (size_t s = 0; n > 1 && s < n; s++) {
        const cull_difference own = cull_paired(mean, &row_of(f, cell, s, column)->items);
        squares += own.error * own.error;
    }
    return n > 1 ? squares / (double)(n * (n - 1)) : 0;
}

// Add the spread between seeds of both cells to a difference over items. It holds what the seeds do
// to single items, and so does the error over items: `twice`, which counts once (two crossed random
// effects: the mean squares of seeds and of items less that of both).
static void add_seeds(const cull_frame *f, size_t base, size_t cell, const cull_measure *m,
                      double twice, cull_comparison *out)
{
    const size_t cells[] = { base, cell };
    const double variance = fmax(0, out->d.error * out->d.error - twice);
    cull_error_part seeds = { 0, INFINITY };
    for (size_t i = 0; i < 2; i++) {
        const double n = (double)f->cell[cells[i]].n_trials;
        double sd;
        (void)over_seeds(f, cells[i], m, &sd);
        if (n > 1)
            seeds = cull_add_errors(seeds, (cull_error_part){ sd / sqrt(n), n - 1 });
    }
    out->d = cull_by_two_parts(out->d.value, (cull_error_part){ sqrt(variance), out->d.df }, seeds);
    out->test = CULL_TEST_T;
}

static cull_status paired(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                          const cull_measure *m, cull_comparison *out)
{
    cull_items *first = cull_scratch(ctx, m->k, sizeof *first);
    cull_items *second = cull_scratch(ctx, m->k, sizeof *second);
    cull_difference *part = cull_scratch(ctx, m->k, sizeof *part);
    double twice = 0;
    if (!first || !second || !part)
        return CULL_ENOMEM;
    for (size_t j = 0; j < m->k; j++) {
        CULL_TRY(items_of(ctx, f, base, m->column[j], &first[j]));
        CULL_TRY(items_of(ctx, f, cell, m->column[j], &second[j]));
        part[j] = cull_paired(&first[j], &second[j]);
        twice += of_seeds_and_items(f, base, m->column[j], &first[j]) +
                 of_seeds_and_items(f, cell, m->column[j], &second[j]);
    }

    const bool seeds = f->cell[base].n_trials > 1 || f->cell[cell].n_trials > 1;
    out->d = cull_macro(m->k, part);
    out->test = CULL_TEST_T;
    if (seeds) {
        add_seeds(f, base, cell, m, twice / (double)(m->k * m->k), out);
        return CULL_OK;
    }
    if (m->law != CULL_LAW_MEAN) {
        out->test = CULL_TEST_BOOTSTRAP;
        return cull_bootstrap(ctx, CULL_RESAMPLES, m->k, first, second, 1, &out->d);
    }
    for (size_t j = 0; j < m->k; j++) {
        cull_comparison one = { 0 };
        count_flips(&first[j], &second[j], &one);
        out->flips = one.flips && (j == 0 || out->flips);
        out->to_wrong += one.to_wrong;
        out->to_right += one.to_right;
    }
    if (out->flips && m->k == 1 && !second[0].cluster) {
        out->test = CULL_TEST_MCNEMAR;
        out->d.p = cull_mcnemar(out->to_wrong, out->to_right);
    }
    return CULL_OK;
}

// As two independent estimates, where the items cannot be paired.
static cull_status unpaired(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                            const cull_measure *m, cull_comparison *out)
{
    cull_estimate x, y;
    CULL_TRY(cull_estimate_of(ctx, f, base, m, &x));
    CULL_TRY(cull_estimate_of(ctx, f, cell, m, &y));
    const double d = m->law == CULL_LAW_EXP ? log(y.value / x.value) : y.value - x.value;
    out->d = cull_by_t(d, sqrt(x.spread * x.spread + y.spread * y.spread), INFINITY);
    if (f->cell[base].n_trials > 1 || f->cell[cell].n_trials > 1)
        add_seeds(f, base, cell, m, 0, out);
    out->test = CULL_TEST_UNPAIRED;
    return CULL_OK;
}

cull_status cull_compare_cells(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                               const cull_measure *m, cull_comparison *out)
{
    *out = (cull_comparison){ .d = { NAN, NAN, NAN, NAN, NAN, NAN } };
    if (!has_measure(f, base, m) || !has_measure(f, cell, m))
        return CULL_OK;

    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    const cull_status status = may_pair(f, base, cell, m) ? paired(ctx, f, base, cell, m, out)
                                                          : unpaired(ctx, f, base, cell, m, out);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return status;
}

// ---- the best ----

static bool compete(const cull_frame *f, size_t a, size_t b)
{
    const cull_frame_cell *x = &f->cell[a], *y = &f->cell[b];
    if (strcmp(x->model, y->model) != 0)
        return false;
    return (x->checkpoint && y->checkpoint) ||
           (!x->dense && !y->dense && x->sparsity == y->sparsity); // NaN is equal to nothing
}

// The best of the cells that compete with `cell`, other than `but`; SIZE_MAX: none.
static cull_status find_top(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t but,
                            const cull_measure *m, size_t *top)
{
    double most = -INFINITY;
    *top = SIZE_MAX;
    for (size_t c = 0; c < f->n_cells; c++) {
        cull_estimate e;
        if (c == but || !compete(f, cell, c))
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
        if (compete(f, c, cell))
            return false;
    return compete(f, cell, cell);
}

cull_status cull_find_best(cull_ctx *ctx, const cull_frame *f, const cull_measures *measures,
                           bool *best)
{
    const size_t n = f->n_cells * measures->n;
    double *p = cull_scratch(ctx, n ? n : 1, sizeof *p);
    size_t *place = cull_scratch(ctx, n ? n : 1, sizeof *place), tests = 0;
    if (!p || !place)
        return CULL_ENOMEM;

    for (size_t cell = 0; cell < f->n_cells; cell++)
        for (size_t j = 0; leads(f, cell) && j < measures->n; j++) {
            size_t top, second;
            cull_comparison c;
            CULL_TRY(find_top(ctx, f, cell, SIZE_MAX, &measures->at[j], &top));
            CULL_TRY(find_top(ctx, f, cell, top, &measures->at[j], &second));
            if (top == SIZE_MAX || second == SIZE_MAX)
                continue;
            CULL_TRY(cull_compare_cells(ctx, f, second, top, &measures->at[j], &c));
            place[tests] = top * measures->n + j;
            p[tests++] = c.d.p;
        }
    CULL_TRY(cull_holm(ctx, tests, p, p));
    for (size_t i = 0; i < tests; i++)
        best[place[i]] = p[i] <= 0.05;
    return CULL_OK;
}
