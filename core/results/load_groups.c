// Groups: a row that averages the documents of other tasks (mmlu, pooled) has their items, one
// task's after the other's.
#include <string.h>

#include "results/load.h"

// The rows of the group's evaluation that have its metric for the tasks it names, all where it
// names none; a group without a filter of its own averages the first of each. *k of them.
static cull_status members(cull_ctx *ctx, const cull_frame *f, size_t first, const cull_row *group,
                           bool names, const cull_row ***out, size_t *k)
{
    const cull_row **at = cull_scratch(ctx, f->n_rows - first + 1, sizeof *at);

    *out = at;
    *k = 0;
    if (!at)
        return CULL_ENOMEM;
    for (size_t i = first; i < f->n_rows; i++) {
        const cull_row *row = &f->row[i];
        bool out_of_it =
            row == group || row->settings != group->settings ||
            strcmp(row->metric, group->metric) != 0 ||
            (names && !cull_averages(group->conditions, row->task)) ||
            (strcmp(group->filter, "none") != 0 && strcmp(group->filter, row->filter) != 0);
        for (size_t j = 0; j < *k; j++)
            out_of_it |= strcmp(at[j]->task, row->task) == 0;
        if (!out_of_it)
            at[(*k)++] = row;
    }
    return CULL_OK;
}

// Ordinals over all members; a document without a cluster is one.
static size_t put_clusters(const cull_items *of, size_t before, size_t *to)
{
    size_t most = 0;

    for (size_t i = 0; i < of->n; i++) {
        const size_t own = of->cluster ? of->cluster[i] : i;
        to[i] = before + own;
        most = own + 1 > most ? own + 1 : most;
    }
    return before + most;
}

static cull_status join(cull_ctx *ctx, size_t k, const cull_row *const *member, cull_row *group)
{
    const enum cull_law law = k ? member[0]->law : CULL_LAW_NONE;
    double *a = cull_take(ctx, group->n + 1, sizeof *a),
           *b = cull_take(ctx, group->n + 1, sizeof *b);
    size_t *cluster = cull_take(ctx, group->n + 1, sizeof *cluster), n = 0, known = 0;
    size_t *stratum = cull_take(ctx, group->n + 1, sizeof *stratum);
    const char **hash = cull_take(ctx, group->n + 1, sizeof *hash);
    bool clustered = false, hashed = true;

    if (!a || !b || !cluster || !stratum || !hash)
        return CULL_ENOMEM;
    for (size_t j = 0; j < k; j++) {
        const cull_row *row = member[j];
        if (law == CULL_LAW_NONE || row->law != law || row->items.n > group->n - n)
            return CULL_OK;
        for (size_t i = 0; i < row->items.n; i++) {
            a[n + i] = row->items.a[i];
            b[n + i] = row->items.b ? row->items.b[i] : 1;
            stratum[n + i] = j;
        }
        known = put_clusters(&row->items, known, cluster + n);
        clustered |= row->items.cluster != NULL;
        for (size_t i = 0; row->hash && i < row->items.n; i++)
            hash[n + i] = row->hash[i];
        hashed &= row->hash != NULL;
        n += row->items.n;
    }
    cull_row joined = *group;
    joined.items = (cull_items){ .n = n, .a = a, .cluster = clustered ? cluster : NULL };
    if (law == CULL_LAW_MEAN)
        joined.items.stratum = stratum;
    else
        joined.items.b = b;
    joined.hash = hashed ? hash : NULL;
    joined.law = law;
    joined.group_of_tasks = true;
    if (n == group->n && cull_items_agree(&joined))
        *group = joined;
    return CULL_OK;
}

cull_status cull_load_groups(loading *in, size_t first)
{
    const cull_frame *f = in->frame;

    for (size_t i = first; i < f->n_rows; i++) {
        cull_row *group = &f->row[i];
        const cull_row **row;
        size_t n, k;
        const bool names = cull_condition(group->conditions, "tasks", &n) != NULL;
        const bool pooled = strcmp(group->task, "pooled") == 0;
        const bool means = strcmp(group->task, "macro") == 0; // no items: a mean of means
        if ((!names && !pooled) || means || group->law != CULL_LAW_NONE)
            continue;
        const cull_mark mark = cull_arena_mark(cull_context_of(in->ctx)->scratch);
        CULL_TRY(members(in->ctx, f, first, group, names, &row, &k));
        CULL_TRY(join(in->ctx, k, row, group));
        cull_arena_rewind(cull_context_of(in->ctx)->scratch, mark);
    }
    return CULL_OK;
}
