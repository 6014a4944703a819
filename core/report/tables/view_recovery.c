// The table of `cull compare --recovery`: percent of dense, task by task and on average.
#include <math.h>
#include <string.h>

#include "base/amount.h"
#include "report/recovery.h"
#include "report/tables/format_number.h"
#include "report/tables/views.h"

typedef struct recovery {
    cull_ctx *ctx;
    const cull_frame *frame;
    size_t dense;
    cull_metric_views tasks; // of one metric
    cull_metric_views mean;  // one or none
    size_t n_cells, *cell;   // besides dense, in order
    size_t n_axes, *axis;    // that vary, besides the allocation
} recovery;

static bool comes_before(const cull_frame *f, const double *kept, size_t a, size_t b)
{
    const double x = f->cell[a].sparsity, y = f->cell[b].sparsity;

    if (x != y && !(isnan(x) && isnan(y)))
        return isnan(y) || x < y;
    return kept[a] > kept[b];
}

// Below dense by sparsity, the method that kept more first.
static cull_status sort_cells(recovery *r, const char *model)
{
    const cull_frame *f = r->frame;
    const cull_metric_view *by = r->mean.n ? r->mean.at : r->tasks.at;
    double *kept = cull_take(r->ctx, f->n_cells + 1, sizeof *kept);

    r->cell = cull_take(r->ctx, f->n_cells + 1, sizeof *r->cell);
    if (!r->cell || !kept)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_cells; c++) {
        if (c == r->dense || strcmp(f->cell[c].model, model) != 0)
            continue;
        cull_difference d;
        CULL_TRY(cull_recovery_of(r->ctx, f, r->dense, c, by, &d));
        kept[c] = isnan(d.value) ? -INFINITY : d.value;
        size_t j = r->n_cells++;
        for (; j > 0 && comes_before(f, kept, c, r->cell[j - 1]); j--)
            r->cell[j] = r->cell[j - 1];
        r->cell[j] = c;
    }
    return CULL_OK;
}

// The tasks of the metric (sums over them left out), and their mean.
static cull_status find_views(recovery *r, const char *metric)
{
    cull_metric_views each, macro, main;

    CULL_TRY(cull_metric_views_macro(r->ctx, r->frame, &macro));
    CULL_TRY(cull_metric_views_main(r->ctx, &macro, metric, &main));
    if (main.n == 0)
        return cull_fail(r->ctx, CULL_EUSAGE, "the results hold no metric");
    const char *label = main.at[0].label;
    CULL_TRY(cull_metric_views_each(r->ctx, r->frame, &each));
    cull_metric_view *at = cull_take(r->ctx, each.n + 1, sizeof *at);
    r->tasks = (cull_metric_views){ .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < each.n; i++)
        if (strcmp(each.at[i].label, label) == 0 && !cull_is_sum(r->frame, i))
            at[r->tasks.n++] = each.at[i];
    if (main.at[0].k > 1)
        r->mean = (cull_metric_views){ .n = 1, .at = main.at };
    if (main.at[0].law == CULL_LAW_NONE)
        return cull_fail(r->ctx, CULL_EUSAGE,
                         "--recovery: %s has no outcomes per item, so nothing can be paired",
                         label);
    return CULL_OK;
}

// ---- the columns before the tasks' ----

// Of what dense has, a mean over the cell's seeds.
static double share_of(const recovery *r, size_t cell, double (*of)(const cull_frame_trial *))
{
    const cull_frame *f = r->frame;
    const double whole = of(&f->trial[f->order[f->cell[r->dense].first]]);

    return cull_cell_mean(f, &f->cell[cell], of) / whole;
}

static double parameters(const cull_frame_trial *t)
{
    return t->kept_all;
}

static double active(const cull_frame_trial *t)
{
    return t->kept_active;
}

static double checkpoint_bytes(const cull_frame_trial *t)
{
    return t->checkpoint_bytes;
}

static void put_sparsity(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    const double sparsity = r->frame->cell[cell].sparsity;

    if (!isnan(sparsity))
        cull_table_printf(t, at, "%g", sparsity);
}

static void put_method(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    cull_table_set(t, at, r->frame->cell[cell].method);
}

static void put_allocation(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    cull_table_set(t, at, r->frame->cell[cell].axis[CULL_AXIS_ALLOCATION]);
}

static void put_share(double share, size_t at, cull_table *t)
{
    char text[CULL_SHOWN];

    cull_show_share(text, sizeof text, share);
    cull_table_set(t, at, text);
}

static void put_parameters(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    put_share(share_of(r, cell, parameters), at, t);
}

