// A plan's cost shared out to ranks.
#include "plan/cost/scale.h"

#include <math.h>

#include "engine/deal.h"
#include "engine/memory.h"
#include "engine/slices.h"
#include "plan/cost/passes.h"

static double compute_seconds(const cull_machines *machines, const cull_alone *alone)
{
    return machines->rate > 0 ? alone->cost.flops / machines->rate : alone->seconds;
}

// What is there whatever the rows stays; what goes with them is shared.
static double peak_of(const cull_prepared_model *s, const cull_alone *alone, double share)
{
    const double fixed = fmin((double)cull_memory_fixed(&s->opened, alone->cost.tokens, false),
                              alone->cost.peak_bytes);

    return fixed + (alone->cost.peak_bytes - fixed) * share;
}

static void put_together(const cull_machines *machines, double told, cull_scaled *out)
{
    out->reading = out->read_bytes / machines->disk;
    out->telling = told / machines->network;
    out->seconds = fmax(out->computing, out->reading) + out->telling;
}

// ---- calibration ----

// The largest part of the tokens that one of so many ranks has, in whole slices.
static double slice_share(size_t ranks)
{
    const size_t owners = ranks < CULL_SLICES ? ranks : CULL_SLICES;

    return (double)((CULL_SLICES + owners - 1) / owners) / CULL_SLICES;
}

enum { HEAD = 10 };

// Rows of Hessians that ranks keep until a layer is over, about.
static double kept_rows(const cull_prepared_model *s, const cull_rows *rows, double share)
{
    double most = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++)
        most = fmax(most,
                    (double)s->layer[l]->K * ((double)s->opened.facts->D + (double)s->layer[l]->F));
    return share * (double)rows->tokens * most * sizeof(float);
}

// The whole sample of a layer, on the rank that decides about it.
static double kept_sample(const cull_prepared_model *s, const cull_rows *rows, uint32_t groups)
{
    double most = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++)
        most =
            fmax(most, (double)cull_dense_sample_bytes(s->layer[l]->E, s->opened.facts->D,
                                                       s->layer[l]->F, rows->dense_tokens, groups));
    return most;
}

// Sums of a layer, of each rank that has some; rows of Hessians and samples, of all but rank 0's.
static double told_in_layer(const cull_prepared_model *s, const cull_rows *rows, uint32_t groups,
                            size_t l, size_t ranks)
{
    const cull_layer_facts *layer = s->layer[l];
    const double D = (double)s->opened.facts->D, E = (double)layer->E, F = (double)layer->F;
    const uint32_t sums = groups & ~(uint32_t)CULL_STAT_HESSIAN;
    const double owners = fmin((double)ranks, CULL_SLICES), others = 1 - 1 / owners;
    double bytes =
        (owners - 1) * (double)cull_layer_sums_bytes(layer->E, s->opened.facts->D, layer->F, sums);

    if (E > 0 && (groups & CULL_STAT_HESSIAN)) // to the rank of their expert
        bytes += (1 - 1 / (double)ranks) * (double)rows->tokens * (double)layer->K * (D + F) *
                 sizeof(float);
    if (E > 0 && (groups & CULL_STAT_DENSE_SAMPLE))
        bytes += others * (double)rows->dense_tokens * E * (E + 2) * sizeof(float);
    return bytes;
}

// Cuts that ranks decide about together come to rank 0, but for its own share.
static double told_of_cuts(const cull_plan *plan, const cull_prepared_model *s, size_t model,
                           size_t ranks)
{
    double bytes = 0;

    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].model == model && plan->step[i].visit &&
            (cull_stage_by_experts(plan->step[i].spec) || cull_stage_by_layers(plan->step[i].spec)))
            bytes += cull_step_cut_bytes(s, &plan->step[i]);
    return bytes * (1 - 1 / (double)ranks);
}

cull_status cull_scale_calibration(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   size_t model, const cull_machines *machines,
                                   const cull_alone *alone, cull_scaled *out)
{
    const cull_prepared_model *s = &inputs->at[model];
    const size_t L = s->opened.facts->L;
    cull_passes passes;
    double told = 0, kept = 0;

    CULL_TRY(cull_plan_passes(ctx, plan, model, &passes));
    *out = (cull_scaled){ .share = slice_share(machines->ranks) };
    for (size_t i = 0; machines->ranks > 1 && i < passes.n; i++) {
        const cull_rows *rows = cull_rows_of(s, &plan->set[passes.at[i].set]);
        for (size_t l = 0; l < L; l++)
            told += told_in_layer(s, rows, passes.at[i].groups, l, machines->ranks);
        if (passes.at[i].groups & CULL_STAT_HESSIAN)
            kept = fmax(kept, kept_rows(s, rows, out->share));
        kept =
            fmax(kept, kept_sample(s, rows, passes.at[i].groups & (uint32_t)CULL_STATS_IN_VISIT));
    }
    if (machines->ranks > 1)
        told += told_of_cuts(plan, s, model, machines->ranks);
    out->told_bytes = told / (double)L;
    out->computing = compute_seconds(machines, alone) * out->share;
    out->read_bytes = alone->cost.bytes;
    out->peak_bytes = peak_of(s, alone, out->share) + kept;
    out->shared_bytes = (double)cull_memory_mapped(&s->opened);
    put_together(machines, told, out);
    return CULL_OK;
}

