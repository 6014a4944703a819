// Every value of every trial, as rows for other programs to read.
#include <math.h>
#include <string.h>

#include "report/baseline.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

// The tidy table compares trials, not cells: a frame in which every trial is a cell of its own.
static cull_status by_trial(cull_ctx *ctx, const cull_frame *frame, cull_frame *out)
{
    *out = *frame;
    out->n_cells = frame->n_trials;
    out->cell = cull_take(ctx, frame->n_trials, sizeof *out->cell);
    out->order = cull_take(ctx, frame->n_trials, sizeof *out->order);
    if (!out->cell || !out->order)
        return CULL_ENOMEM;
    for (size_t i = 0; i < frame->n_trials; i++) {
        const cull_frame_trial *t = &frame->trial[i];
        out->order[i] = i;
        out->cell[i] = (cull_frame_cell){ .model = t->model,
                                          .method = t->method,
                                          .axis = t->axis,
                                          .sparsity = t->sparsity,
                                          .dense = t->dense,
                                          .n_trials = 1,
                                          .first = i };
    }
    return CULL_OK;
}

static const char *test_name(enum cull_test test)
{
    static const char *const names[] = { "", "paired t", "McNemar", "paired bootstrap",
                                         "unpaired" };

    return names[test];
}

enum {
    MODEL,
    METHOD,
    SPARSITY,
    ACHIEVED,
    ALLOCATION,
    SEED,
    TASK,
    METRIC,
    FILTER,
    VALUE,
    STDERR,
    N,
    HIGHER,
    PRECISION,
    ACHIEVED_ALL,
    ACHIEVED_ACTIVE,
    DELTA,
    LOW,
    HIGH,
    P,
    TEST,
    TRIAL,
    N_TIDY, // and where a baseline is asked for:
    BASELINE = N_TIDY,
    TO_BASELINE,
    BASELINE_LOW,
    BASELINE_HIGH,
    BASELINE_P,
    N_WITH_BASELINE
};

static const cull_table_column tidy[N_WITH_BASELINE] = {
    [MODEL] = { "model", false, false, false },
    [METHOD] = { "method", false, false, false },
    [SPARSITY] = { "sparsity", true, false, true },
    [ACHIEVED] = { "achieved", true, false, true },
    [ALLOCATION] = { "allocation", false, false, false },
    [SEED] = { "seed", true, false, true },
    [TASK] = { "task", false, false, false },
    [METRIC] = { "metric", false, false, false },
    [FILTER] = { "filter", false, false, false },
    [VALUE] = { "value", true, false, true },
    [STDERR] = { "stderr", true, false, true },
    [N] = { "n", true, false, true },
    [HIGHER] = { "higher_is_better", true, false, true },
    [PRECISION] = { "precision", false, false, false },
    [ACHIEVED_ALL] = { "achieved_all", true, false, true },
    [ACHIEVED_ACTIVE] = { "achieved_active", true, false, true },
    [DELTA] = { "to_dense", true, false, true },
    [LOW] = { "to_dense_low", true, false, true },
    [HIGH] = { "to_dense_high", true, false, true },
    [P] = { "p", true, false, true },
    [TEST] = { "test", false, false, false },
    [TRIAL] = { "trial", false, false, false },
    [BASELINE] = { "baseline", false, false, false },
    [TO_BASELINE] = { "to_baseline", true, false, true },
    [BASELINE_LOW] = { "to_baseline_low", true, false, true },
    [BASELINE_HIGH] = { "to_baseline_high", true, false, true },
    [BASELINE_P] = { "p_baseline", true, false, true },
};

