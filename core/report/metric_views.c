// What is shown of the metrics: columns, and means over them.
#include <math.h>
#include <string.h>

#include "report/compare.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool cull_is_sum(const cull_frame *f, size_t c)
{
    const cull_column_of *column = &f->column[c];

    if (same(column->task, "macro") || same(column->task, "pooled") || column->group_of_tasks)
        return true;
    // A metric of another's may sum up, too: no items, where other tasks of the metric have them.
    bool others = false;
    for (size_t d = 0; d < f->n_columns; d++)
        others |= same(f->column[d].metric, column->metric) && f->column[d].law != CULL_LAW_NONE;
    return column->law == CULL_LAW_NONE && others;
}

// Tasks may differ in their requests and shots, but not in how any request is put and scored.
static cull_status check_mean(cull_ctx *ctx, const cull_column_of *a, const cull_column_of *b)
{
    static const char *const keys[] = { "precision", "protocol", "bos", "length" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = 0, m = 0;
        const char *x = cull_condition(a->conditions, keys[i], &n);
        const char *y = cull_condition(b->conditions, keys[i], &m);
        if ((x || y) && (!x || !y || n != m || memcmp(x, y, n) != 0))
            return cull_fail(
                ctx, CULL_EUSAGE,
                "no mean may mix %s of \"%s\" (%.*s) and of \"%s\" (%.*s); use --by-task", a->label,
                a->task, (int)n, x ? x : "", b->task, (int)m, y ? y : "");
    }
    return CULL_OK;
}

static cull_status gather(cull_ctx *ctx, const cull_frame *f, size_t first, cull_metric_view *m)
{
    size_t *column = cull_take(ctx, f->n_columns, sizeof *column);
    const cull_column_of *of = &f->column[first];

    if (!column)
        return CULL_ENOMEM;

    *m = (cull_metric_view){ .label = of->label,
                             .column = column,
                             .law = of->law,
                             .higher_is_better = of->higher_is_better };
    for (size_t c = first; c < f->n_columns; c++) {
        if (!same(f->column[c].label, of->label) || cull_is_sum(f, c))
            continue;
        CULL_TRY(check_mean(ctx, of, &f->column[c]));
        column[m->k++] = c;
        m->law = f->column[c].law == CULL_LAW_NONE ? CULL_LAW_NONE : m->law;
    }
    m->task = m->k == 1 ? of->task : NULL;
    return CULL_OK;
}

cull_status cull_metric_views_macro(cull_ctx *ctx, const cull_frame *f, cull_metric_views *out)
{
    cull_metric_view *at = cull_take(ctx, f->n_columns ? f->n_columns : 1, sizeof *at);

    *out = (cull_metric_views){ .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_columns; c++) {
        bool known = cull_is_sum(f, c);
        for (size_t i = 0; i < out->n; i++)
            known |= same(at[i].label, f->column[c].label);
        if (!known)
            CULL_TRY(gather(ctx, f, c, &at[out->n++]));
    }
    return CULL_OK;
}

// Is the value of column c the mean of the k columns, in all trials that have it?
static bool is_mean(const cull_frame *f, size_t c, size_t k, const size_t *column)
{
    for (size_t i = 0; i < f->n_trials; i++) {
        const cull_row *row = cull_frame_row(f, i, c);
        double sum = 0;
        for (size_t j = 0; row && j < k; j++) {
            const cull_row *own = cull_frame_row(f, i, column[j]);
            sum += own ? own->value : NAN;
        }
        if (row && !(fabs(sum / (double)k - row->value) <= 1e-9 * fmax(1, fabs(row->value))))
            return false;
    }
    return k > 0;
}

// The columns of the tasks that a "macro" is the mean of; 0: it is not known to be one.
static size_t tasks_of_macro(const cull_frame *f, size_t c, size_t *column)
{
    const cull_column_of *of = &f->column[c];
    size_t k = 0;

    if (!same(of->task, "macro"))
        return 0;
    for (size_t d = 0; d < f->n_columns; d++) {
        const cull_column_of *own = &f->column[d];
        bool known = !same(own->metric, of->metric) || !same(own->plugin, of->plugin) ||
                     own->law != CULL_LAW_MEAN || cull_is_sum(f, d);
        for (size_t j = 0; j < k; j++) // of several filters the first
            known |= same(f->column[column[j]].task, own->task);
        if (!known && cull_averages(of->conditions, own->task))
            column[k++] = d;
    }
    return is_mean(f, c, k, column) ? k : 0;
}

cull_status cull_metric_views_each(cull_ctx *ctx, const cull_frame *f, cull_metric_views *out)
{
    const size_t n = f->n_columns;
    cull_metric_view *at = cull_take(ctx, n ? n : 1, sizeof *at);

    *out = (cull_metric_views){ .n = n, .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t c = 0; c < n; c++) {
        const cull_column_of *of = &f->column[c];
        size_t *column = cull_take(ctx, same(of->task, "macro") ? n : 1, sizeof *column);
        if (!column)
            return CULL_ENOMEM;
        const size_t k = tasks_of_macro(f, c, column);
        if (k == 0)
            column[0] = c;
        at[c] = (cull_metric_view){ .task = of->task,
                                    .label = of->label,
                                    .k = k ? k : 1,
                                    .column = column,
                                    .higher_is_better = of->higher_is_better,
                                    .law = k ? CULL_LAW_MEAN : of->law };
    }
    return CULL_OK;
}

bool cull_is_variant(const cull_metric_views *all, const cull_metric_view *metric_view)
{
    bool acc = false;

    for (size_t i = 0; i < all->n; i++)
        acc |= same(all->at[i].label, "acc");
    return acc && (same(metric_view->label, "acc_bytes") ||
                   (!metric_view->task && same(metric_view->label, "acc_norm")));
}

static bool has_label(const cull_metric_views *some, const char *label)
{
    for (size_t i = 0; i < some->n; i++)
        if (same(some->at[i].label, label))
            return true;
    return false;
}

cull_status cull_metric_views_of(cull_ctx *ctx, const cull_metric_views *all, const char *label,
                                 cull_metric_views *out)
{
    cull_metric_view *at = cull_take(ctx, all->n ? all->n : 1, sizeof *at);

    *out = (cull_metric_views){ .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < all->n; i++)
        if (same(all->at[i].label, label))
            at[out->n++] = all->at[i];
    return CULL_OK;
}

cull_status cull_metric_views_main(cull_ctx *ctx, const cull_metric_views *all, const char *label,
                                   cull_metric_views *out)
{
    cull_metric_view *at = cull_take(ctx, all->n ? all->n : 1, sizeof *at);

    *out = (cull_metric_views){ .at = at };
    if (!at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < all->n; i++) {
        const cull_metric_view *m = &all->at[i];
        const bool wanted = label ? same(m->label, label) : !cull_is_variant(all, m);
        if (wanted && !has_label(out, m->label))
            at[out->n++] = *m;
    }
    if (label && out->n == 0)
        return cull_fail(ctx, CULL_EUSAGE, "--metric: the results hold no \"%s\"", label);
    return CULL_OK;
}