static void put_active(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    put_share(share_of(r, cell, active), at, t);
}

// What an export's weights take: "5.6 MB".
static void put_checkpoint(const recovery *r, size_t cell, size_t at, cull_table *t)
{
    const double bytes = cull_cell_mean(r->frame, &r->frame->cell[cell], checkpoint_bytes);
    char text[CULL_SHOWN];

    cull_table_set(t, at, isnan(bytes) ? "–" : cull_bytes_text(bytes, text, sizeof text));
}

// Behind ALLOCATION stands one for each other axis that varies.
enum {
    SPARSITY,
    METHOD,
    ALLOCATION,
    OTHER_AXES,
    PARAMETERS = OTHER_AXES,
    ACTIVE,
    CHECKPOINT,
    FIXED
};

// clang-format off
static const struct {
    cull_table_column head;
    void (*put)(const recovery *, size_t cell, size_t at, cull_table *);
} fixed[FIXED] = {
    [SPARSITY]   = { { .name = "sparsity", .right = true, .number = true }, put_sparsity },
    [METHOD]     = { { .name = "method" },                                  put_method },
    [ALLOCATION] = { { .name = "allocation" },                              put_allocation },
    [PARAMETERS] = { { .name = "parameters", .right = true },               put_parameters },
    [ACTIVE]     = { { .name = "active", .right = true },                   put_active },
    [CHECKPOINT] = { { .name = "checkpoint", .right = true },               put_checkpoint },
};
// clang-format on

// Their number is returned.
static size_t fixed_columns(const recovery *r, cull_table_column *column)
{
    size_t n = 0;

    for (size_t k = 0; k < FIXED; k++) {
        for (size_t a = 0; k == OTHER_AXES && a < r->n_axes; a++)
            column[n++] = (cull_table_column){ .name = r->frame->axis[r->axis[a]] };
        column[n++] = fixed[k].head;
    }
    return n;
}

// The first column after them is returned.
static size_t put_fixed(const recovery *r, size_t cell, cull_table *t)
{
    size_t at = 0;

    for (size_t k = 0; k < FIXED; k++) {
        for (size_t a = 0; k == OTHER_AXES && a < r->n_axes; a++)
            cull_table_set(t, at++, r->frame->cell[cell].axis[r->axis[a]]);
        fixed[k].put(r, cell, at++, t);
    }
    return at;
}

// ---- the mean's and the tasks' ----

// "97.3 [96.1, 98.5]", percent.
static cull_status put_recovery(const recovery *r, size_t cell, const cull_metric_view *m,
                                size_t at, cull_table *t)
{
    cull_difference d;

    if (cell == r->dense)
        cull_table_set(t, at, "100");
    if (cell == r->dense)
        return CULL_OK;
    CULL_TRY(cull_recovery_of(r->ctx, r->frame, r->dense, cell, m, &d));
    if (isnan(d.value))
        cull_table_set(t, at, "–");
    else
        cull_table_printf(t, at, "%.1f [%.1f, %.1f]", 100 * d.value, 100 * d.low, 100 * d.high);
    return CULL_OK;
}

static cull_status make_columns(const recovery *r, cull_table *out)
{
    const size_t most = FIXED + r->n_axes + r->tasks.n + r->mean.n;
    cull_table_column *column = cull_take(r->ctx, most, sizeof *column);

    if (!column)
        return CULL_ENOMEM;

    size_t n = fixed_columns(r, column);
    for (size_t i = 0; i < r->mean.n; i++)
        column[n++] = (cull_table_column){ .name = "mean [95 %]", .right = true };
    for (size_t i = 0; i < r->tasks.n; i++)
        column[n++] = (cull_table_column){ .name = r->tasks.at[i].task, .right = true };
    *out = cull_table_new(r->ctx, n, METHOD + 1, column);
    return out->status;
}

static cull_status put_cell(const recovery *r, size_t cell, cull_table *t)
{
    cull_table_row(t);
    size_t at = put_fixed(r, cell, t);
    for (size_t i = 0; i < r->mean.n; i++)
        CULL_TRY(put_recovery(r, cell, &r->mean.at[i], at++, t));
    for (size_t i = 0; i < r->tasks.n; i++)
        CULL_TRY(put_recovery(r, cell, &r->tasks.at[i], at++, t));
    return t->status;
}