static void put_row(const cull_frame *f, const cull_row *row, const cull_comparison *c,
                    double error, cull_table *t)
{
    const cull_frame_trial *trial = &f->trial[row->trial];

    cull_table_row(t);
    cull_table_set(t, MODEL, trial->model);
    cull_table_set(t, METHOD, trial->method);
    cull_table_real(t, SPARSITY, trial->sparsity);
    cull_table_real(t, ACHIEVED, trial->achieved);
    cull_table_set(t, ALLOCATION, trial->axis[CULL_AXIS_ALLOCATION]);
    cull_table_real(t, SEED, trial->seed);
    cull_table_set(t, TASK, row->task);
    cull_table_set(t, METRIC, f->column[row->column].label);
    cull_table_set(t, FILTER, row->filter);
    cull_table_real(t, VALUE, row->value);
    cull_table_real(t, STDERR, error);
    cull_table_printf(t, N, "%zu", row->n);
    cull_table_set(t, HIGHER, row->higher_is_better ? "1" : "0");
    cull_table_set(t, PRECISION, trial->precision);
    cull_table_real(t, ACHIEVED_ALL, trial->achieved_all);
    cull_table_real(t, ACHIEVED_ACTIVE, trial->active);
    cull_put_difference(t, DELTA, &c->d, row->law);
    cull_table_set(t, TEST, test_name(c->test));
    cull_table_set(t, TRIAL, trial->id);
}

// The model's dense trial: cell i of a frame by trial is trial i.
static size_t dense_of(const cull_frame *f, size_t trial)
{
    return cull_frame_dense(f, f->trial[trial].model);
}

// The error of a row: as the metric reports it, or from its items.
static cull_status error_of(cull_ctx *ctx, const cull_frame *f, const cull_row *row,
                            const cull_metric_view *m, double *error)
{
    cull_estimate e;

    *error = row->error;
    if (!isnan(row->error))
        return CULL_OK;
    CULL_TRY(cull_estimate_of(ctx, f, row->trial, m, &e));
    *error = e.error;
    return CULL_OK;
}

typedef cull_status (*row_fn)(cull_ctx *ctx, const cull_frame *f, const cull_row *row,
                              const cull_metric_view *m, const char *baseline, cull_table *out);

// Every row, or those of a metric, dense trials first.
static cull_status each_row(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                            const char *baseline, row_fn put, cull_table *out)
{
    cull_frame f;
    cull_metric_views metric_views;

    CULL_TRY(by_trial(ctx, frame, &f));
    CULL_TRY(cull_metric_views_each(ctx, &f, &metric_views));
    for (int dense = 1; dense >= 0; dense--)
        for (size_t i = 0; i < f.n_trials; i++)
            for (size_t c = 0; f.trial[i].dense == dense && c < f.n_columns; c++) {
                const cull_row *row = cull_frame_row(&f, i, c);
                if (row && (!metric || strcmp(metric_views.at[c].label, metric) == 0))
                    CULL_TRY(put(ctx, &f, row, &metric_views.at[c], baseline, out));
            }
    if (metric && out->n_rows == 0)
        return cull_fail(ctx, CULL_EUSAGE, "--metric: there is no metric \"%s\"", metric);
    return out->status;
}

// A row compared to the same value of another trial, if that was measured in the same way.
static cull_status compare_to(cull_ctx *ctx, const cull_frame *f, const cull_row *row,
                              const cull_metric_view *m, size_t other, cull_comparison *out)
{
    const cull_row *base = other == SIZE_MAX ? NULL : cull_frame_row(f, other, row->column);

    *out = (cull_comparison){ .d = { NAN, NAN, NAN, NAN, NAN, NAN } };
    if (!base || base == row || strcmp(base->conditions, row->conditions) != 0)
        return CULL_OK;
    return cull_compare_cells(ctx, f, other, row->trial, m, out);
}

