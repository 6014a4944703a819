// Columns that metrics report: their groups in a trial's file, and their arrays.
#include <string.h>

#include "record/trial_groups.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static size_t rank_of(const cull_column *column)
{
    size_t rank = 0;

    while (rank < 3 && column->dims[rank])
        rank++;
    return rank;
}

// Can the two columns not stand in one group? One name, or one axis with two lengths.
static bool clash(const cull_column *a, const cull_column *b)
{
    if (same(a->name, b->name))
        return true;
    for (size_t i = 0; i < rank_of(a); i++)
        for (size_t j = 0; j < rank_of(b); j++)
            if (same(a->dims[i], b->dims[j]) && a->shape[i] != b->shape[j])
                return true;
    return false;
}

static bool clash_on(const cull_collector *a, const cull_collector *b, const char *task)
{
    for (size_t i = 0; i < a->n_columns; i++)
        for (size_t j = 0; j < b->n_columns; j++)
            if (same(a->columns[i].task, task) && same(b->columns[j].task, task) &&
                clash(&a->columns[i], &b->columns[j]))
                return true;
    return false;
}

const char *cull_evaluation_group(cull_arena *arena, const cull_evaluation *all, size_t i,
                                  const char *task)
{
    size_t clashes = 0, earlier = 1;

    for (size_t j = 0; j < i; j++) {
        clashes += clash_on(all[j].found, all[i].found, task);
        earlier += same(all[j].metric, all[i].metric);
    }

    if (clashes == 0)
        return cull_arena_printf(arena, "/eval/%s", task);
    if (earlier == 1)
        return cull_arena_printf(arena, "/eval/%s.%s", task, all[i].metric);
    return cull_arena_printf(arena, "/eval/%s.%s.%zu", task, all[i].metric, earlier);
}

cull_h5_array cull_column_array(const cull_column *column)
{
    cull_h5_array array = { .name = column->name,
                            .type = column->type,
                            .rank = rank_of(column),
                            .data = column->data,
                            .unit = column->unit,
                            .doc = column->doc };

    memcpy(array.dims, column->dims, array.rank * sizeof *array.dims);
    memcpy(array.shape, column->shape, array.rank * sizeof *array.shape);
    return array;
}
