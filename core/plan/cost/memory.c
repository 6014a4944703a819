// The memory that a run will need, phase by phase.
#include "plan/cost/memory.h"

#include <math.h>

#include "base/call.h"
#include "cut/cut.h"
#include "engine/memory.h"
#include "engine/visit.h"
#include "plan/cost/work.h"
#include "spec/search.h"

// What a run can do about what does not fit: its results' folder takes it.
static cull_engine_options options_of(uint64_t memory)
{
    return (cull_engine_options){ .memory = memory, .spill = "results" };
}

// Rows, those of them that can only be computed together, and different ids; a pass may go through
// layers again after the head.
typedef struct extent {
    double rows, longest, ids;
    bool again;
} extent;

static double block_rows(const cull_prepared_model *s, extent e, double histories, uint64_t memory)
{
    const cull_engine_options options = options_of(memory);
    const double fit = (double)cull_block_rows(&s->opened, &options, (size_t)histories);

    return fmin(fmax(fit, e.longest), e.rows);
}

// Histories of a block that are computed at once.
static double at_once(const cull_prepared_model *s, double rows, double histories, uint64_t memory)
{
    const cull_engine_options options = options_of(memory);

    return (double)cull_lanes_at_once(&s->opened, &options, (size_t)rows, (size_t)histories);
}

// What is there whatever the rows, and one block's scratch.
static double ground(const cull_prepared_model *s, extent e, double histories, uint64_t memory)
{
    const cull_model_facts *f = s->opened.facts;
    const double rows = block_rows(s, e, histories, memory);
    const double lanes = at_once(s, rows, histories, memory);
    double floats = 0;

    for (size_t l = 0; l < f->L; l++)
        floats = fmax(floats, cull_live_floats(f, s->layer[l], lanes));
    return (double)cull_memory_fixed(&s->opened, e.ids, e.again) + rows * floats * sizeof(float);
}

static double hidden(const cull_prepared_model *s, double rows)
{
    return rows * (double)s->opened.facts->D * sizeof(float);
}

double cull_rows_peak(const cull_prepared_model *s, double rows, double longest, double kept,
                      uint64_t memory)
{
    return ground(s, (extent){ rows, longest, rows, false }, 1, memory) + hidden(s, rows) + kept;
}

// ---- cuts ----

static double wave_bytes(cull_ctx *ctx)
{
    return (double)cull_wave_overlay_bytes(cull_pool_threads(cull_context_of(ctx)->pool));
}

// Overlays of a layer (CULL_NONE: of none) whose data may leave memory. *largest: of all of these.
static double paged_overlays(const cull_cut *cut, size_t layer, double *largest)
{
    double bytes = 0;

    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        if (o->where.layer != layer || !cull_cut_is_paged(cut, i))
            continue;
        const double one = (double)cull_overlay_bytes(o->kind, o->rows, o->cols);
        *largest = fmax(*largest, one);
        bytes += one;
    }
    return bytes;
}

static double overlays_that_stay(const cull_cut *cut)
{
    double bytes = 0;

    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        if (!cull_cut_is_paged(cut, i))
            bytes += (double)cull_overlay_bytes(o->kind, o->rows, o->cols);
    }
    return bytes;
}

double cull_cut_bytes(cull_ctx *ctx, const cull_cut *cut)
{
    enum { OF_EXPERT = 3, UNPACKED = 3 }; // matrices; copies of one while it is unpacked
    double largest = 0, most = 0;

    if (!cut)
        return 0;
    const double outside = paged_overlays(cut, CULL_NONE, &largest);
    for (size_t l = 0; l < cut->L; l++) {
        double one = 0;
        const double all = paged_overlays(cut, l, &one);
        most = fmax(most, fmin(all, fmax(wave_bytes(ctx), OF_EXPERT * one)));
        largest = fmax(largest, one);
    }
    return overlays_that_stay(cut) + outside + most + UNPACKED * largest;
}

// Experts of layer l whose matrices the step rewrites, about.
static double rewritten(const cull_step *step, const cull_layer_facts *layer)
{
    const cull_strategy *strategy = step->spec->strategy.plugin->vtable;
    const size_t gone = cull_step_gone(step, layer);

    if (!(step->emits & CULL_EMITS_MATRIX))
        return 0;
    if (!strategy->rewrites)
        return (double)(layer->E - gone);
    cull_call_enter(step->spec->strategy.plugin, "rewrites", SIZE_MAX);
    const double n = strategy->rewrites(step->spec->strategy.settings, layer->E, layer->E - gone);
    cull_call_leave();
    return fmin(fmax(n, 0), (double)layer->E); // NaN: none
}