static cull_status put_tidy(cull_ctx *ctx, const cull_frame *f, const cull_row *row,
                            const cull_metric_view *m, const char *baseline, cull_table *out)
{
    cull_comparison c;
    double error;

    CULL_TRY(compare_to(ctx, f, row, m, dense_of(f, row->trial), &c));
    CULL_TRY(error_of(ctx, f, row, m, &error));
    put_row(f, row, &c, error, out);
    cull_set_axes(out, baseline ? N_WITH_BASELINE : N_TIDY, f, f->trial[row->trial].axis);
    if (!baseline)
        return out->status;
    const size_t base = cull_baseline_of(f, row->trial, baseline);
    CULL_TRY(compare_to(ctx, f, row, m, base, &c));
    cull_table_set(out, BASELINE,
                   base == SIZE_MAX                              ? ""
                   : cull_baseline_axis(f, baseline) != SIZE_MAX ? baseline
                                                                 : f->cell[base].method);
    cull_put_difference(out, TO_BASELINE, &c.d, row->law);
    return out->status;
}

cull_status cull_view_tidy(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                           const char *baseline, cull_table *out)
{
    *out = cull_table_with_axes(ctx, frame, baseline ? N_WITH_BASELINE : N_TIDY, tidy);
    return each_row(ctx, frame, metric, baseline, put_tidy, out);
}

// ---- lm-eval's layout ----

// The value of "key=value" in the row's conditions; "" where it is not said.
static void put_condition(cull_table *t, size_t column, const cull_row *row, const char *key)
{
    const size_t k = strlen(key);

    for (const char *line = row->conditions; *line;) {
        const size_t n = strcspn(line, "\n");
        if (n > k && strncmp(line, key, k) == 0 && line[k] == '=')
            cull_table_printf(t, column, "%.*s", (int)(n - k - 1), line + k + 1);
        line += n + (line[n] == '\n');
    }
}

enum { N_CELL = 5, N_LM_EVAL = 9 }; // the columns of a trial's cell, and its own

static cull_status put_lm_eval(cull_ctx *ctx, const cull_frame *f, const cull_row *row,
                               const cull_metric_view *m, const char *baseline, cull_table *out)
{
    (void)baseline;
    const cull_frame_trial *trial = &f->trial[row->trial];
    double error;
    CULL_TRY(error_of(ctx, f, row, m, &error));

    const size_t at = f->n_trials > 1 ? N_CELL : 0; // where lm-eval's own columns begin
    cull_table_row(out);
    if (at > 0) {
        cull_table_set(out, 0, trial->model);
        cull_table_set(out, 1, trial->method);
        cull_table_real(out, 2, trial->sparsity);
        cull_table_set(out, 3, trial->axis[CULL_AXIS_ALLOCATION]);
        cull_table_real(out, 4, trial->seed);
    }
    cull_table_set(out, at, row->task);
    put_condition(out, at + 1, row, "version");
    cull_table_set(out, at + 2, row->filter);
    put_condition(out, at + 3, row, "n_shot");
    cull_table_set(out, at + 4, row->metric);
    cull_table_set(out, at + 5, row->higher_is_better ? "↑" : "↓");
    cull_table_printf(out, at + 6, "%.4f", row->value);
    cull_table_set(out, at + 7, "±");
    if (isnan(error))
        cull_table_set(out, at + 8, "N/A");
    else
        cull_table_printf(out, at + 8, "%.4f", error);
    cull_set_axes(out, at + N_LM_EVAL, f, trial->axis);
    return out->status;
}

cull_status cull_view_lm_eval(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                              cull_table *out)
{
    static const cull_table_column columns[] = {
        { "Model", false, false, false },  { "Method", false, false, false },
        { "Sparsity", true, false, true }, { "Allocation", false, false, false },
        { "Seed", true, false, true },     { "Tasks", false, false, false },
        { "Version", true, false, false }, { "Filter", false, false, false },
        { "n-shot", true, false, false },  { "Metric", false, false, false },
        { "", false, false, false },       { "Value", true, false, true },
        { "", false, false, false },       { "Stderr", true, false, true },
    };
    const size_t first = frame->n_trials > 1 ? 0 : N_CELL; // a single trial needs no name

    *out = cull_table_with_axes(ctx, frame, N_CELL + N_LM_EVAL - first, columns + first);
    return each_row(ctx, frame, metric, NULL, put_lm_eval, out);
}
