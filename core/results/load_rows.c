// The metric rows of a trial, and the outcomes behind them.
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "results/load.h"

// The columns of /metrics and /evaluations.
typedef struct tables {
    size_t n, n_evaluations;
    const char *const *task, *const *metric, *const *filter, *const *group;
    const double *value, *error;
    const int64_t *count, *evaluation;
    const uint8_t *better;
    const char *const *plugin, *const *key, *const *settings, *const *attributes; // (n_evaluations)
    cull_named_values *how;                                                       // (n_evaluations)
    json_t **told, **set; // (n_evaluations) attributes, by task, and settings
} tables;

typedef struct reader {
    loading *in;
    cull_h5_in *file;
    const char *path;
    size_t trial;
    // Of the group of items that was read last:
    const char *group;
    size_t n;
    const size_t *cluster;
    const char *const *hash;
    cull_status status; // the first failure
} reader;

// A one-dimensional array of *n entries; *n is set by the first of a table, and must agree for the
// others.
static const void *column(reader *r, const char *path, char type, size_t *n)
{
    cull_h5_shape shape;
    const void *data = NULL;

    if (r->status != CULL_OK)
        return NULL;
    r->status = cull_h5_get(r->file, path, type, &shape, &data);
    if (r->status == CULL_OK && *n != SIZE_MAX && *n != shape.n)
        r->status = cull_fail(r->in->ctx, CULL_EFORMAT, "%s: %s has %zu entries, not %zu",
                              r->in->frame->trial[r->trial].path, path, shape.n, *n);
    if (r->status != CULL_OK)
        return NULL;
    *n = shape.n;
    return data;
}

static void read_tables(reader *r, tables *t)
{
    t->n = t->n_evaluations = SIZE_MAX;
    t->task = column(r, "/metrics/task", 's', &t->n);
    t->metric = column(r, "/metrics/metric", 's', &t->n);
    t->filter = column(r, "/metrics/filter", 's', &t->n);
    t->group = column(r, "/metrics/items", 's', &t->n);
    t->value = column(r, "/metrics/value", 'd', &t->n);
    t->error = column(r, "/metrics/stderr", 'd', &t->n);
    t->count = column(r, "/metrics/n", 'i', &t->n);
    t->better = column(r, "/metrics/higher_is_better", 'b', &t->n);
    t->evaluation = column(r, "/metrics/evaluation", 'i', &t->n);
    t->plugin = column(r, "/evaluations/metric", 's', &t->n_evaluations);
    t->key = column(r, "/evaluations/key", 's', &t->n_evaluations);
    t->settings = column(r, "/evaluations/settings", 's', &t->n_evaluations);
    t->attributes = column(r, "/evaluations/attributes", 's', &t->n_evaluations);
    for (size_t i = 0; r->status == CULL_OK && i < t->n; i++)
        if (t->evaluation[i] < 0 || (size_t)t->evaluation[i] >= t->n_evaluations)
            r->status =
                cull_fail(r->in->ctx, CULL_EFORMAT, "%s: /metrics/evaluation is out of range",
                          r->in->frame->trial[r->trial].path);
}

// What evaluations say of themselves, for all of their rows.
static void read_evaluations(reader *r, tables *t)
{
    const size_t n = t->n_evaluations;

    if (r->status != CULL_OK)
        return;
    t->how = cull_scratch(r->in->ctx, n + 1, sizeof *t->how);
    t->told = t->how ? cull_scratch(r->in->ctx, n + 1, sizeof *t->told) : NULL;
    t->set = t->told ? cull_scratch(r->in->ctx, n + 1, sizeof *t->set) : NULL;
    if (!t->set)
        r->status = CULL_ENOMEM;
    for (size_t e = 0; r->status == CULL_OK && e < n; e++) {
        r->status = cull_json_stored(r->in->ctx, t->attributes[e], &t->told[e]);
        if (r->status == CULL_OK)
            r->status = cull_json_stored(r->in->ctx, t->settings[e], &t->set[e]);
        if (r->status == CULL_OK)
            r->status =
                cull_settings_of_metric(r->in->ctx, t->plugin[e], t->settings[e], &t->how[e]);
    }
}

