// What is there of an experiment, without computing anything.
#include "study/survey.h"

#include <string.h>

#include "engine/stats_store.h"
#include "flow/calibration_cache.h"
#include "plan/cost/memory.h"
#include "plan/cost/passes.h"
#include "plan/key.h"
#include "record/trial_cache.h"
#include "study/steps.h"

typedef struct survey {
    cull_study study;
    bool *step, *set;               // wanted: to be made
    bool *rows;                     // of a set nothing is to be gathered, but counted on its rows
    bool *needed_step, *needed_set; // by a trial that is not complete
    cull_survey *out;
} survey;

// ---- trials ----

// A run takes a trial of the folder over that has the cell's evaluations under another name.
static void take_over(cull_study *s, size_t c, const cull_stored_trials *stored)
{
    cull_cell_state *cell = &s->cell[c];
    const cull_stored_trial *twin = cell->recorded ? NULL : cull_find_twin(s, c, stored);

    if (!twin)
        return;
    cell->recorded = true;
    cell->cut = twin->cut;
    for (size_t i = 0; i < s->spec->n_metrics; i++)
        cell->missing[i] = !cull_evaluation_exists(twin, cell->keys[i].hex);
}

// The metrics that a cell has neither under its own nor under another name, nor beside the folder.
static cull_status count_lacking(survey *v, size_t c, const cull_stored_trials *stored,
                                 const cull_stored_trials *cached, size_t *lacks)
{
    cull_study *s = &v->study;
    const cull_stored_trial *other;
    const char **key;
    size_t n, brought = 0;

    *lacks = 0;
    take_over(s, c, stored);
    CULL_TRY(cull_find_cached(s, c, cached, false, &other, &n, &key));
    for (size_t i = 0; i < n; i++) {
        const bool beside = other && cull_trial_gives(other, key[i], s->cell[c].recorded);
        *lacks += !beside;
        brought += beside;
    }
    v->out->cached += brought > 0 && *lacks == 0;
    return CULL_OK;
}

static cull_status count_cells(survey *v)
{
    cull_study *s = &v->study;
    cull_stored_trials stored, cached;
    bool *there = cull_take(s->ctx, s->plan->n_cells + 1, sizeof *there);

    if (!there)
        return CULL_ENOMEM;
    CULL_TRY(cull_find_stored_trials(s->ctx, s->options->folder, &stored));
    CULL_TRY(cull_find_cached_trials(s, &cached));
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        size_t lacks;
        there[c] = true; // or not asked for
        CULL_TRY(cull_look_at_cell(s, c, &stored));
        if (s->plan->cell[c].left_out)
            continue;
        CULL_TRY(count_lacking(v, c, &stored, &cached, &lacks));
        there[c] = lacks == 0 && !s->cell[c].cut_lost;
        s->cell[c].state = there[c] ? CULL_DONE : CULL_WANTED;
        v->out->trials.all++;
        v->out->trials.there += there[c];
        v->out->partly += !there[c] && lacks < s->spec->n_metrics;
        v->out->evaluations.there += s->spec->n_metrics - lacks;
    }
    v->out->there = there;
    v->out->evaluations.all = v->out->trials.all * s->spec->n_metrics;
    return CULL_OK;
}

// ---- cuts and calibrations ----

static cull_status want_step(survey *v, size_t i);

// Are all statistics there that the set's wanted steps see?
static cull_status want_set(survey *v, const cull_step *step)
{
    cull_study *s = &v->study;
    const size_t g = step->set;
    const cull_calibration_set *set = &s->plan->set[g];
    uint32_t groups = 0;
    size_t observers = 0;

    v->needed_set[g] = true;
    CULL_TRY_CACHE(s->ctx, &s->cache,
                   cull_cache_groups(s->ctx, s->cache.path, set->key.hex, &groups));
    for (size_t i = 0; i < set->n_observers; i++) {
        cull_key key;
        CULL_TRY(cull_observer_key(s->ctx, s->registry, set, set->observers[i], &key));
        observers += cull_cache_has_observer(s->ctx, s->cache.path, key.hex);
    }
    if (cull_step_decides(step) == CULL_DECIDES_WHOLE && !(set->groups & ~groups) &&
        observers == set->n_observers)
        return CULL_OK;
    v->set[g] = true;
    v->rows[g] = false;
    return want_step(v, set->on);
}

// What runs under the step's rules will be counted.
static void want_rows(survey *v, const cull_step *step)
{
    if (!step->counted || step->rows == CULL_NOT)
        return;
    v->rows[step->rows] = !v->set[step->rows] || v->rows[step->rows];
    v->set[step->rows] = v->needed_set[step->rows] = true;
}

static cull_status want_step(survey *v, size_t i)
{
    if (i == CULL_NOT || v->needed_step[i])
        return CULL_OK;
    const cull_step *step = &v->study.plan->step[i];
    bool there;
    v->needed_step[i] = true;
    CULL_TRY(cull_step_is_there(&v->study, i, &there));
    if (there)
        return CULL_OK;
    v->step[i] = true;
    CULL_TRY(want_step(v, step->before));
    CULL_TRY(want_step(v, step->donor));
    if (cull_step_seen(step) != CULL_NOT)
        CULL_TRY(want_set(v, step));
    want_rows(v, step);
    return CULL_OK;
}

static cull_found amount_of(size_t n, const bool *needed, const bool *wanted)
{
    cull_found a = { 0 };

    for (size_t i = 0; i < n; i++) {
        a.all += needed[i];
        a.there += needed[i] && !wanted[i];
    }
    return a;
}

