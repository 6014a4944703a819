// Cells set side by side: estimates, paired differences, their errors over items and seeds.
#include "report/compare.h"

#include <math.h>
#include <string.h>

static const cull_difference NOTHING = { NAN, NAN, NAN, NAN, NAN, NAN };

// ---- a cell's items ----

const cull_row *cull_cell_row(const cull_frame *f, size_t cell, size_t seed, size_t column)
{
    return cull_frame_row(f, f->order[f->cell[cell].first + seed], column);
}

// Do the trials of the cell all have the column, with equally many items?
static bool has_column(const cull_frame *f, size_t cell, size_t column)
{
    for (size_t s = 0; s < f->cell[cell].n_trials; s++) {
        const cull_row *row = cull_cell_row(f, cell, s, column);
        if (!row || row->n != cull_cell_row(f, cell, 0, column)->n)
            return false;
    }
    return true;
}

static bool has_measure(const cull_frame *f, size_t cell, const cull_metric_view *m)
{
    for (size_t j = 0; j < m->k; j++)
        if (!has_column(f, cell, m->column[j]))
            return false;
    return m->k > 0;
}

cull_status cull_cell_items(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t column,
                            cull_items *out)
{
    const size_t seeds = f->cell[cell].n_trials;

    *out = cull_cell_row(f, cell, 0, column)->items;
    if (seeds == 1)
        return CULL_OK;

    double *a = cull_scratch(ctx, out->n ? out->n : 1, sizeof *a);
    double *b = out->b ? cull_scratch(ctx, out->n ? out->n : 1, sizeof *b) : NULL;
    if (!a || (out->b && !b))
        return CULL_ENOMEM;
    for (size_t s = 0; s < seeds; s++) {
        const cull_items *one = &cull_cell_row(f, cell, s, column)->items;
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

// The metric view of one seed: the mean over its columns.
static double seed_value(const cull_frame *f, size_t cell, size_t seed, const cull_metric_view *m)
{
    double sum = 0;

    for (size_t j = 0; j < m->k; j++)
        sum += scaled(cull_cell_row(f, cell, seed, m->column[j]), m->law);
    return sum / (double)m->k;
}

// ---- seeds ----

// How a difference between two cells varies over seeds. Where both had the same seeds, or one has
// no choice of them, every seed gives a difference of its own: what the seed did to both (the same
// calibration texts, say) cancels. Otherwise the seeds of either are independent.
typedef struct run {
    size_t base, cell; // NO_CELL: the values of `cell` alone
    size_t n;          // seeds
} run;

enum { MAX_RUNS = 2 };
static const size_t NO_CELL = SIZE_MAX;

static run alone(const cull_frame *f, size_t cell)
{
    return (run){ NO_CELL, cell, f->cell[cell].n_trials };
}

static bool same_seeds(const cull_frame *f, const cull_frame_cell *a, const cull_frame_cell *b)
{
    bool same = a->n_trials == b->n_trials;

    for (size_t s = 0; same && s < a->n_trials; s++)
        same = f->trial[f->order[a->first + s]].seed == f->trial[f->order[b->first + s]].seed;
    return same;
}

static size_t find_runs(const cull_frame *f, size_t base, size_t cell, run out[MAX_RUNS])
{
    const cull_frame_cell *a = &f->cell[base], *b = &f->cell[cell];

    if (a->n_trials > 1 && b->n_trials > 1 && !same_seeds(f, a, b)) {
        out[0] = alone(f, base);
        out[1] = alone(f, cell);
        return 2;
    }
    out[0] = (run){ base, cell, a->n_trials > 1 ? a->n_trials : b->n_trials };
    return 1;
}

// The trial of the cell that stands for seed s of a run.
static size_t at_seed(const cull_frame *f, size_t cell, size_t s)
{
    return f->cell[cell].n_trials > 1 ? s : 0;
}

static double run_value(const cull_frame *f, const run *r, const cull_metric_view *m, size_t s)
{
    const double base = r->base == NO_CELL ? 0 : seed_value(f, r->base, at_seed(f, r->base, s), m);

    return seed_value(f, r->cell, at_seed(f, r->cell, s), m) - base;
}

// Mean and standard deviation over the seeds.
static double over_seeds(const cull_frame *f, const run *r, const cull_metric_view *m, double *sd)
{
    const double n = (double)r->n;
    double mean = 0, squares = 0;

    for (size_t s = 0; s < r->n; s++)
        mean += run_value(f, r, m, s) / n;
    for (size_t s = 0; s < r->n; s++)
        squares += pow(run_value(f, r, m, s) - mean, 2);
    *sd = r->n > 1 ? sqrt(squares / (n - 1)) : NAN;
    return mean;
}

// Error of the runs' means.
static cull_error_part seed_error(const cull_frame *f, const run *runs, size_t n_runs,
                                  const cull_metric_view *m)
{
    cull_error_part sum = { 0, INFINITY };

    for (size_t i = 0; i < n_runs; i++) {
        const double n = (double)runs[i].n;
        double sd;
        (void)over_seeds(f, &runs[i], m, &sd);
        sum = cull_add_errors(sum, (cull_error_part){ sd / sqrt(n), n - 1 });
    }
    return sum;
}

// An estimated variance; what is not known (NaN) stays so.
static double not_below_zero(double x)
{
    return x < 0 ? 0 : x;
}

// What the seeds of a run do to single items of a column, squared, as it stands in the error of
// their mean: Σ_s Σ_i (r_si − r̄_i)², over the seeds' residuals r, is Σ_s Σ_i r_si² − n Σ_i r̄_i².
// `error`: over the items' means over the seeds.
static double of_seeds_and_items(const cull_frame *f, const run *r, size_t column, double error)
{
    const double n = (double)r->n;
    double df, squares = -n * error * error;

    for (size_t s = 0; s < r->n; s++) {
        const cull_row *base =
            r->base == NO_CELL ? NULL : cull_cell_row(f, r->base, at_seed(f, r->base, s), column);
        const cull_row *cell = cull_cell_row(f, r->cell, at_seed(f, r->cell, s), column);
        squares += pow(cull_paired_stderr(base ? &base->items : NULL, &cell->items, &df), 2);
    }
    return not_below_zero(squares) / (n * (n - 1));
}

// Add the spread between seeds to a difference over items. It holds what the seeds do to single
// items, and so does the error over items: `twice`, which counts once (two crossed random effects:
// the mean squares of seeds and of items less that of both).
static cull_difference with_seeds(const cull_difference *d, double twice, cull_error_part seeds)
{
    const double variance = not_below_zero(d->error * d->error - twice);

    return cull_by_two_parts(d->value, (cull_error_part){ sqrt(variance), d->df }, seeds);
}

// ---- estimates ----

// Error of one column of a cell over its items, on the averaged scale; as the metric says where
// there are no items. What with_seeds counts once is added to twice; NULL: not wanted.
static cull_status column_error(cull_ctx *ctx, const cull_frame *f, size_t cell, size_t column,
                                enum cull_law law, cull_error_part *out, double *twice)
{
    const cull_row *row = cull_cell_row(f, cell, 0, column);
    const run r = alone(f, cell);
    cull_items items;

    *out = (cull_error_part){ row->error, row->n > 1 ? (double)row->n - 1 : INFINITY };
    if (law == CULL_LAW_NONE)
        return CULL_OK;
    CULL_TRY(cull_cell_items(ctx, f, cell, column, &items));
    out->error = cull_ratio_stderr(&items, &out->df);
    if (twice && r.n > 1)
        *twice += of_seeds_and_items(f, &r, column, out->error);
    return CULL_OK;
}

// The error over items of a metric view of a cell; twice: see with_seeds, or NULL.
static cull_status measure_error(cull_ctx *ctx, const cull_frame *f, size_t cell,
                                 const cull_metric_view *m, cull_error_part *out, double *twice)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    const double k = (double)m->k;

    *out = (cull_error_part){ 0, INFINITY };
    if (twice)
        *twice = 0;
    for (size_t j = 0; j < m->k; j++) {
        cull_error_part one;
        CULL_TRY(column_error(ctx, f, cell, m->column[j], m->law, &one, twice));
        *out = cull_add_errors(*out, one);
    }
    out->error /= k;
    if (twice)
        *twice /= k * k;
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return CULL_OK;
}

cull_status cull_estimate_of(cull_ctx *ctx, const cull_frame *f, size_t cell,
                             const cull_metric_view *m, cull_estimate *out)
{
    const run r = alone(f, cell);

    *out = (cull_estimate){ NAN, NAN, NAN, NAN, r.n, 0 };
    if (!has_measure(f, cell, m))
        return CULL_OK;

    cull_error_part items;
    double sd;
    CULL_TRY(measure_error(ctx, f, cell, m, &items, NULL));
    for (size_t j = 0; j < m->k; j++)
        out->n += cull_cell_row(f, cell, 0, m->column[j])->n;
    const double mean = over_seeds(f, &r, m, &sd);
    out->spread = items.error;
    out->value = m->law == CULL_LAW_EXP ? exp(mean) : mean;
    out->error = m->law == CULL_LAW_EXP ? out->value * out->spread : out->spread; // delta method
    out->sd = m->law == CULL_LAW_EXP ? out->value * sd : sd;
    return CULL_OK;
}

cull_status cull_interval_of(cull_ctx *ctx, const cull_frame *f, size_t cell,
                             const cull_metric_view *m, cull_difference *out)
{
    const run r = alone(f, cell);
    cull_error_part items;
    double twice, sd;

    *out = NOTHING;
    if (!has_measure(f, cell, m))
        return CULL_OK;
    CULL_TRY(measure_error(ctx, f, cell, m, &items, &twice));
    *out = cull_by_t(over_seeds(f, &r, m, &sd), items.error, items.df);
    if (r.n > 1)
        *out = with_seeds(out, twice, seed_error(f, &r, 1, m));
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

static const cull_frame_trial *trial_of(const cull_frame *f, size_t cell, size_t seed)
{
    return &f->trial[f->order[f->cell[cell].first + seed]];
}

// By one revision of the engine's numbers, all trials of both?
static bool same_numerics(const cull_frame *f, size_t base, size_t cell)
{
    const double first = trial_of(f, base, 0)->numerics;
    bool same = true;

    for (size_t i = 0; i < 2; i++)
        for (size_t s = 0; s < f->cell[i ? cell : base].n_trials; s++) {
            const double numerics = trial_of(f, i ? cell : base, s)->numerics;
            same = same && (numerics == first || (isnan(numerics) && isnan(first)));
        }
    return same;
}

bool cull_may_pair(const cull_frame *f, size_t base, size_t cell, const cull_metric_view *m)
{
    if (!has_measure(f, base, m) || !has_measure(f, cell, m) || !same_numerics(f, base, cell))
        return false;
    for (size_t j = 0; j < m->k; j++)
        if (!same_documents(cull_cell_row(f, base, 0, m->column[j]),
                            cull_cell_row(f, cell, 0, m->column[j])))
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

// Fewer items than ten, all strata together, are too few to draw from: Student's t it is.
enum { LEAST_DF = 9 };

// Two cells' items in every column of a metric view, and their differences.
typedef struct pairs {
    cull_items *first, *second; // (k) of the base, of the cell
    cull_difference *part;      // (k)
    double twice;               // variance that the differences and the seeds' spread both have
} pairs;

static cull_status pair_columns(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                                const cull_metric_view *m, size_t n_runs, const run *runs,
                                pairs *out)
{
    const bool seeds = runs[0].n > 1;

    *out = (pairs){ cull_scratch(ctx, m->k, sizeof *out->first),
                    cull_scratch(ctx, m->k, sizeof *out->second),
                    cull_scratch(ctx, m->k, sizeof *out->part), 0 };
    if (!out->first || !out->second || !out->part)
        return CULL_ENOMEM;
    for (size_t j = 0; j < m->k; j++) {
        cull_items *first = &out->first[j], *second = &out->second[j];
        CULL_TRY(cull_cell_items(ctx, f, base, m->column[j], first));
        CULL_TRY(cull_cell_items(ctx, f, cell, m->column[j], second));
        out->part[j] = cull_paired(first, second);
        for (size_t i = 0; seeds && i < n_runs; i++) {
            double df, error = out->part[j].error;
            if (runs[i].base == NO_CELL)
                error = cull_ratio_stderr(runs[i].cell == cell ? second : first, &df);
            out->twice +=
                of_seeds_and_items(f, &runs[i], m->column[j], error) / (double)(m->k * m->k);
        }
    }
    return CULL_OK;
}

// Flips of all columns together; of one without clusters McNemar's test is the p.
static void test_flips(size_t k, const pairs *p, cull_comparison *out)
{
    for (size_t j = 0; j < k; j++) {
        cull_comparison one = { 0 };
        count_flips(&p->first[j], &p->second[j], &one);
        out->flips = one.flips && (j == 0 || out->flips);
        out->to_wrong += one.to_wrong;
        out->to_right += one.to_right;
    }
    if (out->flips && k == 1 && !p->second[0].cluster) {
        out->test = CULL_TEST_MCNEMAR;
        out->d.p = cull_mcnemar(out->to_wrong, out->to_right);
    }
}

static cull_status paired(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                          const cull_metric_view *m, cull_comparison *out)
{
    run runs[MAX_RUNS];
    const size_t n_runs = find_runs(f, base, cell, runs);
    pairs p;

    CULL_TRY(pair_columns(ctx, f, base, cell, m, n_runs, runs, &p));
    out->d = cull_macro(m->k, p.part);
    out->test = CULL_TEST_T;
    if (runs[0].n > 1) {
        out->d = with_seeds(&out->d, p.twice, seed_error(f, runs, n_runs, m));
        return CULL_OK;
    }
    if (m->law != CULL_LAW_MEAN && out->d.df >= LEAST_DF) {
        out->test = CULL_TEST_BOOTSTRAP;
        return cull_bootstrap(ctx, f->draws, CULL_RESAMPLES, m->k, p.first, p.second, 1, &out->d);
    }
    test_flips(m->k, &p, out);
    return CULL_OK;
}

// As two independent estimates, where the items cannot be paired.
static cull_status unpaired(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                            const cull_metric_view *m, cull_comparison *out)
{
    cull_estimate x, y;

    CULL_TRY(cull_estimate_of(ctx, f, base, m, &x));
    CULL_TRY(cull_estimate_of(ctx, f, cell, m, &y));
    const double d = m->law == CULL_LAW_EXP ? log(y.value / x.value) : y.value - x.value;
    out->d = cull_by_t(d, sqrt(x.spread * x.spread + y.spread * y.spread), INFINITY);
    run runs[MAX_RUNS];
    const size_t n_runs = find_runs(f, base, cell, runs);
    if (runs[0].n > 1)
        out->d = with_seeds(&out->d, 0, seed_error(f, runs, n_runs, m));
    out->test = CULL_TEST_UNPAIRED;
    return CULL_OK;
}

cull_status cull_compare_cells(cull_ctx *ctx, const cull_frame *f, size_t base, size_t cell,
                               const cull_metric_view *m, cull_comparison *out)
{
    *out = (cull_comparison){ .d = NOTHING };
    if (!has_measure(f, base, m) || !has_measure(f, cell, m))
        return CULL_OK;

    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    const cull_status status = cull_may_pair(f, base, cell, m)
                                   ? paired(ctx, f, base, cell, m, out)
                                   : unpaired(ctx, f, base, cell, m, out);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return status;
}
