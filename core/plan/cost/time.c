// Seconds of a pass, stage by stage of a layer's visit.
#include "plan/cost/time.h"

#include <math.h>

#include "engine/blocks.h"
#include "engine/stats_store.h"
#include "plan/cost/cost.h"
#include "plan/cost/passes.h"

// Rows through all layers.
typedef struct walk {
    const cull_prepared_model *s;
    const cull_rates *rates;
    double rows, keys; // keys: positions that the rows see, all together
    double fetched;    // positions that are fetched for them
    double at_once;    // rows that meet a matrix together
    double own;        // share of variants with experts of their own,
    double alone;      // which are met by so many rows of one together
} walk;

// Floats that are read or written for a row between products: norms, residuals, rotations and the
// router; then gathering, activating and combining for each of its experts.
static double floats_between(const cull_prepared_model *s, const cull_layer_facts *layer)
{
    const double D = (double)s->opened.facts->D;

    return 20 * D + 4 * (double)layer->kv_width + 4 * (double)layer->side_F +
           (double)layer->K * (5 * D + 5 * (double)layer->F);
}

// Rows that meet an expert together, of so many that are at once.
static double met(const cull_layer_facts *layer, double rows)
{
    return layer->E > 0 ? fmin(rows * (double)layer->K / (double)layer->E, rows) : rows;
}

static double expert_seconds(const walk *w, const cull_layer_facts *layer)
{
    const double D = (double)w->s->opened.facts->D;
    const double flops = 2 * w->rows * (double)layer->K * (double)layer->expert_params;
    const double shared = met(layer, w->at_once * (1 - w->own)), alone = met(layer, w->alone);

    return flops * (1 - w->own) / cull_product_rate(w->rates, shared, D) +
           flops * w->own / cull_product_rate(w->rates, alone, D);
}

static double layer_seconds(const walk *w, const cull_layer_facts *layer)
{
    const double D = (double)w->s->opened.facts->D;
    const double seen = layer->window ? fmin(w->keys, w->rows * (double)layer->window) : w->keys;
    const double fetched = w->keys > 0 ? w->fetched * seen / w->keys : 0;

    return 2 * w->rows * (double)layer->other_params / cull_product_rate(w->rates, w->at_once, D) +
           expert_seconds(w, layer) + 4 * seen * D / w->rates->attention +
           fetched * (double)layer->kv_width / w->rates->fetch +
           w->rows * floats_between(w->s, layer) / w->rates->rows;
}

static double walk_seconds(const walk *w)
{
    double seconds = 0;

    for (size_t l = 0; l < w->s->opened.facts->L; l++)
        seconds += layer_seconds(w, w->s->layer[l]);
    return seconds;
}

// Logits of rows whose next token is asked for, and their softmax.
static double head_seconds(const cull_prepared_model *s, const cull_rates *rates, double scored)
{
    const double V = (double)s->opened.facts->V, D = (double)s->opened.facts->D;

    return scored * (2 * V * D / cull_product_rate(rates, 256, D) + 8 * V / rates->rows);
}

static double evaluation_seconds(const cull_prepared_model *s, const cull_rates *rates,
                                 const cull_request_rows *asked, double block, cull_asking how)
{
    const double prompts = fmax(asked->generating - asked->answers * asked->steps, 0);
    const double each = asked->answers > 0 ? asked->generating / asked->answers : 0;
    const double written = asked->answers * asked->steps * how.variants;
    const double behind = fmax(each - asked->steps / 2, 0); // positions of an answer's middle row
    const double own = how.own / how.variants;
    const double scored = fmin(asked->scoring, block), read = fmin(fmax(prompts, 1), block);
    const walk scoring = { .s = s,
                           .rates = rates,
                           .rows = asked->scoring * how.variants,
                           .keys = asked->keys * how.variants,
                           .fetched = asked->fetched * how.variants,
                           .at_once = scored * how.variants,
                           .own = own,
                           .alone = scored };
    const walk reading = { .s = s,
                           .rates = rates,
                           .rows = prompts * how.variants,
                           .keys = prompts * each * how.variants / 2,
                           .fetched = prompts * how.variants,
                           .at_once = read * how.variants,
                           .own = own,
                           .alone = read };
    const walk writing = { .s = s,
                           .rates = rates,
                           .rows = written,
                           .keys = written * behind,
                           .fetched = written * behind,
                           .at_once = asked->answers * how.variants,
                           .own = own,
                           .alone = asked->answers };
    double seconds = head_seconds(s, rates, asked->scored * how.variants);

    seconds += asked->scoring > 0 ? walk_seconds(&scoring) : 0;
    seconds += asked->answers > 0 ? walk_seconds(&reading) + walk_seconds(&writing) : 0;
    return seconds;
}

// ---- statistics ----

// Float64 additions for a row in one layer.
static double additions(const cull_prepared_model *s, const cull_layer_facts *layer,
                        uint32_t groups)
{
    const double D = (double)s->opened.facts->D, E = (double)layer->E, K = (double)layer->K;
    double n = E;

    if (groups & (CULL_STAT_OUTPUT_NORM | CULL_STAT_EASY_EP))
        n += K * D;
    if (groups & CULL_STAT_OUTPUT_MOMENTS)
        n += 4 * K * D;
    if (groups & CULL_STAT_EASY_EP)
        n += 3 * D;
    if (groups & CULL_STAT_LOGIT_GRAM)
        n += E * E + 8 * E;
    if (groups & CULL_STAT_INPUT_SQUARES)
        n += K * (D + (double)layer->F) + 6 * D;
    if (groups & CULL_STAT_LAYER_COSINES)
        n += 3 * D * (1 + (double)s->opened.facts->L / 2);
    return n;
}