static void release_evaluations(tables *t)
{
    for (size_t e = 0; t->set && e < t->n_evaluations; e++) {
        json_decref(t->told[e]);
        json_decref(t->set[e]);
    }
}

// ---- conditions ----

// The lines in order, as one text.
static const char *joined(reader *r, size_t n, const char **line)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t i = 0; i < n; i++)
        text.failed |= !line[i];
    if (!text.failed)
        qsort(line, n, sizeof *line, cull_by_text);
    for (size_t i = 0; !text.failed && i < n; i++)
        cull_buf_printf(&text, "%s\n", line[i]);
    const char *kept =
        text.failed ? NULL : cull_arena_copy(cull_context_of(r->in->ctx)->alloc, text.s, text.n);
    cull_buf_release(&text);
    if (!kept && r->status == CULL_OK)
        r->status = cull_no_memory(r->in->ctx);
    return kept;
}

// "NAME=VALUE" of a setting, in *line; false: it names a file.
static bool setting_line(cull_arena *arena, const char *name, const json_t *value,
                         const char **line)
{
    cull_buf text = CULL_BUF_INIT;

    cull_json_put(&text, value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    const bool names_file = !text.failed && strchr(text.s, '/');
    *line = text.failed ? NULL : cull_arena_printf(arena, "%s=%s", name, text.s);
    cull_buf_release(&text);
    return !names_file;
}

// How a task was measured: precision, the metric's attributes of the task, and its settings.
// Settings that name files are left out: what was read is known by its hash; all of them where the
// metric gives hashes of what it asked and of how it scored. An attribute wins over a setting of
// its name.
static const char *conditions(reader *r, const tables *t, size_t i)
{
    cull_arena *arena = cull_context_of(r->in->ctx)->scratch;
    json_t *own = json_object_get(t->told[t->evaluation[i]], t->task[i]),
           *set = t->set[t->evaluation[i]], *value;
    const bool hashed =
        json_object_get(own, "requests_hash") && json_object_get(own, "scoring_hash");
    const size_t most = json_object_size(own) + json_object_size(set) + 1;
    const char **line = cull_scratch(r->in->ctx, most, sizeof *line), *name;
    size_t n = 0;

    if (!line) {
        r->status = r->status == CULL_OK ? CULL_ENOMEM : r->status;
        return NULL;
    }
    line[n++] = cull_arena_printf(arena, "precision=%s", r->in->frame->trial[r->trial].precision);
    json_object_foreach(own, name, value)
    {
        if (json_is_string(value))
            line[n++] = cull_arena_printf(arena, "%s=%s", name, json_string_value(value));
    }
    json_object_foreach(set, name, value)
    {
        if (!hashed && !json_object_get(own, name))
            n += setting_line(arena, name, value, &line[n]);
    }
    return joined(r, n, line);
}

// ---- items ----

// A numeric array of the row's group with n items, NULL where there is none such. `filter` is the
// column to take of a (doc, filter) array.
static const double *item_column(reader *r, const char *group, const char *name, size_t n,
                                 size_t filter)
{
    cull_h5_shape shape;
    const void *data = NULL;
    const char *path =
        cull_arena_printf(cull_context_of(r->in->ctx)->scratch, "%s/%s", group, name);

    if (r->status != CULL_OK || !path || !cull_h5_has(r->file, path))
        return NULL;
    r->status = cull_h5_get(r->file, path, 'd', &shape, &data);
    if (r->status != CULL_OK || shape.rank < 1 || shape.rank > 2 || shape.shape[0] != n)
        return NULL;
    const double *from = data;
    if (shape.rank == 1)
        return from;

    double *one = filter < shape.shape[1] ? cull_take(r->in->ctx, n, sizeof *one) : NULL;
    for (size_t i = 0; one && i < n; i++)
        one[i] = from[i * shape.shape[1] + filter];
    return one;
}

// A column that others link to. Where it cannot be read a warning says so.
static shared_texts *shared(reader *r, const char *file, const char *object)
{
    cull_ctx *ctx = r->in->ctx;
    cull_h5_in *in = NULL;
    cull_h5_shape shape = { 0 };
    const void *data = NULL;

    for (shared_texts *s = r->in->shared; s; s = s->next)
        if (strcmp(s->file, file) == 0 && strcmp(s->object, object) == 0)
            return s;
    shared_texts *s = cull_take(ctx, 1, sizeof *s);
    if (!s) {
        r->status = CULL_ENOMEM;
        return NULL;
    }
    cull_status status = cull_h5_open(ctx, file, &in);
    if (status == CULL_OK)
        status = cull_h5_done(in, cull_h5_get(in, object, 's', &shape, &data));
    if (status == CULL_ENOMEM)
        r->status = status;
    else if (status != CULL_OK) {
        ctx->host->log(ctx, CULL_WARN, "%s: trials are compared without it",
                       cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
    }
    *s = (shared_texts){ .file = file, .object = object, .next = r->in->shared };
    s->text = status == CULL_OK ? data : NULL;
    s->n = status == CULL_OK && shape.rank == 1 ? shape.n : 0;
    return r->in->shared = s;
}

// A text column of the row's group, or NULL.
static const char *const *item_texts(reader *r, const char *group, const char *name, size_t n)
{
    cull_h5_shape shape;
    const void *data = NULL;
    const char *to, *object;
    const char *path =
        cull_arena_printf(cull_context_of(r->in->ctx)->scratch, "%s/%s", group, name);

    if (r->status != CULL_OK || !path || !cull_h5_has(r->file, path))
        return NULL;
    r->status = cull_h5_linked(r->file, path, &to, &object);
    if (r->status == CULL_OK && to) {
        const shared_texts *s = r->in->own_alone ? NULL : shared(r, to, object);
        return s && s->n == n ? s->text : NULL;
    }
    if (r->status == CULL_OK)
        r->status = cull_h5_get(r->file, path, 's', &shape, &data);
    return r->status == CULL_OK && shape.rank == 1 && shape.n == n ? data : NULL;
}

typedef struct named {
    const char *name;
    size_t item;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

// Clusters as ordinals, an item without one ("") alone; NULL where no two items share one, or all
// do.
static const size_t *clusters(reader *r, size_t n, const char *const *names)
{
    size_t *ordinal = names ? cull_take(r->in->ctx, n, sizeof *ordinal) : NULL;
    named *sorted = ordinal ? cull_alloc(n ? n : 1, sizeof *sorted) : NULL;
    size_t known = 0;

    if (!sorted)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (named){ names[i], i };
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        known += i == 0 || !*sorted[i].name || strcmp(sorted[i].name, sorted[i - 1].name) != 0;
        ordinal[sorted[i].item] = known - 1;
    }
    cull_free(sorted);
    return known > 1 && known < n ? ordinal : NULL;
}

static const double *scaled(reader *r, size_t n, const double *x, double factor)
{
    double *y = x ? cull_take(r->in->ctx, n, sizeof *y) : NULL;

    for (size_t i = 0; y && i < n; i++)
        y[i] = factor * x[i];
    return y;
}

// The sums behind a value, by the names that columns have everywhere (cull/metric.h).
static void find_items(reader *r, const char *group, size_t filter, cull_row *row)
{
    static const struct {
        const char *metric, *a, *b;
        double factor;
        enum cull_law law;
    } known[] = {
        { "perplexity", "nll", "tokens", 1, CULL_LAW_EXP },
        { "perplexity", "loglik", NULL, -1, CULL_LAW_EXP }, // a document, its only continuation
        { "word_perplexity", "loglik", "words", -1, CULL_LAW_EXP },
        { "byte_perplexity", "loglik", "bytes", -1, CULL_LAW_EXP },
        { "bits_per_byte", "loglik", "bytes", -1.4426950408889634, CULL_LAW_RATE },
    };
    cull_items *items = &row->items;

    items->a = item_column(r, group, row->metric, row->n, filter);
    row->law = CULL_LAW_MEAN;
    for (size_t i = 0; !items->a && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(row->metric, known[i].metric) != 0)
            continue;
        row->law = known[i].law;
        items->a = scaled(r, row->n, item_column(r, group, known[i].a, row->n, 0), known[i].factor);
        items->b = known[i].b ? item_column(r, group, known[i].b, row->n, 0) : NULL;
        if (known[i].b && !items->b)
            items->a = NULL;
    }
    items->n = items->a ? row->n : 0;
}

// Which filter of its (task, metric) a row is: its place among the rows with that task and metric.
static size_t filter_of(const tables *t, size_t i)
{
    size_t before = 0;

    for (size_t j = 0; j < i; j++)
        before += t->evaluation[j] == t->evaluation[i] && strcmp(t->task[j], t->task[i]) == 0 &&
                  strcmp(t->metric[j], t->metric[i]) == 0;
    return before;
}

static const char *shown(reader *r, const char *name)
{
    const char *text = r->status == CULL_OK ? cull_visible_name(r->in->ctx, name) : name;

    if (!text)
        r->status = CULL_ENOMEM;
    return text ? text : name;
}

// What is the same for all metrics of a task, whose rows follow one another.
static void find_group(reader *r, const char *group, size_t n)
{
    if (r->group && r->n == n && strcmp(r->group, group) == 0)
        return;
    r->group = group;
    r->n = n;
    r->cluster = clusters(r, n, item_texts(r, group, "cluster", n));
    r->hash = item_texts(r, group, "doc_hash", n);
}

static void load_row(reader *r, const tables *t, size_t i)
{
    cull_row row = { .trial = r->trial,
                     .task = t->task[i],
                     .metric = t->metric[i],
                     .filter = t->filter[i],
                     .value = t->value[i],
                     .error = t->error[i],
                     .n = t->count[i] > 0 ? (size_t)t->count[i] : 0,
                     .higher_is_better = t->better[i] == 1,
                     .plugin = t->plugin[t->evaluation[i]],
                     .settings = t->settings[t->evaluation[i]],
                     .how = t->how[t->evaluation[i]],
                     .evaluation = t->key[t->evaluation[i]],
                     .file = r->path,
                     .group = t->group[i] };

    row.conditions = conditions(r, t, i);
    find_items(r, t->group[i], filter_of(t, i), &row);
    if (!row.items.a || !cull_items_agree(&row)) {
        row.items = (cull_items){ 0 };
        row.law = CULL_LAW_NONE;
    } else {
        find_group(r, t->group[i], row.n);
        row.items.cluster = r->cluster;
        row.hash = r->hash;
    }
    row.task = shown(r, row.task);
    row.metric = shown(r, row.metric);
    row.filter = shown(r, row.filter);
    if (r->status == CULL_OK)
        r->status = loading_add_row(r->in, &row);
}

cull_status cull_load_rows(loading *in, cull_h5_in *file, const char *path, size_t trial)
{
    reader r = { .in = in, .file = file, .path = path, .trial = trial };
    tables t = { 0 };
    const size_t first = in->frame->n_rows;

    read_tables(&r, &t);
    read_evaluations(&r, &t);
    for (size_t i = 0; r.status == CULL_OK && i < t.n; i++)
        load_row(&r, &t, i);
    release_evaluations(&t);
    return r.status == CULL_OK ? cull_load_groups(in, first) : r.status;
}
