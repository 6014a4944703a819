// What is there of an experiment, and what a run would add.
#include "cli/plan_state.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/amount.h"
#include "base/json.h"
#include "base/memory.h"

static double seconds_of(const cull_experiment *e, const cull_model_costs *of)
{
    double seconds = 0;

    for (size_t m = 0; m < e->inputs.n; m++)
        seconds += cull_seconds_all(&of[m].seconds);
    return seconds;
}

static double peak_of(const cull_experiment *e, const cull_model_costs *of)
{
    double peak = 0;

    for (size_t m = 0; m < e->inputs.n; m++)
        peak = fmax(peak, fmax(fmax(of[m].of.calibrate.peak_bytes, of[m].of.search.peak_bytes),
                               of[m].of.evaluate.peak_bytes));
    return peak;
}

// Where results go, or will: bytes that are free there. NAN: not known.
static double free_bytes(const char *folder)
{
    struct statvfs fs;

    if (statvfs(folder, &fs) != 0 && statvfs(".", &fs) != 0)
        return NAN;
    return (double)fs.f_bavail * (double)fs.f_frsize;
}

static void print_amount(const char *between, cull_found a, const char *what)
{
    printf("%s%zu of %zu %s%s", between, a.there, a.all, what, a.all == 1 ? "" : "s");
}

void cull_plan_state_print(const cull_experiment *e, const char *folder, const cull_survey *v,
                           const cull_model_costs *of)
{
    const size_t left = v->trials.all - v->trials.there;
    char memory[32], disk[32], available[32];

    if (left == 0 && v->cached > 0) {
        printf("nothing to compute: all %zu trials are there, %zu of them in the cache\n",
               v->trials.all, v->cached);
        return;
    }
    if (left == 0) {
        printf("nothing to do: all %zu trials are in %s\n", v->trials.all, folder);
        return;
    }
    print_amount("there: ", v->trials, "trial");
    print_amount(", ", v->evaluations, "evaluation");
    if (v->cuts.all > 0)
        print_amount("; for the others ", v->cuts, "cut");
    if (v->calibrations.all > 0)
        print_amount(v->cuts.all > 0 ? " and " : "; for the others ", v->calibrations,
                     "calibration");
    printf("\nnew:   %zu trial%s", left, left == 1 ? "" : "s");
    if (v->partly > 0)
        printf(" (%zu of them lack only some metrics)", v->partly);
    printf(", %zu evaluations; about %.0f s, peak %sB of memory, at most %sB of disk",
           v->evaluations.all - v->evaluations.there, ceil(seconds_of(e, of)),
           cull_amount_text(peak_of(e, of), memory, sizeof memory),
           cull_amount_text(v->disk, disk, sizeof disk));
    const double room = free_bytes(folder);
    if (room < v->disk)
        printf(", where only %sB are free", cull_amount_text(room, available, sizeof available));
    printf("; into %s\n", folder);
}

// ---- JSON ----

static json_t *amount_json(cull_found a)
{
    return json_pack("{s:I, s:I, s:I}", "all", (json_int_t)a.all, "there", (json_int_t)a.there,
                     "new", (json_int_t)(a.all - a.there));
}

static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *cells_json(const cull_experiment *e, const cull_survey *v)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < e->plan.n_cells; i++) {
        const cull_cell *c = &e->plan.cell[i];
        json_array_append_new(
            cells,
            json_pack("{s:s, s:s, s:o, s:s?, s:s?, s:s?, s:o, s:s, s:b, s:b}", "model",
                      e->spec.models[c->model].name, "method",
                      c->method == CULL_NOT ? "dense" : e->spec.methods[c->method].name, "sparsity",
                      real(c->sparsity), "allocation", c->allocation, "calibration",
                      cull_calibration_name(&e->spec, c), "layers", cull_layers_name(&e->spec, c),
                      "seed", c->seeded ? json_integer((json_int_t)c->seed) : json_null(), "id",
                      c->id.hex, "asked", (int)!c->left_out, "there",
                      (int)(v->there[i] && !c->left_out)));
    }
    return cells;
}

static json_t *cost_json(const cull_cost *c, double seconds)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "passes", (json_int_t)c->passes,
                     "tokens", c->tokens, "flops", c->flops, "weight_bytes", c->bytes, "peak_bytes",
                     c->peak_bytes, "spilled_bytes", c->spilled_bytes, "forward_equivalents",
                     c->forward_equivalents, "seconds", seconds);
}

static json_t *deciding_json(const cull_deciding *d, double seconds)
{
    return json_pack("{s:I, s:f, s:f, s:f}", "cuts", (json_int_t)d->cuts, "flops",
                     d->all.products + d->all.alone, "steps", d->all.steps, "seconds", seconds);
}

static json_t *models_json(const cull_experiment *e, const cull_model_costs *of)
{
    json_t *models = json_array();

    for (size_t m = 0; m < e->inputs.n; m++) {
        const cull_model_facts *f = e->inputs.at[m].opened.facts;
        json_array_append_new(
            models,
            json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name", e->spec.models[m].name,
                      "params_total", (json_int_t)f->params_total, "params_active",
                      (json_int_t)f->params_active, "params_expert", (json_int_t)f->params_expert,
                      "calibrate", cost_json(&of[m].of.calibrate, of[m].seconds.calibrate),
                      "search", cost_json(&of[m].of.search, of[m].seconds.search), "decide",
                      deciding_json(&of[m].deciding, of[m].seconds.decide), "evaluate",
                      cost_json(&of[m].of.evaluate, of[m].seconds.evaluate)));
    }
    return models;
}

static json_t *texts_json(size_t n, const char *const *texts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

cull_status cull_plan_state_json(cull_ctx *ctx, const cull_experiment *e, const char *folder,
                                 const cull_survey *v, const cull_model_costs *of)
{
    (void)cull_json_memory_lacked(); // of before
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "experiment", e->spec.file, "question", e->spec.question, "folder", folder, "grid",
        (json_int_t)e->plan.grid, "trials", amount_json(v->trials), "partly", (json_int_t)v->partly,
        "evaluations", amount_json(v->evaluations), "cuts", amount_json(v->cuts), "calibrations",
        amount_json(v->calibrations), "seconds", real(seconds_of(e, of)), "peak_bytes",
        real(peak_of(e, of)), "disk_bytes", real(v->disk), "free_bytes", real(free_bytes(folder)),
        "models", models_json(e, of), "notes", texts_json(e->plan.n_notes, e->plan.note),
        "warnings", texts_json(e->plan.n_warnings, e->plan.warning), "cells", cells_json(e, v));

    return cull_json_print(ctx, json, JSON_INDENT(1));
}
