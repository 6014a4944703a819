// What a metric reports of one variant, kept.
//
// A collector is a cull_report that copies values, columns and attributes into memory of its own;
// what it was given may go afterwards. One thread at a time.
#ifndef CULL_PLUGIN_BORDER_COLLECTOR_H
#define CULL_PLUGIN_BORDER_COLLECTOR_H

#include <cull/cull.h>

#include "base/context.h"

typedef struct cull_attribute { // of a task: "protocol", "requests_hash"
    const char *task, *name, *text;
} cull_attribute;

typedef struct cull_collector {
    cull_report report; // first: give &collector->report to cull_metric.score
    cull_arena *arena;
    size_t n_values, n_columns, n_attributes;
    size_t room_values, room_columns, room_attributes;
    cull_value *values;
    cull_column *columns;
    cull_attribute *attributes;
} cull_collector;

// ENOMEM is init's only failure. Reports are checked as they come (CULL_EPLUGIN): names that can
// stand in a path, no NaN as a value, each (task, metric, filter), (task, column) and (task,
// attribute) once, an axis equally long in all columns of a task, known column types.
cull_status cull_collector_init(cull_ctx *, cull_collector *collector) CULL_MUST_CHECK;
void cull_collector_release(cull_collector *collector);

#endif