// The overlays of a step's cut of layer l: a bit a weight where weights are masked, a float where
// they are rewritten; channels are a bit each and, at most, an output bias.
static double overlays_of_step(const cull_prepared_model *s, const cull_step *step, size_t l)
{
    const cull_layer_facts *layer = s->layer[l];
    const double masked = step->emits & CULL_EMITS_MASK ? (double)layer->E / 8 : 0;
    const double floats = rewritten(step, layer) * sizeof(float);
    double bytes = 0;

    if (step->emits & CULL_EMITS_CHANNELS)
        bytes += (double)(layer->E + 1) *
                 ((double)layer->F / 8 + (double)s->opened.facts->D * sizeof(float));
    if (!cull_frozen_of(s, step->layers)[l])
        bytes += (masked + floats) * (double)layer->expert_params;
    return bytes;
}

double cull_step_cut_bytes(const cull_prepared_model *s, const cull_step *step)
{
    double bytes = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++)
        bytes += overlays_of_step(s, step, l);
    return bytes;
}

// Of all cuts. *one: the largest rewritten expert.
static double overlays_of_layer(const cull_plan *plan, const cull_prepared_model *s, size_t model,
                                size_t l, double *one)
{
    const cull_layer_facts *layer = s->layer[l];
    double bytes = 0;

    *one = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const cull_step *step = &plan->step[i];
        if (step->model != model)
            continue;
        bytes += overlays_of_step(s, step, l);
        if (!cull_frozen_of(s, step->layers)[l] && rewritten(step, layer) > 0)
            *one = fmax(*one, (double)layer->expert_params * sizeof(float));
    }
    return bytes;
}

double cull_cuts_bytes(const cull_plan *plan, const cull_prepared_model *s, size_t model)
{
    double bytes = 0, one;

    for (size_t l = 0; l < s->opened.facts->L; l++)
        bytes += overlays_of_layer(plan, s, model, l, &one);
    return bytes;
}

// What of the overlays is resident: those of a layer in hand, of these a wave's, and the same of
// all layers where generation goes through them again and again.
static double overlay_bytes(cull_ctx *ctx, const cull_plan *plan, const cull_prepared_model *s,
                            size_t model, bool generates)
{
    const double wave = wave_bytes(ctx);
    double most = 0, sum = 0, one;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const double all = overlays_of_layer(plan, s, model, l, &one);
        const double here = fmin(all, fmax(wave, one));
        most = fmax(most, here);
        sum += here;
    }
    return generates ? sum : most;
}

// ---- calibration ----

// The sums of a layer, its Hessians and its dense subsample: there while it is visited.
static double in_layer(const cull_prepared_model *s, const cull_rows *rows, uint32_t groups)
{
    const cull_model_facts *f = s->opened.facts;
    const double D = (double)f->D;
    double most = 0;

    for (size_t l = 0; l < f->L; l++) {
        const double E = (double)s->layer[l]->E, F = (double)s->layer[l]->F;
        double here = groups & CULL_STAT_HESSIAN ? E * (D * D + F * F) * sizeof(double) : 0;
        here += (double)cull_layer_sums_bytes(s->layer[l]->E, f->D, s->layer[l]->F, groups);
        here += (double)cull_dense_sample_bytes(s->layer[l]->E, f->D, s->layer[l]->F,
                                                rows->dense_tokens, groups);
        most = fmax(most, here);
    }
    return most;
}

// What the model before a stage gives the subsample to be compared with.
static double target_bytes(const cull_prepared_model *s, const cull_rows *rows,
                           const cull_planned_calibration *p)
{
    return p->propagate && (p->groups & CULL_STAT_DENSE_SAMPLE)
               ? hidden(s, (double)rows->dense_tokens)
               : 0;
}

static extent extent_of(const cull_rows *rows)
{
    extent e = { .rows = (double)rows->tokens, .ids = (double)rows->ids };

    for (size_t i = 0; i < rows->sequences.n; i++)
        e.longest = fmax(e.longest, (double)rows->sequences.at[i].n);
    return e;
}

// Calibrations [p, p + n), whose states are so many bytes: all of these and of the statistics, and
// what one has of a layer.
static void add_wave(const cull_plan *plan, const cull_prepared_model *s, size_t n,
                     const cull_planned_calibration *p, const uint64_t *bytes, uint64_t memory,
                     cull_memory *out)
{
    const cull_engine_options options = options_of(memory);
    double kept = 0, visited = 0;
    extent most = { 0 };

    for (size_t i = 0; i < n; i++) {
        const cull_rows *r = cull_rows_of(s, &plan->set[p[i].set]);
        const extent e = extent_of(r);
        const bool spilled = cull_keep_states(&s->opened, &options, bytes[i], true).spilled;
        most = (extent){ fmax(most.rows, e.rows), fmax(most.longest, e.longest),
                         fmax(most.ids, e.ids), false };
        visited = fmax(visited, in_layer(s, r, p[i].groups));
        kept +=
            spilled ? (double)bytes[i] * block_rows(s, e, 1, memory) / e.rows : (double)bytes[i];
        kept += target_bytes(s, r, &p[i]) +
                (double)cull_stats_store_bytes(s->opened.facts, s->layer, p[i].groups);
        out->spilled += spilled ? (double)bytes[i] : 0;
    }
    out->peak = fmax(out->peak, ground(s, most, 1, memory) + kept + visited);
    out->passes++;
}

