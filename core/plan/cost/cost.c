// What trials will cost: operations, bytes read, memory.
#include "plan/cost/cost.h"

#include <math.h>

#include "engine/forest.h"
#include "engine/memory.h"
#include "engine/stats_store.h"
#include "plan/cost/memory.h"
#include "plan/cost/waves.h"
#include "plan/fit.h"
#include "spec/search.h"

// Multiply-adds × 2 of one token through the layers: its active parameters, without the embedding's
// table.
static double flops_per_token(const cull_prepared_model *s)
{
    const cull_model_facts *f = s->opened.facts;
    const double table = (double)f->V * (double)f->D;
    const double active = (double)f->params_active - 2 * table;

    return 2 * (active > 0 ? active : (double)f->params_active);
}

// The dense groups run all experts of a layer on the subsample; I adds a rank-one update per input
// channel pair.
static double extra_flops(const cull_prepared_model *s, const cull_rows *rows, uint32_t groups)
{
    const cull_model_facts *f = s->opened.facts;
    double flops = 0;

    for (size_t l = 0; l < f->L; l++) {
        const cull_layer_facts *layer = s->layer[l];
        const double E = (double)layer->E, K = (double)layer->K, D = (double)f->D,
                     F = (double)layer->F;
        const double all = 2 * E * (double)layer->expert_params;
        if (groups & CULL_STATS_DENSE)
            flops += (double)rows->dense_tokens * all;
        if (groups & CULL_STAT_DENSE_SAMPLE)
            flops += (double)rows->dense_tokens * E * E * D;
        if (groups & CULL_STAT_HESSIAN)
            flops += (double)rows->tokens * K * (D * D + F * F);
    }
    return flops;
}

static void calibration_cost(const cull_plan *plan, const cull_prepared_model *s,
                             const cull_passes *passes, cull_cost *out)
{
    for (size_t i = 0; i < passes->n; i++) {
        const cull_planned_calibration *p = &passes->at[i];
        const cull_rows *rows = cull_rows_of(s, &plan->set[p->set]);
        const double tokens = (double)rows->tokens * cull_planned_walks(p);
        out->tokens += tokens;
        out->flops += tokens * flops_per_token(s) + extra_flops(s, rows, p->groups);
    }
}

cull_status cull_count_request_rows(cull_ctx *ctx, cull_asking how, const cull_prepared_model *s,
                                    cull_request_rows *out)
{
    size_t n = 0, at = 0;

    for (size_t i = how.first; i < how.end; i++)
        n += s->asked[i].requests.n;
    cull_ids *ids = cull_scratch(ctx, n + 1, sizeof *ids);
    size_t *end = cull_scratch(ctx, n + 1, sizeof *end);
    cull_forest forest;
    *out = (cull_request_rows){ 0 };
    if (!ids || !end)
        return CULL_ENOMEM;
    for (size_t i = how.first; i < how.end; i++)
        for (size_t j = 0; j < s->asked[i].requests.n; j++) {
            const cull_request *r = &s->asked[i].request[j];
            if (r->kind == CULL_SCORE)
                ids[at++] = (cull_ids){ r->ids, r->n - 1 };
            else {
                out->generating += (double)(r->n + r->max_new);
                out->answers++;
                out->steps = fmax(out->steps, (double)r->max_new);
            }
            out->scored += (double)(r->kind == CULL_SCORE ? r->scored : r->max_new);
        }
    CULL_TRY(cull_forest_build(ctx, at, ids, true, s->opened.facts->rope_switch, &forest, end));
    out->scoring = (double)forest.n_rows;
    for (size_t i = 0; i < forest.n_trees; i++)
        out->longest = fmax(out->longest, (double)forest.tree[i].n_rows);
    for (size_t i = 0; i < forest.n_segments; i++) {
        const double rows = (double)forest.segment[i].n, before = (double)forest.segment[i].pos;
        out->keys += rows * before + rows * (rows + 1) / 2;
        out->fetched += before + rows;
    }
    return CULL_OK;
}

static double flops_of(const cull_prepared_model *s, const cull_request_rows *asked)
{
    const double head = 2 * (double)s->opened.facts->V * (double)s->opened.facts->D;

    return (asked->scoring + asked->generating) * flops_per_token(s) + asked->scored * head;
}

cull_status cull_dense_flops(cull_ctx *ctx, const cull_inputs *inputs, size_t model, double *flops)
{
    cull_request_rows asked;
    const cull_asking once = { 0, inputs->spec->n_metrics, 1, 0 };

    CULL_TRY(cull_count_request_rows(ctx, once, &inputs->at[model], &asked));
    *flops = flops_of(&inputs->at[model], &asked);
    return CULL_OK;
}

static void add_memory(const cull_prepared_model *s, const cull_memory *m, cull_cost *out)
{
    out->passes = m->passes;
    out->bytes = (double)m->passes * (double)s->opened.facts->bytes;
    out->peak_bytes = m->peak;
    out->spilled_bytes = m->spilled;
}

// most: variants of a wave.
static cull_status evaluation_cost(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   size_t model, cull_asking how, double most, uint64_t memory,
                                   cull_cost *out)
{
    const cull_prepared_model *s = &inputs->at[model];
    const double waves = fmax(ceil(how.variants / most), 1);
    cull_asking wave = how;
    cull_request_rows asked;

    CULL_TRY(cull_count_request_rows(ctx, how, s, &asked));
    *out = (cull_cost){ .tokens = how.variants * (asked.scoring + asked.generating),
                        .flops = how.variants * flops_of(s, &asked) };
    wave.variants = fmin(how.variants, most);
    wave.own = fmin(how.own, most);
    const cull_memory evaluating =
        cull_evaluation_memory(ctx, plan, inputs, model, wave, &asked, memory);
    add_memory(s, &evaluating, out);
    out->passes *= (size_t)waves;
    out->bytes *= waves;
    return CULL_OK;
}

