// --where: which trials and values are loaded.
#include "base/filter.h"

#include <math.h>
#include <string.h>

#include "results/load.h"

// Where the key of a condition is looked for: columns of trials, columns of values, conditions of
// measurement, settings of trials, of metrics. The first column is meant, or else the first place
// in which it has several values, or else any; but where it has no such value there, the first
// place that has.
enum place { TRIAL, ROW, CONDITION, SETTING, METRIC, NOWHERE };

static const char *const columns[] = {
    "model",      "method",    "sparsity", "allocation", "calibration", "layers",
    "seed",       "folder",    "trial",    "task",       "metric",      "filter",
    "evaluation", "criterion", "strategy", "precision",  NULL,
};

enum { TRIAL_COLUMNS = 9, ROW_COLUMNS = 4 };

static void trial_columns(const cull_frame_trial *t, const char *folder,
                          cull_filter_column out[TRIAL_COLUMNS])
{
    const cull_filter_column all[TRIAL_COLUMNS] = {
        { "model", t->model, NAN, true },
        { "method", t->method, NAN, false },
        { "allocation", t->axis[CULL_AXIS_ALLOCATION], NAN, false },
        { "calibration", t->axis[CULL_AXIS_CALIBRATION], NAN, false },
        { "layers", t->axis[CULL_AXIS_LAYERS], NAN, false },
        { "sparsity", NULL, t->sparsity, false },
        { "seed", NULL, t->seed, false },
        { "folder", folder, NAN, true },
        { "trial", t->id, NAN, true },
    };

    memcpy(out, all, sizeof all);
}

static void row_columns(const cull_row *row, cull_filter_column out[ROW_COLUMNS])
{
    const cull_filter_column all[ROW_COLUMNS] = {
        { "task", row->task, NAN, true },
        { "metric", row->metric, NAN, true },
        { "filter", row->filter, NAN, true },
        { "evaluation", row->evaluation, NAN, true },
    };

    memcpy(out, all, sizeof all);
}

static bool is_named(const char *key, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(key, name, n) == 0;
}

// ---- who knows a key ----

// The key's value in a place, of n bytes; NULL: it has none there.
static const char *in_settings(const cull_named_values *settings, const char *key, size_t n,
                               size_t *length)
{
    for (size_t i = 0; i < settings->n; i++)
        if (cull_is_key_of(key, n, settings->at[i].name)) {
            *length = strlen(settings->at[i].value);
            return settings->at[i].value;
        }
    return NULL;
}

static const char *in_conditions(const cull_row *row, const char *key, size_t n, size_t *length)
{
    for (const char *line = row->conditions ? row->conditions : ""; *line;) {
        const size_t all = strcspn(line, "\n");
        if (all > n && line[n] == '=' && memcmp(line, key, n) == 0) {
            *length = all - n - 1;
            return line + n + 1;
        }
        line += all + (line[all] == '\n');
    }
    return NULL;
}

static const char *value_in(enum place place, const cull_frame *f, const cull_row *row,
                            const char *key, size_t n, size_t *length)
{
    return place == CONDITION ? in_conditions(row, key, n, length)
           : place == SETTING ? in_settings(&f->trial[row->trial].settings, key, n, length)
                              : in_settings(&row->how, key, n, length);
}

// How many values, up to two, the key has in a place.
static size_t values_in(enum place place, const cull_frame *f, const char *key, size_t n)
{
    const char *first = NULL;
    size_t first_length = 0, length = 0;

    for (size_t i = 0; i < f->n_rows; i++) {
        const char *value = value_in(place, f, &f->row[i], key, n, &length);
        if (value && first && (length != first_length || memcmp(value, first, length) != 0))
            return 2;
        if (value) {
            first = value;
            first_length = length;
        }
    }
    return first ? 1 : 0;
}

static enum place place_of(const cull_frame *f, const char *key, size_t n)
{
    const cull_frame_trial none = { .axis = f->trial[0].axis };
    const cull_row nothing = { 0 };
    cull_filter_column trial[TRIAL_COLUMNS], row[ROW_COLUMNS];

    trial_columns(&none, "", trial);
    row_columns(&nothing, row);
    for (size_t i = 0; i < TRIAL_COLUMNS; i++)
        if (is_named(key, n, trial[i].name))
            return TRIAL;
    for (size_t i = 0; i < ROW_COLUMNS; i++)
        if (is_named(key, n, row[i].name))
            return ROW;
    enum place any = NOWHERE;
    for (enum place p = CONDITION; p < NOWHERE; p++) {
        const size_t values = values_in(p, f, key, n);
        if (values > 1)
            return p;
        if (values == 1 && any == NOWHERE)
            any = p;
    }
    return any;
}

// Has the key such a value in the place? Texts in quotes are JSON's.
static bool met_in(cull_ctx *ctx, cull_filter *c, enum place place, const cull_frame *f)
{
    for (size_t i = 0; i < f->n_rows; i++) {
        size_t n = 0;
        const char *value = value_in(place, f, &f->row[i], c->key, strlen(c->key), &n);
        if (!value)
            continue;
        if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
            value++;
            n -= 2;
        }
        const char *text = cull_arena_copy(cull_context_of(ctx)->scratch, value, n);
        if (text && cull_filter_meets(c, text))
            return true;
    }
    return false;
}

