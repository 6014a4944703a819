// A report that keeps what a metric says.
#include "support/report.h"

#include <math.h>

#include "base/context.h"
#include "support/test.h"

static cull_status value(cull_ctx *ctx, cull_report *report, const cull_value *v)
{
    seen_report *seen = (seen_report *)report;

    (void)ctx;
    assert_true(seen->n_values < SEEN_MOST);
    if (!isfinite(v->value) || seen_has_value(seen, v->task, v->metric, v->filter))
        fail_msg("%s %s %s: not finite, or reported twice", v->task, v->metric, v->filter);
    seen->value[seen->n_values++] = *v;
    return CULL_OK;
}

static cull_status column(cull_ctx *ctx, cull_report *report, const cull_column *c)
{
    seen_report *seen = (seen_report *)report;

    (void)ctx;
    assert_true(seen->n_columns < SEEN_MOST);
    if (seen_has_column(seen, c->task, c->name))
        fail_msg("%s %s: reported twice", c->task, c->name);
    seen->column[seen->n_columns++] = *c;
    return CULL_OK;
}

static cull_status attribute(cull_ctx *ctx, cull_report *report, const char *task, const char *name,
                             const char *text)
{
    seen_report *seen = (seen_report *)report;
    char *copy = cull_take(ctx, strlen(text) + 1, 1);

    assert_true(seen->n_attributes < SEEN_MOST);
    assert_non_null(copy);
    memcpy(copy, text, strlen(text));
    seen->attribute[seen->n_attributes].task = task;
    seen->attribute[seen->n_attributes].name = name;
    seen->attribute[seen->n_attributes++].text = copy;
    return CULL_OK;
}

seen_report *seen_new(fake_host *host)
{
    seen_report *seen = cull_take(fake_ctx(host), 1, sizeof *seen);

    assert_non_null(seen);
    seen->report = (cull_report){
        .size = sizeof seen->report, .value = value, .column = column, .attribute = attribute
    };
    return seen;
}

static const cull_value *find_value(const seen_report *seen, const char *task, const char *metric,
                                    const char *filter)
{
    for (size_t i = 0; i < seen->n_values; i++) {
        const cull_value *v = &seen->value[i];
        if (strcmp(v->task, task) == 0 && strcmp(v->metric, metric) == 0 &&
            strcmp(v->filter, filter) == 0)
            return v;
    }
    return NULL;
}

static const cull_column *find_column(const seen_report *seen, const char *task, const char *name)
{
    for (size_t i = 0; i < seen->n_columns; i++)
        if (strcmp(seen->column[i].task, task) == 0 && strcmp(seen->column[i].name, name) == 0)
            return &seen->column[i];
    return NULL;
}

const cull_value *seen_value(const seen_report *seen, const char *task, const char *metric,
                             const char *filter)
{
    const cull_value *v = find_value(seen, task, metric, filter);

    if (!v)
        fail_msg("no value %s %s %s was reported", task, metric, filter);
    return v;
}

bool seen_has_value(const seen_report *seen, const char *task, const char *metric,
                    const char *filter)
{
    return find_value(seen, task, metric, filter) != NULL;
}

const cull_column *seen_column(const seen_report *seen, const char *task, const char *name,
                               char type)
{
    const cull_column *c = find_column(seen, task, name);

    if (!c || c->type != type)
        fail_msg("no column %s %s of type %c was reported", task, name, type);
    return c;
}

bool seen_has_column(const seen_report *seen, const char *task, const char *name)
{
    return find_column(seen, task, name) != NULL;
}

const char *seen_attribute(const seen_report *seen, const char *task, const char *name)
{
    for (size_t i = 0; i < seen->n_attributes; i++)
        if (strcmp(seen->attribute[i].task, task) == 0 &&
            strcmp(seen->attribute[i].name, name) == 0)
            return seen->attribute[i].text;
    fail_msg("no attribute %s %s was reported", task, name);
    return NULL;
}
