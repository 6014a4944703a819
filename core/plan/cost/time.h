// How long a plan will take on this machine, from its facts and measured rates.
//
// Counted: products, attention, what is done to rows between them, the head, statistics, and what
// strategies say that they compute. Not counted: reading weights that the system does not hold yet.
#ifndef CULL_PLAN_COST_TIME_H
#define CULL_PLAN_COST_TIME_H

#include "plan/cost/rates.h"
#include "plan/cost/work.h"

typedef struct cull_seconds { // of one model's share of the plan
    double calibrate, search, evaluate;
    double decide;                // what strategies compute; and of that
    double by_experts, by_layers; // what several ranks do together
} cull_seconds;

double cull_seconds_all(const cull_seconds *seconds);

cull_status cull_estimate_seconds(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                  size_t model, uint64_t memory, const cull_rates *rates,
                                  const cull_deciding *deciding, cull_seconds *out) CULL_MUST_CHECK;

// Of one dense evaluation on all metrics.
cull_status cull_dense_seconds(cull_ctx *ctx, const cull_inputs *inputs, size_t model,
                               const cull_rates *rates, double *seconds) CULL_MUST_CHECK;

#endif