static cull_status count_steps(survey *v)
{
    const cull_plan *plan = v->study.plan;

    v->step = cull_take(v->study.ctx, plan->n_steps + 1, sizeof *v->step);
    v->set = cull_take(v->study.ctx, plan->n_sets + 1, sizeof *v->set);
    v->needed_step = cull_take(v->study.ctx, plan->n_steps + 1, sizeof *v->needed_step);
    v->needed_set = cull_take(v->study.ctx, plan->n_sets + 1, sizeof *v->needed_set);
    v->rows = cull_take(v->study.ctx, plan->n_sets + 1, sizeof *v->rows);
    if (!v->step || !v->set || !v->needed_step || !v->needed_set || !v->rows)
        return CULL_ENOMEM;
    for (size_t c = 0; c < plan->n_cells; c++)
        if (!v->out->there[c])
            CULL_TRY(want_step(v, plan->cell[c].step));
    v->out->cuts = amount_of(plan->n_steps, v->needed_step, v->step);
    v->out->calibrations = amount_of(plan->n_sets, v->needed_set, v->set);
    return CULL_OK;
}

// ---- the rest, as a plan ----

// Where each that is kept stands among those kept; CULL_NOT for the others. *n: how many.
static size_t *renumber(cull_ctx *ctx, size_t all, const bool *kept, bool value, size_t *n)
{
    size_t *at = cull_take(ctx, all + 1, sizeof *at);

    *n = 0;
    for (size_t i = 0; at && i < all; i++)
        at[i] = kept[i] == value ? (*n)++ : CULL_NOT;
    return at;
}

static size_t moved(const size_t *at, size_t i)
{
    return i == CULL_NOT ? CULL_NOT : at[i];
}

static cull_status make_rest(survey *v)
{
    const cull_plan *plan = v->study.plan;
    cull_ctx *ctx = v->study.ctx;
    cull_plan *rest = &v->out->rest;

    *rest = *plan;
    const size_t *step = renumber(ctx, plan->n_steps, v->step, true, &rest->n_steps);
    const size_t *set = renumber(ctx, plan->n_sets, v->set, true, &rest->n_sets);
    const size_t *cell = renumber(ctx, plan->n_cells, v->out->there, false, &rest->n_cells);
    rest->step = cull_take(ctx, rest->n_steps + 1, sizeof *rest->step);
    rest->set = cull_take(ctx, rest->n_sets + 1, sizeof *rest->set);
    rest->cell = cull_take(ctx, rest->n_cells + 1, sizeof *rest->cell);
    if (!step || !set || !cell || !rest->step || !rest->set || !rest->cell)
        return CULL_ENOMEM;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (v->step[i]) {
            cull_step *to = &rest->step[step[i]];
            *to = plan->step[i];
            to->before = moved(step, to->before);
            to->donor = moved(step, to->donor);
            to->set = moved(set, to->set);
            to->rows = moved(set, to->rows);
        }
    for (size_t g = 0; g < plan->n_sets; g++)
        if (v->set[g]) {
            rest->set[set[g]] = plan->set[g];
            rest->set[set[g]].on = moved(step, plan->set[g].on);
            if (v->rows[g])
                rest->set[set[g]].groups = 0, rest->set[set[g]].n_observers = 0;
        }
    for (size_t c = 0; c < plan->n_cells; c++)
        if (!v->out->there[c])
            rest->cell[cell[c]] = plan->cell[c]; // its step's old number tells variants apart
    return CULL_OK;
}

// ---- disk ----

enum { TRIAL_BYTES = 80000, ITEM_BYTES = 80 }; // of a trial's file, about

static void weigh(survey *v)
{
    const cull_plan *rest = &v->out->rest;
    const cull_study *s = &v->study;
    double *disk = &v->out->disk;

    for (size_t c = 0; c < rest->n_cells; c++) {
        *disk += TRIAL_BYTES;
        for (size_t i = 0; i < s->spec->n_metrics; i++)
            *disk += ITEM_BYTES * (double)s->inputs->at[rest->cell[c].model].asked[i].requests.n;
    }
    for (size_t g = 0; g < rest->n_sets; g++) {
        const cull_prepared_model *prepared = &s->inputs->at[rest->set[g].model];
        *disk += (double)cull_stats_store_bytes(
            prepared->opened.facts, prepared->layer,
            rest->set[g].groups & ~(uint32_t)(CULL_STAT_HESSIAN | CULL_STAT_DENSE_SAMPLE));
    }
    for (size_t m = 0; m < s->inputs->n; m++)
        *disk += cull_cuts_bytes(rest, &s->inputs->at[m], m);
}

cull_status cull_survey_make(cull_ctx *ctx, const cull_registry *registry, const cull_plan *plan,
                             cull_inputs *inputs, const cull_flow_options *options,
                             cull_survey *out)
{
    survey v = { .study = { .ctx = ctx,
                            .registry = registry,
                            .options = options,
                            .spec = plan->spec,
                            .plan = plan,
                            .inputs = inputs,
                            .cache = { .path = options->shared, .own = options->folder } },
                 .out = out };

    *out = (cull_survey){ 0 };
    v.study.cell = cull_take(ctx, plan->n_cells + 1, sizeof *v.study.cell);
    if (!v.study.cell)
        return CULL_ENOMEM;
    CULL_TRY(count_cells(&v));
    CULL_TRY(count_steps(&v));
    CULL_TRY(make_rest(&v));
    weigh(&v);
    return CULL_OK;
}