cull_status cull_calibration_memory(cull_ctx *ctx, const cull_plan *plan,
                                    const cull_prepared_model *s, const cull_passes *passes,
                                    uint64_t memory, cull_memory *out)
{
    const cull_engine_options options = options_of(memory);
    uint64_t *bytes = cull_scratch(ctx, passes->n + 1, sizeof *bytes);

    *out = (cull_memory){ 0 };
    if (!bytes)
        return CULL_ENOMEM;
    for (size_t i = 0; i < passes->n; i++) {
        const cull_planned_calibration *p = &passes->at[i];
        bytes[i] = cull_calibrating_bytes(&s->opened, cull_rows_of(s, &plan->set[p->set])->tokens,
                                          p->groups, p->propagate);
    }
    for (size_t first = 0, n; first < passes->n; first += n) {
        const cull_planned_calibration *p = passes->at + first;
        for (n = 1; first + n < passes->n && p[n].pass == p->pass;)
            n++;
        n = cull_memory_wave(&s->opened, &options, n, bytes + first);
        add_wave(plan, s, n, p, bytes + first, memory, out);
    }
    if (passes->n > 0)
        out->peak += overlay_bytes(ctx, plan, s, plan->set[passes->at[0].set].model, false);
    return CULL_OK;
}

// ---- evaluation ----

static bool distinct(const cull_plan *plan, size_t model, size_t cell)
{
    if (plan->cell[cell].model != model)
        return false;
    for (size_t b = 0; b < cell; b++)
        if (plan->cell[b].model == model && plan->cell[b].step == plan->cell[cell].step)
            return false;
    return true;
}

size_t cull_distinct_variants(const cull_plan *plan, size_t model)
{
    size_t n = 0;

    for (size_t c = 0; c < plan->n_cells; c++)
        n += distinct(plan, model, c);
    return n;
}

cull_asking cull_asking_all(const cull_plan *plan, size_t model)
{
    cull_asking how = { .end = plan->spec->n_metrics };

    for (size_t c = 0; c < plan->n_cells; c++) {
        if (!distinct(plan, model, c))
            continue;
        how.variants++;
        how.own += plan->cell[c].own;
    }
    return how;
}

cull_asking cull_asking_search(const cull_search *search)
{
    return (cull_asking){ search->at, search->at + 1, (double)search->settings->population, 0 };
}

// Answers are kept until the pass ends.
static double answer_bytes(const cull_prepared_model *s, cull_asking how)
{
    double bytes = 0;

    for (size_t i = how.first; i < how.end; i++)
        for (size_t j = 0; j < s->asked[i].requests.n; j++) {
            const cull_request *r = &s->asked[i].request[j];
            bytes += sizeof(cull_answer);
            if (r->wants & CULL_WANT_TOKENS)
                bytes += (double)r->scored * sizeof(float);
        }
    return bytes * how.variants;
}

// What was read of all models, rows and requests as plugins keep them, and the forest of rows that
// are asked for their next ids.
static double request_bytes(const cull_inputs *inputs, const cull_request_rows *asked)
{
    enum { ROW = 2 * sizeof(int32_t), QUERY = 24 };
    double bytes = asked->scoring * ROW + asked->scored * QUERY;

    for (size_t m = 0; m < inputs->n; m++)
        bytes += (double)(cull_arena_bytes(inputs->at[m].context.alloc) +
                          cull_arena_bytes(inputs->at[m].context.scratch));
    return bytes;
}

// The statistics stay until their model's trials are done.
static double statistics_bytes(const cull_plan *plan, const cull_prepared_model *s, size_t model)
{
    double bytes = 0;

    for (size_t g = 0; g < plan->n_sets; g++)
        if (plan->set[g].model == model)
            bytes += (double)cull_stats_store_bytes(s->opened.facts, s->layer, plan->set[g].groups);
    return bytes;
}

// Generation holds the K/V of all layers a row, and their states a sequence, for as many requests
// as fit half of the limit.
static double generation_bytes(const cull_prepared_model *s, double rows, double sequences,
                               double variants, double half)
{
    double kv = 0, state = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        kv += (double)s->layer[l]->kv_width * sizeof(float);
        state += (double)s->layer[l]->state_width * sizeof(float);
    }
    const double row = kv + state * sequences / fmax(rows, 1); // with its share of the states
    const double together = fmin(rows, half / fmax(row * variants, 1));
    return together * variants * row + hidden(s, together) * variants;
}