static cull_status begin(recovery *r, const char *model, const char *metric)
{
    r->dense = cull_frame_dense(r->frame, model);
    if (r->dense == SIZE_MAX)
        return cull_fail(r->ctx, CULL_EUSAGE, "--recovery: \"%s\" has no dense trial", model);
    r->axis = cull_take(r->ctx, r->frame->n_axes, sizeof *r->axis);
    if (!r->axis)
        return CULL_ENOMEM;
    for (size_t i = CULL_AXIS_ALLOCATION + 1; i < r->frame->n_axes; i++)
        if (cull_axis_varies(r->frame, model, i, 2))
            r->axis[r->n_axes++] = i;
    CULL_TRY(find_views(r, metric));
    return sort_cells(r, model);
}

cull_status cull_view_recovery(cull_ctx *ctx, const cull_frame *frame, const char *model,
                               const char *metric, cull_table *out)
{
    recovery r = { .ctx = ctx, .frame = frame };

    CULL_TRY(begin(&r, model, metric));
    CULL_TRY(make_columns(&r, out));
    CULL_TRY(put_cell(&r, r.dense, out));
    for (size_t i = 0; i < r.n_cells; i++)
        CULL_TRY(put_cell(&r, r.cell[i], out));
    return out->status;
}

// ---- as numbers ----

enum {
    T_MODEL,
    T_METHOD,
    T_SPARSITY,
    T_ALLOCATION,
    T_TASK,
    T_METRIC,
    T_RECOVERY,
    T_LOW,
    T_HIGH,
    T_PARAMETERS,
    T_ACTIVE,
    T_BYTES,
    N_TIDY
};

// clang-format off
static const cull_table_column tidy[N_TIDY] = {
    [T_MODEL]      = { .name = "model" },
    [T_METHOD]     = { .name = "method" },
    [T_SPARSITY]   = { .name = "sparsity",   .number = true },
    [T_ALLOCATION] = { .name = "allocation" },
    [T_TASK]       = { .name = "task" },
    [T_METRIC]     = { .name = "metric" },
    [T_RECOVERY]   = { .name = "recovery",   .number = true },
    [T_LOW]        = { .name = "low",        .number = true },
    [T_HIGH]       = { .name = "high",       .number = true },
    [T_PARAMETERS] = { .name = "parameters", .number = true },
    [T_ACTIVE]     = { .name = "active",     .number = true },
    [T_BYTES]      = { .name = "checkpoint_bytes", .number = true },
};
// clang-format on

static cull_status put_tidy(const recovery *r, size_t cell, const cull_metric_view *m,
                            cull_table *t)
{
    const cull_frame_cell *c = &r->frame->cell[cell];
    cull_difference d;

    CULL_TRY(cull_recovery_of(r->ctx, r->frame, r->dense, cell, m, &d));
    cull_table_row(t);
    cull_table_set(t, T_MODEL, c->model);
    cull_table_set(t, T_METHOD, c->method);
    cull_table_real(t, T_SPARSITY, c->sparsity);
    cull_table_set(t, T_ALLOCATION, c->axis[CULL_AXIS_ALLOCATION]);
    cull_table_set(t, T_TASK, m->task ? m->task : "mean");
    cull_table_set(t, T_METRIC, m->label);
    cull_table_real(t, T_RECOVERY, d.value);
    cull_table_real(t, T_LOW, d.low);
    cull_table_real(t, T_HIGH, d.high);
    cull_table_real(t, T_PARAMETERS, share_of(r, cell, parameters));
    cull_table_real(t, T_ACTIVE, share_of(r, cell, active));
    cull_table_real(t, T_BYTES, cull_cell_mean(r->frame, c, checkpoint_bytes));
    cull_set_axes(t, N_TIDY, r->frame, c->axis);
    return t->status;
}

static cull_status put_model(const recovery *r, cull_table *t)
{
    for (size_t c = 0; c < r->n_cells; c++) {
        for (size_t i = 0; i < r->mean.n; i++)
            CULL_TRY(put_tidy(r, r->cell[c], &r->mean.at[i], t));
        for (size_t i = 0; i < r->tasks.n; i++)
            CULL_TRY(put_tidy(r, r->cell[c], &r->tasks.at[i], t));
    }
    return CULL_OK;
}

cull_status cull_view_recovery_tidy(cull_ctx *ctx, const cull_frame *frame, const char *metric,
                                    cull_table *out)
{
    *out = cull_table_with_axes(ctx, frame, N_TIDY, tidy);
    for (size_t c = 0; c < frame->n_cells; c++) {
        recovery r = { .ctx = ctx, .frame = frame };
        if (!cull_first_of_model(frame, c))
            continue;
        CULL_TRY(begin(&r, frame->cell[c].model, metric));
        CULL_TRY(put_model(&r, out));
    }
    return out->status;
}