// Of a sensitivity, one for what follows from the layers that were cut alone.
double cull_search_generations(const cull_prepared_model *s, const cull_step *step)
{
    const cull_search_settings *set = step->search->settings;
    const uint8_t *frozen = cull_frozen_of(s, step->layers);
    double singles = 1;

    if (set->by != CULL_SEARCH_SENSITIVITY)
        return (double)set->generations;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const cull_layer_facts *layer = s->layer[l];
        const bool picks = step->unit == CULL_UNIT_PICK;
        const size_t n = picks ? layer->K : layer->E;
        const size_t stay = picks ? 1 : cull_least_experts(layer, step->emits);
        singles += frozen[l] || n < stay ? 0 : (double)(n - stay);
    }
    return fmin(ceil(singles / (double)set->population) + 1, (double)set->generations);
}

double cull_search_candidates(const cull_search *search)
{
    const cull_search_settings *set = search->settings;

    return (double)(set->population - (set->by == CULL_SEARCH_EVOLUTION ? set->survivors : 0));
}

// A generation is a pass; those after the first have the survivors already.
static cull_status search_cost(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                               size_t model, const cull_step *step, uint64_t memory, cull_cost *out)
{
    const cull_search *search = step->search;
    const double n = cull_search_generations(&inputs->at[model], step);
    const cull_asking how = cull_asking_search(search);
    cull_cost one;

    CULL_TRY(evaluation_cost(ctx, plan, inputs, model, how, how.variants, memory, &one));
    const double all = 1 + (n - 1) * cull_search_candidates(search) / how.variants;
    out->passes += one.passes * (size_t)n;
    out->tokens += one.tokens * all;
    out->flops += one.flops * all;
    out->bytes += one.bytes * n;
    out->peak_bytes = fmax(out->peak_bytes, one.peak_bytes);
    out->spilled_bytes = fmax(out->spilled_bytes, one.spilled_bytes);
    return CULL_OK;
}

static double variants_of_wave(const cull_prepared_model *s, cull_asking how, double seconds,
                               uint64_t memory)
{
    size_t requests = 0;

    for (size_t i = how.first; i < how.end; i++)
        requests += s->asked[i].requests.n;
    return (double)cull_wave_variants(requests, seconds, memory);
}

cull_status cull_estimate_cost(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                               size_t model, uint64_t memory, double seconds, cull_costs *out)
{
    const cull_prepared_model *s = &inputs->at[model];
    const cull_asking how = cull_asking_all(plan, model);
    cull_passes passes;
    cull_memory calibrating;

    *out = (cull_costs){ 0 };
    CULL_TRY(evaluation_cost(ctx, plan, inputs, model, how,
                             variants_of_wave(s, how, seconds, memory), memory, &out->evaluate));
    const double one = out->evaluate.flops / how.variants;
    CULL_TRY(cull_plan_passes(ctx, plan, model, &passes));
    CULL_TRY(cull_calibration_memory(ctx, plan, s, &passes, memory, &calibrating));
    calibration_cost(plan, s, &passes, &out->calibrate);
    add_memory(s, &calibrating, &out->calibrate);
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].model == model && plan->step[i].search)
            CULL_TRY(search_cost(ctx, plan, inputs, model, &plan->step[i], memory, &out->search));
    out->calibrate.forward_equivalents = one > 0 ? out->calibrate.flops / one : 0;
    out->search.forward_equivalents = one > 0 ? out->search.flops / one : 0;
    out->evaluate.forward_equivalents = how.variants;
    return CULL_OK;
}

static cull_status bytes_of_model(cull_ctx *ctx, const cull_memory_need *need, uint64_t memory,
                                  double *bytes)
{
    const cull_planned_model *w = need->arg;
    cull_arena *arena = cull_context_of(ctx)->scratch;
    const cull_mark mark = cull_arena_mark(arena);
    cull_costs costs;

    CULL_TRY(cull_estimate_cost(ctx, w->plan, w->inputs, w->model, memory, 0, &costs));
    *bytes =
        fmax(fmax(costs.calibrate.peak_bytes, costs.search.peak_bytes), costs.evaluate.peak_bytes);
    *bytes = fmax(*bytes, w->inputs->at[w->model].read_peak);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_memory_need cull_need_of_model(const cull_planned_model *planned)
{
    return (cull_memory_need){ .bytes = bytes_of_model, .arg = planned };
}

// Of one model: the others' pages are not mapped while it is computed.
static cull_status check_model(cull_ctx *ctx, const cull_planned_model *planned, size_t ranks,
                               uint64_t memory)
{
    const cull_neighbours node =
        cull_neighbours_of(&planned->inputs->at[planned->model].opened, ranks);
    const uint64_t share = cull_memory_of_rank(memory, &node);
    cull_memory_need need = cull_need_of_model(planned);

    need.node = node;
    (void)cull_hold_within(share); // counting takes some, too
    const cull_status status = cull_memory_suffices(
        ctx, planned->inputs->spec->models[planned->model].name, &need, memory);
    return cull_held_within(ctx, share, status);
}

cull_status cull_check_memory(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                              size_t ranks, uint64_t memory)
{
    cull_status status = CULL_OK;

    for (size_t m = 0; memory && m < inputs->n && status == CULL_OK; m++)
        status = check_model(ctx, &(cull_planned_model){ plan, inputs, m }, ranks, memory);
    (void)cull_hold_within(0);
    return status;
}
