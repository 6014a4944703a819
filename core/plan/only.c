// Which cells of a plan are asked for.
#include "plan/only.h"

#include <math.h>
#include <string.h>

#include "plan/cell_settings.h"
#include "plan/settings.h"

static const char *const names[] = { "model",  "method", "sparsity",  "allocation", "calibration",
                                     "layers", "seed",   "criterion", "strategy",   NULL };
enum { COLUMNS = 7 };

typedef struct cells {
    const cull_plan *plan;
    cull_named_values *settings; // (n_cells)
} cells;

static const char *or_none(const char *text)
{
    return text ? text : "";
}

static void columns_of(const cull_plan *plan, const cull_cell *cell,
                       cull_filter_column out[COLUMNS])
{
    const cull_spec *spec = plan->spec;
    const bool dense = cell->method == CULL_NOT;
    const cull_filter_column all[COLUMNS] = {
        { names[0], spec->models[cell->model].name, NAN, true },
        { names[1], dense ? "dense" : spec->methods[cell->method].name, NAN, false },
        { names[2], NULL, cell->sparsity, false },
        { names[3], or_none(cell->allocation), NAN, false },
        { names[4], or_none(cull_calibration_name(spec, cell)), NAN, false },
        { names[5], or_none(cull_layers_name(spec, cell)), NAN, false },
        { names[6], NULL, cell->seeded ? (double)cell->seed : NAN, false },
    };

    for (size_t i = 0; i < COLUMNS; i++)
        out[i] = all[i];
}

static bool is_column(const char *key, size_t n)
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (strlen(names[i]) == n && memcmp(names[i], key, n) == 0)
            return true;
    return false;
}

static bool is_key(const void *arg, const char *text, size_t n)
{
    const cells *c = arg;
    bool known = is_column(text, n);

    for (size_t i = 0; i < c->plan->n_cells && !known; i++)
        for (size_t k = 0; k < c->settings[i].n && !known; k++)
            known = cull_is_key_of(text, n, c->settings[i].at[k].name);
    return known;
}

static cull_status list_settings(cull_ctx *ctx, cells *c, cull_precision precision)
{
    c->settings = cull_scratch(ctx, c->plan->n_cells + 1, sizeof *c->settings);
    if (!c->settings)
        return CULL_ENOMEM;
    for (size_t i = 0; i < c->plan->n_cells; i++) {
        const cull_cell *cell = &c->plan->cell[i];
        const bool calibrated = cell->calibration != CULL_NOT;
        cull_buf text = CULL_BUF_INIT;
        cull_put_settings(&text, c->plan, precision, cell);
        const cull_status status = text.failed
                                       ? cull_no_memory(ctx)
                                       : cull_settings_of(ctx, text.s, calibrated, &c->settings[i]);
        cull_buf_release(&text);
        CULL_TRY(status);
    }
    return CULL_OK;
}

cull_status cull_plan_only(cull_ctx *ctx, cull_plan *plan, cull_precision precision, size_t n,
                           const char *const *conditions)
{
    cells c = { .plan = plan };
    cull_filters filters;
    size_t left = 0;

    if (n == 0)
        return CULL_OK;
    CULL_TRY(list_settings(ctx, &c, precision));
    CULL_TRY(cull_filters_read(ctx, "--only", n, conditions, is_key, &c, &filters));
    for (size_t i = 0; i < plan->n_cells; i++) {
        cull_cell *cell = &plan->cell[i];
        cull_filter_column column[COLUMNS];
        columns_of(plan, cell, column);
        for (size_t k = 0; k < filters.n; k++) {
            cull_filter *f = &filters.at[k];
            const bool dense = cell->method == CULL_NOT;
            const bool kept = is_column(f->key, strlen(f->key))
                                  ? cull_filter_keeps_columns(f, COLUMNS, column, dense)
                                  : cull_settings_kept(f, &c.settings[i], dense);
            cell->left_out = cell->left_out || !kept;
        }
        left += !cell->left_out;
    }
    CULL_TRY(cull_filters_check(ctx, &filters, "the experiment", names));
    if (left == 0)
        return cull_fail(ctx, CULL_EUSAGE, "--only: no trial meets all conditions together");
    return CULL_OK;
}
