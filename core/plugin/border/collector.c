// What a metric reports, collected for the record.
#include "plugin/border/collector.h"

#include <math.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"

static cull_collector *collector_of(cull_report *report)
{
    return (cull_collector *)report;
}

static char *keep(cull_collector *c, const char *text)
{
    const char *from = text ? text : "";

    return cull_arena_copy(c->arena, from, strlen(from));
}

// An array of the collector's with room for one more element: itself, or its larger copy; NULL: no
// memory.
static void *with_room(cull_collector *c, void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    const size_t more = *room ? 2 * *room : 16;
    void *moved = cull_arena_alloc(c->arena, more, size);
    if (moved && n)
        memcpy(moved, array, n * size);
    if (moved)
        *room = more;
    return moved;
}

// A task, column, metric or axis becomes part of a path in HDF5.
static bool is_name(const char *name)
{
    return name && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           !strpbrk(name, "/\n") && cull_utf8_valid(name, strlen(name));
}

static cull_status bad_name(cull_ctx *ctx, const char *what, const char *name)
{
    return cull_fail(ctx, CULL_EPLUGIN, "the metric reports a %s with the impossible name \"%s\"",
                     what, name ? name : "");
}

static cull_status add_value(cull_ctx *ctx, cull_report *report, const cull_value *told)
{
    cull_collector *c = collector_of(report);
    cull_value own;
    const cull_value *v = &own;

    CULL_TRY(cull_sized_copy(ctx, "a value", CULL_UP_TO(cull_value, higher_is_better), told,
                             sizeof own, &own));

    if (!is_name(v->task) || !is_name(v->metric))
        return bad_name(ctx, "value", is_name(v->task) ? v->metric : v->task);
    const char *filter = v->filter ? v->filter : "none";
    if (isnan(v->value))
        return cull_fail(ctx, CULL_EPLUGIN, "the metric reports NaN as %s of task \"%s\"",
                         v->metric, v->task);
    for (size_t i = 0; i < c->n_values; i++)
        if (strcmp(c->values[i].task, v->task) == 0 &&
            strcmp(c->values[i].metric, v->metric) == 0 && strcmp(c->values[i].filter, filter) == 0)
            return cull_fail(ctx, CULL_EPLUGIN, "the metric reports %s of task \"%s\" twice",
                             v->metric, v->task);

    cull_value *values = with_room(c, c->values, c->n_values, &c->room_values, sizeof *values);
    if (!values)
        return cull_no_memory(ctx);
    c->values = values;
    cull_value *kept = &c->values[c->n_values];
    *kept = *v;
    kept->task = keep(c, v->task);
    kept->metric = keep(c, v->metric);
    kept->filter = keep(c, filter);
    if (!kept->task || !kept->metric || !kept->filter)
        return cull_no_memory(ctx);
    c->n_values++;
    return CULL_OK;
}

// ---- columns ----

static size_t rank_of(const cull_column *column)
{
    size_t rank = 0;

    while (rank < 3 && column->dims[rank])
        rank++;
    return rank;
}

static size_t size_of(char type)
{
    return type == 'b' ? 1 : type == 's' ? sizeof(char *) : 8;
}

static cull_status check_axes(cull_ctx *ctx, const cull_collector *c, const cull_column *column)
{
    for (size_t i = 0; i < c->n_columns; i++) {
        const cull_column *other = &c->columns[i];
        if (strcmp(other->task, column->task) != 0)
            continue;
        if (strcmp(other->name, column->name) == 0)
            return cull_fail(ctx, CULL_EPLUGIN, "the metric reports column %s of task \"%s\" twice",
                             column->name, column->task);
        for (size_t a = 0; a < rank_of(column); a++)
            for (size_t b = 0; b < rank_of(other); b++)
                if (strcmp(column->dims[a], other->dims[b]) == 0 &&
                    column->shape[a] != other->shape[b])
                    return cull_fail(
                        ctx, CULL_EPLUGIN,
                        "axis %s of task \"%s\" is %zu long in column %s, but %zu in %s",
                        column->dims[a], column->task, column->shape[a], column->name,
                        other->shape[b], other->name);
    }
    return CULL_OK;
}

// Elements of a column; SIZE_MAX: more than memory has room for.
static size_t elements_of(const cull_column *column)
{
    size_t n = 1;

    for (size_t i = 0; i < rank_of(column); i++) {
        if (column->shape[i] > 0 && n > SIZE_MAX / 16 / column->shape[i])
            return SIZE_MAX;
        n *= column->shape[i];
    }
    return n;
}