static enum place place_meant(cull_ctx *ctx, cull_filter *c, const cull_frame *f)
{
    const enum place first = place_of(f, c->key, strlen(c->key));

    if (first < CONDITION || first == NOWHERE || met_in(ctx, c, first, f))
        return first;
    for (enum place p = CONDITION; p < NOWHERE; p++)
        if (p != first && met_in(ctx, c, p, f))
            return p;
    return first;
}

static bool is_key(const void *arg, const char *text, size_t n)
{
    return place_of(arg, text, n) != NOWHERE;
}

// ---- does a trial, does a value meet a condition? ----

// A folder goes by its path, or by the name that tables show.
static bool keeps_trial(cull_filter *c, const cull_frame *f, size_t trial)
{
    const cull_frame_trial *t = &f->trial[trial];
    cull_filter_column column[TRIAL_COLUMNS];
    const bool folder = strcmp(c->key, "folder") == 0;

    if (folder && cull_filter_meets(c, t->folder)) {
        c->known = true;
        return cull_filter_keeps(c, true);
    }
    trial_columns(t, folder ? cull_folder_shown(f, trial) : "", column);
    return cull_filter_keeps_columns(c, TRIAL_COLUMNS, column, t->dense);
}

// A condition that is one of the metric's settings stands there as JSON: texts in quotes.
static bool keeps_conditions(cull_ctx *ctx, cull_filter *c, const cull_row *row)
{
    size_t n, key = strlen(c->key) + 1;
    const char *line = cull_condition(row->conditions ? row->conditions : "", c->key, &n);

    if (!line)
        return true;
    if (n - key >= 2 && line[key] == '"' && line[n - 1] == '"') {
        key++;
        n--;
    }
    const char *value = cull_arena_copy(cull_context_of(ctx)->scratch, line + key, n - key);
    c->known = true;
    return !value || cull_filter_keeps(c, cull_filter_meets(c, value));
}

static bool keeps(cull_ctx *ctx, cull_filter *c, enum place place, const cull_frame *f,
                  const cull_row *row)
{
    const cull_frame_trial *t = &f->trial[row->trial];
    cull_filter_column column[ROW_COLUMNS];
    size_t n;

    switch (place) {
    case TRIAL:
        return keeps_trial(c, f, row->trial);
    case ROW:
        row_columns(row, column);
        return cull_filter_keeps_columns(c, ROW_COLUMNS, column, false);
    case CONDITION:
        return keeps_conditions(ctx, c, row);
    case SETTING:
        return cull_settings_kept(c, &t->settings, t->dense);
    case METRIC:
        return cull_settings_kept(c, &row->how,
                                  !in_settings(&row->how, c->key, strlen(c->key), &n));
    case NOWHERE:
        break;
    }
    return true;
}

// ---- what is left ----

// The trials that still have values, numbered anew.
static void drop_empty_trials(cull_frame *f, size_t *number)
{
    size_t trials = 0;

    for (size_t i = 0; i < f->n_rows; i++)
        number[f->row[i].trial] = 1;
    for (size_t i = 0; i < f->n_trials; i++)
        if (number[i]) {
            f->trial[trials] = f->trial[i];
            number[i] = trials++;
        }
    for (size_t i = 0; i < f->n_rows; i++)
        f->row[i].trial = number[f->row[i].trial];
    f->n_trials = trials;
}

static cull_status keep_rows(cull_ctx *ctx, const cull_filters *filters, cull_frame *f)
{
    enum place *place = cull_scratch(ctx, filters->n + 1, sizeof *place);
    bool *kept = cull_scratch(ctx, f->n_rows + 1, sizeof *kept);
    size_t rows = 0;

    if (!place || !kept)
        return CULL_ENOMEM;
    for (size_t i = 0; i < filters->n; i++)
        place[i] = place_meant(ctx, &filters->at[i], f);
    for (size_t r = 0; r < f->n_rows; r++) {
        kept[r] = true;
        for (size_t i = 0; i < filters->n; i++)
            kept[r] = keeps(ctx, &filters->at[i], place[i], f, &f->row[r]) && kept[r];
    }
    for (size_t r = 0; r < f->n_rows; r++)
        if (kept[r])
            f->row[rows++] = f->row[r];
    f->n_rows = rows;
    return CULL_OK;
}

cull_status cull_frame_filter(cull_ctx *ctx, const cull_conditions *where, cull_frame *f)
{
    cull_filters filters;
    size_t *number = cull_scratch(ctx, f->n_trials + 1, sizeof *number);

    if (!number)
        return CULL_ENOMEM;
    CULL_TRY(cull_filters_read(ctx, "--where", where->n, where->at, is_key, f, &filters));
    CULL_TRY(keep_rows(ctx, &filters, f));
    CULL_TRY(cull_filters_check(ctx, &filters, "the results", columns));
    if (f->n_rows == 0 && where->n == 0)
        return cull_fail(ctx, CULL_EUSAGE, "%s: its trials hold no results", f->trial[0].folder);
    if (f->n_rows == 0)
        return cull_fail(ctx, CULL_EUSAGE, "--where: no result meets all conditions together");
    drop_empty_trials(f, number);
    return CULL_OK;
}
