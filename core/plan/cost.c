#include "plan/cost.h"

#include <cblas.h>
#include <math.h>
#include <time.h>

#include "base/memory.h"
#include "engine/blocks.h"

// Multiply-adds × 2 of one token through the layers: its active parameters, without the embedding's
// table.
static double flops_per_token(const cull_subject *s)
{
    const cull_model_facts *f = s->opened.facts;
    const double table = (double)f->V * (double)f->D;
    const double active = (double)f->params_active - 2 * table;
    return 2 * (active > 0 ? active : (double)f->params_active);
}

// J runs all experts of a layer on the subsample; I adds a rank-one update per input channel pair.
static double extra_flops(const cull_subject *s, const cull_rows *rows, uint32_t groups)
{
    const cull_model_facts *f = s->opened.facts;
    double flops = 0;
    for (size_t l = 0; l < f->L; l++) {
        const cull_layer_facts *layer = s->layer[l];
        const double E = (double)layer->E, K = (double)layer->K, D = (double)f->D,
                     F = (double)layer->F;
        const double all = 2 * E * (double)layer->expert_params;
        if (groups & CULL_STAT_J)
            flops += (double)rows->dense_tokens * (all + E * E * D);
        if (groups & CULL_STAT_M)
            flops += (double)rows->tokens * all;
        if (groups & CULL_STAT_I)
            flops += (double)rows->tokens * K * (D * D + F * F);
    }
    return flops;
}

static void add_calibration(const cull_subject *s, const cull_rows *rows, uint32_t groups,
                            cull_cost *out)
{
    const double flops = (double)rows->tokens * flops_per_token(s) + extra_flops(s, rows, groups);
    out->passes++;
    out->tokens += (double)rows->tokens;
    out->flops += flops;
    out->bytes += (double)s->opened.facts->bytes;
}

static bool visited(const cull_plan *plan, size_t g, bool propagate)
{
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].gather == g && plan->step[i].visit &&
            plan->step[i].spec->propagate == propagate)
            return true;
    return false;
}

static uint32_t needs_in_visit(const cull_plan *plan, size_t g)
{
    uint32_t needs = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].gather == g && plan->step[i].visit)
            needs |= plan->step[i].needs;
    return needs;
}

static void calibration_cost(const cull_plan *plan, const cull_subject *s, size_t model,
                             cull_cost *out)
{
    for (size_t g = 0; g < plan->n_gathers; g++) {
        const cull_gather *gather = &plan->gather[g];
        if (gather->model != model)
            continue;
        const cull_rows *rows = cull_rows_of(s, gather->seed);
        const uint32_t in_visit = needs_in_visit(plan, g);
        add_calibration(s, rows, gather->groups, out);
        if (visited(plan, g, false))
            add_calibration(s, rows, in_visit, out);
        for (size_t i = 0; i < plan->n_steps; i++)
            if (plan->step[i].gather == g && plan->step[i].visit && plan->step[i].spec->propagate)
                add_calibration(s, rows, plan->step[i].needs, out);
        out->stats_bytes +=
            (double)cull_stats_store_bytes(s->opened.facts, s->layer, gather->groups);
    }
}

static size_t distinct_variants(const cull_plan *plan, size_t model)
{
    size_t n = 0;
    for (size_t c = 0; c < plan->n_cells; c++) {
        bool first = plan->cell[c].model == model;
        for (size_t b = 0; b < c && first; b++)
            if (plan->cell[b].model == model && plan->cell[b].step == plan->cell[c].step)
                first = false;
        n += first;
    }
    return n;
}

// One variant's rows over all requests, and those of them that are scored: what requests share of
// their beginnings is computed once.
typedef struct asked_rows {
    double rows, scored;
} asked_rows;

static cull_status request_rows(cull_ctx *ctx, const cull_inputs *inputs, const cull_subject *s,
                                asked_rows *out)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < inputs->spec->n_metrics; i++)
        n += s->asked[i].requests.n;
    cull_ids *ids = cull_scratch(ctx, n + 1, sizeof *ids);
    size_t *end = cull_scratch(ctx, n + 1, sizeof *end);
    cull_forest forest;
    *out = (asked_rows){ 0, 0 };
    if (!ids || !end)
        return CULL_ENOMEM;
    for (size_t i = 0; i < inputs->spec->n_metrics; i++)
        for (size_t j = 0; j < s->asked[i].requests.n; j++) {
            const cull_request *r = &s->asked[i].requests.at[j];
            if (r->kind == CULL_SCORE)
                ids[at++] = (cull_ids){ r->ids, r->n - 1 };
            else
                out->rows += (double)(r->n + r->max_new);
            out->scored += (double)(r->kind == CULL_SCORE ? r->scored : r->max_new);
        }
    CULL_TRY(cull_forest_build(ctx, at, ids, true, s->opened.facts->rope_switch, &forest, end));
    out->rows += (double)forest.n_rows;
    return CULL_OK;
}