// Different ids of the metrics that are asked, at most.
static double ids_of(const cull_prepared_model *s, cull_asking how)
{
    double ids = 0;

    for (size_t i = how.first; i < how.end; i++)
        ids += (double)s->asked[i].ids;
    return ids;
}

// Scoring holds the hidden states of all histories: within half of the limit, or in a file.
cull_memory cull_evaluation_memory(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   size_t model, cull_asking how, const cull_request_rows *asked,
                                   uint64_t memory)
{
    const cull_prepared_model *s = &inputs->at[model];
    const cull_engine_options options = options_of(memory);
    const double half = (double)cull_memory_limit(&s->opened, &options) / 2;
    const double variants = how.variants;
    const double bytes = hidden(s, asked->scoring) * variants;
    const cull_keeping keeping = cull_keep_states(&s->opened, &options, (uint64_t)bytes, false);
    const extent all = { .rows = fmax(asked->scoring, asked->generating),
                         .longest = asked->longest,
                         .ids = ids_of(s, how) + asked->generating,
                         .again = asked->generating > 0 };
    const double block = block_rows(
        s, (extent){ .rows = asked->scoring, .longest = asked->longest }, variants, memory);
    const double scoring = keeping.spilled ? hidden(s, block) * at_once(s, block, variants, memory)
                                           : bytes / (double)keeping.passes;

    return (cull_memory){
        .peak =
            ground(s, all, variants, memory) +
            fmax(scoring, generation_bytes(s, asked->generating, asked->answers, variants, half)) +
            statistics_bytes(plan, s, model) +
            overlay_bytes(ctx, plan, s, model, asked->generating > 0) + answer_bytes(s, how) +
            request_bytes(inputs, asked),
        .passes = keeping.passes,
        .spilled = keeping.spilled ? bytes : 0,
    };
}

static uint64_t whole_megabytes(double bytes)
{
    return (uint64_t)ceil(bytes / 1e6) * 1000000;
}

// What a node needs whose ranks need so much each: cull_memory_of_rank the other way round.
static double memory_of_node(double needed, const cull_neighbours *node)
{
    const double pages = fmin(node->pages, needed);

    return node->ranks > 1 ? pages + (needed - pages) * (double)node->ranks : needed;
}

// What the node needs where it has so much.
static cull_status needed_of(cull_ctx *ctx, const cull_memory_need *need, uint64_t memory,
                             double *needed)
{
    CULL_TRY(need->bytes(ctx, need, cull_memory_of_rank(memory, &need->node), needed));
    *needed = memory_of_node(*needed, &need->node);
    return CULL_OK;
}

// What is needed depends on what there is: blocks and waves grow with it. So the least that
// suffices is looked for upwards.
static cull_status least_memory(cull_ctx *ctx, const cull_memory_need *need, double needed,
                                uint64_t *out)
{
    enum { TRIES = 100 };

    for (size_t i = 0; i < TRIES; i++) {
        *out = whole_megabytes(needed);
        CULL_TRY(needed_of(ctx, need, *out, &needed));
        if (needed <= (double)*out)
            break;
        needed = fmax(needed, (double)*out * (i < TRIES / 2 ? 1 : 1.1));
    }
    return CULL_OK;
}

cull_status cull_memory_suffices(cull_ctx *ctx, const char *model, const cull_memory_need *need,
                                 uint64_t memory)
{
    double needed;
    uint64_t least;

    if (!memory)
        return CULL_OK;
    CULL_TRY(needed_of(ctx, need, memory, &needed));
    if (needed <= (double)memory)
        return CULL_OK;
    CULL_TRY(least_memory(ctx, need, needed, &least));
    return cull_fail(ctx, CULL_EENV,
                     "--memory of %.0f MB is too little for model \"%s\": it needs %.0f MB%s",
                     (double)memory / 1e6, model, (double)least / 1e6,
                     need->node.ranks > 1 ? " for the ranks of a node" : "");
}

static cull_status bytes_of_rows(cull_ctx *ctx, const cull_memory_need *need, uint64_t memory,
                                 double *bytes)
{
    (void)ctx;
    *bytes = cull_rows_peak(need->prepared, need->rows, need->longest, need->kept, memory);
    return CULL_OK;
}

cull_memory_need cull_need_of_rows(const cull_prepared_model *s, double rows, double longest,
                                   double kept)
{
    return (cull_memory_need){
        .bytes = bytes_of_rows, .prepared = s, .rows = rows, .longest = longest, .kept = kept
    };
}