static double statistics_seconds(const cull_prepared_model *s, const cull_rates *rates,
                                 const cull_rows *rows, uint32_t groups)
{
    const double D = (double)s->opened.facts->D, N = (double)rows->tokens;
    const double dense = groups & CULL_STATS_DENSE ? (double)rows->dense_tokens : 0;
    double seconds = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const cull_layer_facts *layer = s->layer[l];
        const double E = (double)layer->E, K = (double)layer->K, F = (double)layer->F;
        seconds += N * additions(s, layer, groups) / rates->sums;
        seconds += 2 * dense * E * (double)layer->expert_params / cull_product_rate(rates, 512, D);
        if (groups & CULL_STAT_DENSE_SAMPLE)
            seconds += (double)rows->dense_tokens * E * E * D / rates->hessian;
        if (groups & CULL_STAT_HESSIAN)
            seconds += N * K * (D * D + F * F) / rates->hessian;
    }
    return seconds;
}

static double calibration_seconds(const cull_prepared_model *s, const cull_rates *rates,
                                  const cull_rows *rows, double block,
                                  const cull_planned_calibration *p)
{
    const double N = (double)rows->tokens;
    walk w = { .s = s, .rates = rates, .rows = N, .fetched = N, .at_once = fmin(block, N) };

    for (size_t i = 0; i < rows->sequences.n; i++) {
        const double n = (double)rows->sequences.at[i].n;
        w.keys += n * (n + 1) / 2;
    }
    return walk_seconds(&w) * cull_planned_walks(p) + statistics_seconds(s, rates, rows, p->groups);
}

// ---- a plan ----

static double block_rows(const cull_prepared_model *s, uint64_t memory, double variants)
{
    const cull_engine_options options = { .memory = memory };

    return (double)cull_block_rows(&s->opened, &options, (size_t)fmax(variants, 1));
}

static cull_status asking_seconds(cull_ctx *ctx, const cull_prepared_model *s,
                                  const cull_rates *rates, cull_asking how, uint64_t memory,
                                  double *seconds)
{
    cull_request_rows asked;

    CULL_TRY(cull_count_request_rows(ctx, how, s, &asked));
    *seconds = evaluation_seconds(s, rates, &asked, block_rows(s, memory, how.variants), how);
    return CULL_OK;
}

// All its generations.
static cull_status search_seconds(cull_ctx *ctx, const cull_prepared_model *s,
                                  const cull_rates *rates, const cull_step *step, uint64_t memory,
                                  double *seconds)
{
    cull_asking how = cull_asking_search(step->search);
    double first, later;

    CULL_TRY(asking_seconds(ctx, s, rates, how, memory, &first));
    how.variants = cull_search_candidates(step->search);
    CULL_TRY(asking_seconds(ctx, s, rates, how, memory, &later));
    *seconds += first + (cull_search_generations(s, step) - 1) * later;
    return CULL_OK;
}

static void deciding_seconds(cull_ctx *ctx, const cull_rates *rates, const cull_deciding *deciding,
                             cull_seconds *out)
{
    const cull_pool *pool = cull_context_of(ctx)->pool;
    const size_t threads = pool ? cull_pool_threads(pool) : 1;

    out->decide = cull_work_seconds(rates, threads, &deciding->all);
    out->by_experts = cull_work_seconds(rates, threads, &deciding->by_experts);
    out->by_layers = cull_work_seconds(rates, threads, &deciding->by_layers);
}

double cull_seconds_all(const cull_seconds *seconds)
{
    return seconds->calibrate + seconds->search + seconds->decide + seconds->evaluate;
}

cull_status cull_estimate_seconds(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                  size_t model, uint64_t memory, const cull_rates *rates,
                                  const cull_deciding *deciding, cull_seconds *out)
{
    const cull_prepared_model *s = &inputs->at[model];
    cull_passes passes;

    *out = (cull_seconds){ 0 };
    CULL_TRY(cull_plan_passes(ctx, plan, model, &passes));
    for (size_t i = 0; i < passes.n; i++)
        out->calibrate +=
            calibration_seconds(s, rates, cull_rows_of(s, &plan->set[passes.at[i].set]),
                                block_rows(s, memory, 1), &passes.at[i]);
    deciding_seconds(ctx, rates, deciding, out);
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].model == model && plan->step[i].search)
            CULL_TRY(search_seconds(ctx, s, rates, &plan->step[i], memory, &out->search));
    return asking_seconds(ctx, s, rates, cull_asking_all(plan, model), memory, &out->evaluate);
}

cull_status cull_dense_seconds(cull_ctx *ctx, const cull_inputs *inputs, size_t model,
                               const cull_rates *rates, double *seconds)
{
    const cull_asking once = { 0, inputs->spec->n_metrics, 1, 0 };

    return asking_seconds(ctx, &inputs->at[model], rates, once, 0, seconds);
}