// Of a row within attention, where most is alive at once: what enters the sub-layer and runs beside
// it, the normalised input, queries, keys, values, what was attended to and its projection.
static uint64_t live_floats(const cull_model_facts *f, const cull_layer_facts *layer)
{
    return (uint64_t)(layer->has_side ? 8 : 7) * f->D + 2 * layer->kv_width;
}

// What is there whatever the rows, the hidden states of those that are under way (at most `hidden`
// bytes), one block's scratch, and what is kept.
static double peak(const cull_subject *s, double rows, double histories, uint64_t memory,
                   double most_hidden, double kept)
{
    const cull_model_facts *f = s->opened.facts;
    const cull_engine_options options = { .memory = memory };
    uint64_t floats = 0;
    for (size_t l = 0; l < f->L; l++) {
        const uint64_t here = live_floats(f, s->layer[l]);
        floats = here > floats ? here : floats;
    }
    const double hidden = fmin(rows * histories * (double)f->D * sizeof(float), most_hidden);
    const double block =
        fmin((double)cull_block_rows(&s->opened, &options, (size_t)histories), rows);
    const double scratch = block * histories * (double)floats * sizeof(float);
    return (double)cull_memory_fixed(&s->opened, rows) + hidden + scratch + kept;
}

// Answers are kept until the pass ends.
static double answer_bytes(const cull_inputs *inputs, const cull_subject *s, double variants)
{
    double bytes = 0;
    for (size_t i = 0; i < inputs->spec->n_metrics; i++)
        for (size_t j = 0; j < s->asked[i].requests.n; j++) {
            const cull_request *r = &s->asked[i].requests.at[j];
            bytes += sizeof(cull_answer);
            if (r->wants & CULL_WANT_TOKENS)
                bytes += (double)r->scored * sizeof(float);
        }
    return bytes * variants;
}

static double flops_of(const cull_subject *s, const asked_rows *asked)
{
    const double head = 2 * (double)s->opened.facts->V * (double)s->opened.facts->D;
    return asked->rows * flops_per_token(s) + asked->scored * head;
}

cull_status cull_dense_flops(cull_ctx *ctx, const cull_inputs *inputs, size_t model, double *flops)
{
    asked_rows asked;
    CULL_TRY(request_rows(ctx, inputs, &inputs->at[model], &asked));
    *flops = flops_of(&inputs->at[model], &asked);
    return CULL_OK;
}

cull_status cull_estimate_cost(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                               size_t model, uint64_t memory, cull_cost *calibrate,
                               cull_cost *evaluate)
{
    const cull_subject *s = &inputs->at[model];
    const double variants = (double)distinct_variants(plan, model);
    asked_rows asked;
    double rows = 0;
    CULL_TRY(request_rows(ctx, inputs, s, &asked));
    const cull_engine_options engine = { .memory = memory };
    const double half = (double)cull_memory_limit(&s->opened, &engine) / 2;
    const double one = flops_of(s, &asked);
    *calibrate = (cull_cost){ 0 };
    calibration_cost(plan, s, model, calibrate);
    for (size_t i = 0; i < s->n_rows; i++)
        rows = fmax(rows, (double)s->rows[i].tokens);
    calibrate->peak_bytes = peak(s, rows, 1, memory, INFINITY, calibrate->stats_bytes);
    calibrate->forward_equivalents = one > 0 ? calibrate->flops / one : 0;
    *evaluate = (cull_cost){
        .passes = 1,
        .tokens = variants * asked.rows,
        .flops = variants * one,
        .bytes = (double)s->opened.facts->bytes,
        .peak_bytes = peak(s, asked.rows, variants, memory, half,
                           calibrate->stats_bytes + answer_bytes(inputs, s, variants)),
        .forward_equivalents = variants,
    };
    return CULL_OK;
}

cull_status cull_check_memory(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                              uint64_t memory)
{
    for (size_t m = 0; memory && m < inputs->n; m++) {
        cull_cost calibrate, evaluate;
        CULL_TRY(cull_estimate_cost(ctx, plan, inputs, m, memory, &calibrate, &evaluate));
        const double needed = fmax(calibrate.peak_bytes, evaluate.peak_bytes);
        if (needed > (double)memory)
            return cull_fail(ctx, CULL_EENV,
                             "--memory of %.0f MB is too little for model \"%s\": it needs %.0f MB",
                             (double)memory / 1e6, inputs->spec->models[m].name,
                             ceil(needed / 1e6));
    }
    return CULL_OK;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double cull_measure_speed(void)
{
    enum { N = 192 };
    float *a = cull_alloc(3 * N * N, sizeof *a);
    double best = 0;
    for (size_t round = 0; a && round < 4; round++) {
        const double begin = now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, N, 1, a, N, a + N * N, N, 0,
                    a + 2 * N * N, N);
        const double took = now() - begin;
        best = fmax(best, took > 0 ? 2.0 * N * N * N / took : 0);
    }
    cull_free(a);
    return best > 0 ? best : 1e9;
}