// ---- decisions ----

// The largest part of n that one of so many ranks has.
static double whole_share(size_t n, size_t ranks)
{
    return n > 0 ? (double)((n + ranks - 1) / ranks) / (double)n : 1;
}

double cull_scale_deciding(const cull_prepared_model *s, size_t ranks, const cull_seconds *alone)
{
    size_t E = 0, layers = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        E = s->layer[l]->E > E ? s->layer[l]->E : E;
        layers += s->layer[l]->E > 0;
    }
    return alone->decide - alone->by_experts * (1 - whole_share(E, ranks)) -
           alone->by_layers * (1 - whole_share(layers, ranks));
}

// ---- evaluation ----

typedef struct asked { // the requests of all metrics
    size_t n;
    const cull_request **request;
    uint32_t *hand;
} asked;

static cull_status list_requests(cull_ctx *ctx, const cull_inputs *inputs,
                                 const cull_prepared_model *s, asked *out)
{
    size_t n = 0;

    for (size_t i = 0; i < inputs->spec->n_metrics; i++)
        n += s->asked[i].requests.n;
    out->request = cull_scratch(ctx, n + 1, sizeof *out->request);
    out->hand = cull_scratch(ctx, n + 1, sizeof *out->hand);
    if (!out->request || !out->hand)
        return CULL_ENOMEM;
    for (size_t i = 0; i < inputs->spec->n_metrics; i++)
        for (size_t j = 0; j < s->asked[i].requests.n; j++)
            out->request[out->n++] = &s->asked[i].request[j];
    return CULL_OK;
}

static double tokens_of(const cull_request *r)
{
    return (double)r->n + (r->kind == CULL_SCORE ? 0 : (double)r->max_new);
}

// The busiest rank's part of all tokens, and what answers take on the way.
static cull_status request_share(cull_ctx *ctx, const cull_inputs *inputs,
                                 const cull_prepared_model *s, size_t ranks, double *share,
                                 double *bytes)
{
    asked a = { 0 };
    double all = 0, most = 0;

    CULL_TRY(list_requests(ctx, inputs, s, &a));
    double *of = cull_scratch(ctx, ranks, sizeof *of);
    if (!of)
        return CULL_ENOMEM;
    CULL_TRY(cull_requests_deal(ctx, s->opened.facts, a.n, a.request, ranks, a.hand));
    *bytes = 0;
    for (size_t i = 0; i < a.n; i++) {
        const cull_request *r = a.request[i];
        of[a.hand[i]] += tokens_of(r);
        all += tokens_of(r);
        if (a.hand[i] > 0)
            *bytes += sizeof(cull_answer) +
                      (r->wants & CULL_WANT_TOKENS ? (double)r->scored * sizeof(float) : 0);
    }
    for (size_t k = 0; k < ranks; k++)
        most = fmax(most, of[k]);
    *share = all > 0 ? most / all : 1;
    return CULL_OK;
}

cull_status cull_scale_evaluation(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                  size_t model, const cull_machines *machines,
                                  const cull_alone *alone, cull_scaled *out)
{
    const cull_prepared_model *s = &inputs->at[model];
    cull_arena *arena = cull_context_of(ctx)->scratch;
    const cull_mark mark = cull_arena_mark(arena);
    double bytes;

    *out = (cull_scaled){ 0 };
    CULL_TRY(request_share(ctx, inputs, s, machines->ranks, &out->share, &bytes));
    cull_arena_rewind(arena, mark);
    out->told_bytes = bytes * (double)cull_distinct_variants(plan, model) +
                      (machines->ranks > 1 ? alone->cut_bytes : 0);
    out->computing = compute_seconds(machines, alone) * out->share;
    out->read_bytes = alone->cost.bytes;
    out->peak_bytes = peak_of(s, alone, out->share);
    out->shared_bytes = (double)cull_memory_mapped(&s->opened);
    put_together(machines, out->told_bytes, out);
    return CULL_OK;
}