static cull_status check_column(cull_ctx *ctx, const cull_collector *c, const cull_column *column)
{
    const size_t rank = rank_of(column);

    if (!is_name(column->task) || !is_name(column->name))
        return bad_name(ctx, "column", is_name(column->task) ? column->name : column->task);
    if (rank == 0 || !column->type || !strchr("dibs", column->type))
        return cull_fail(ctx, CULL_EPLUGIN,
                         "column %s of task \"%s\" has no axis or an unknown type", column->name,
                         column->task);
    for (size_t i = 0; i < rank; i++)
        if (!is_name(column->dims[i]) || (rank > 1 && strcmp(column->dims[i], column->name) == 0))
            return bad_name(ctx, "column's axis", column->dims[i]);
    const size_t n = elements_of(column);
    if (n == SIZE_MAX || (n > 0 && !column->data))
        return cull_fail(ctx, CULL_EPLUGIN, "column %s of task \"%s\" has %s", column->name,
                         column->task, n == SIZE_MAX ? "impossibly long axes" : "no data");
    return check_axes(ctx, c, column);
}

// A copy of a column's data, texts included; NULL: no memory.
static const void *keep_data(cull_collector *c, const cull_column *column, size_t n)
{
    void *data = cull_arena_alloc(c->arena, n ? n : 1, size_of(column->type));

    if (!data || n == 0)
        return data;

    memcpy(data, column->data, n * size_of(column->type));
    const char **texts = column->type == 's' ? data : NULL;
    for (size_t i = 0; texts && i < n; i++)
        if (!(texts[i] = keep(c, texts[i])))
            return NULL;
    return data;
}

static cull_status add_column(cull_ctx *ctx, cull_report *report, const cull_column *told)
{
    cull_collector *c = collector_of(report);
    cull_column own;
    const cull_column *column = &own;

    CULL_TRY(
        cull_sized_copy(ctx, "a column", CULL_UP_TO(cull_column, data), told, sizeof own, &own));
    CULL_TRY(check_column(ctx, c, column));
    cull_column *columns =
        with_room(c, c->columns, c->n_columns, &c->room_columns, sizeof *columns);
    if (!columns)
        return cull_no_memory(ctx);
    c->columns = columns;

    cull_column *kept = &c->columns[c->n_columns];
    *kept = *column;
    kept->task = keep(c, column->task);
    kept->name = keep(c, column->name);
    kept->unit = column->unit ? keep(c, column->unit) : NULL;
    kept->doc = column->doc ? keep(c, column->doc) : NULL;
    for (size_t i = 0; i < rank_of(column); i++)
        if (!(kept->dims[i] = keep(c, column->dims[i])))
            return cull_no_memory(ctx);
    kept->data = keep_data(c, column, elements_of(column));
    if (!kept->task || !kept->name || (column->unit && !kept->unit) ||
        (column->doc && !kept->doc) || !kept->data)
        return cull_no_memory(ctx);
    c->n_columns++;
    return CULL_OK;
}

static cull_status add_attribute(cull_ctx *ctx, cull_report *report, const char *task,
                                 const char *name, const char *text)
{
    cull_collector *c = collector_of(report);

    if (!is_name(task) || !is_name(name))
        return bad_name(ctx, "task's attribute", is_name(task) ? name : task);
    for (size_t i = 0; i < c->n_attributes; i++)
        if (strcmp(c->attributes[i].task, task) == 0 && strcmp(c->attributes[i].name, name) == 0)
            return cull_fail(ctx, CULL_EPLUGIN,
                             "the metric reports attribute %s of task \"%s\" twice", name, task);
    cull_attribute *attributes =
        with_room(c, c->attributes, c->n_attributes, &c->room_attributes, sizeof *attributes);
    if (!attributes)
        return cull_no_memory(ctx);
    c->attributes = attributes;

    const cull_attribute kept = { keep(c, task), keep(c, name), keep(c, text) };
    if (!kept.task || !kept.name || !kept.text)
        return cull_no_memory(ctx);
    c->attributes[c->n_attributes++] = kept;
    return CULL_OK;
}

cull_status cull_collector_init(cull_ctx *ctx, cull_collector *collector)
{
    *collector = (cull_collector){
        .report = { .size = sizeof collector->report,
                    .value = add_value,
                    .column = add_column,
                    .attribute = add_attribute },
        .arena = cull_arena_new(),
    };
    return collector->arena ? CULL_OK : cull_no_memory(ctx);
}

void cull_collector_release(cull_collector *collector)
{
    cull_arena_free(collector->arena);
    *collector = (cull_collector){ 0 };
}
