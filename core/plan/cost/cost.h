// What a plan will cost, estimated from facts alone: arithmetic, reading, memory. Seconds: time.h.
#ifndef CULL_PLAN_COST_COST_H
#define CULL_PLAN_COST_COST_H

#include "plan/cost/memory.h"

typedef struct cull_cost {
    size_t passes;        // over the weights
    double tokens;        // (token, variant) rows through all layers, before histories are shared
    double flops;         // multiply-adds × 2
    double bytes;         // of weights, read
    double peak_bytes;    // resident, mapped pages included
    double spilled_bytes; // of hidden states, kept in a file
    double forward_equivalents; // flops over those of one dense evaluation
} cull_cost;

typedef struct cull_costs { // one model's share of a plan
    cull_cost calibrate, evaluate;
    cull_cost search; // of all searches at most; passes: 0 where there is none
} cull_costs;

// memory: --memory, 0: none. seconds: of one dense evaluation, by which variants are evaluated in
// waves; 0: not known, and all go together.
cull_status cull_estimate_cost(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                               size_t model, uint64_t memory, double seconds,
                               cull_costs *out) CULL_MUST_CHECK;

// What a plan needs of a model's calibrations and evaluations. The argument must outlive it.
typedef struct cull_planned_model {
    const cull_plan *plan;
    const cull_inputs *inputs;
    size_t model;
} cull_planned_model;
cull_memory_need cull_need_of_model(const cull_planned_model *planned);

// Refuse a limit of a node with so many ranks (0: none) that what must be resident of a model does
// not fit, naming what is needed.
cull_status cull_check_memory(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                              size_t ranks, uint64_t memory) CULL_MUST_CHECK;

// Multiply-adds × 2 of one dense evaluation on all metrics: a forward equivalent.
cull_status cull_dense_flops(cull_ctx *ctx, const cull_inputs *inputs, size_t model,
                             double *flops) CULL_MUST_CHECK;

// What one variant's requests come to, of the metrics that are asked together.
cull_status cull_count_request_rows(cull_ctx *ctx, cull_asking how, const cull_prepared_model *s,
                                    cull_request_rows *out) CULL_MUST_CHECK;

// Generations of a search at most, and the candidates of one after the first.
double cull_search_generations(const cull_prepared_model *s, const cull_step *step);
double cull_search_candidates(const cull_search *search);

#endif
