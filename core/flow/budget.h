// The budget: what a stage may take, and whether it kept to it.
//
// sparsity s is the fraction of the routed experts' parameters, of the layers that may be cut, that
// go. Stages share it by 1 − s = Π (1 − sᵢ): a stage with `experts` takes that share of what it
// finds, the one without takes what brings the whole to s, counted from what the earlier stages
// really left.
#ifndef CULL_FLOW_BUDGET_H
#define CULL_FLOW_BUDGET_H

#include "cut/cut_size.h"
#include "plan/inputs.h"

// The stage's budget, given what the earlier stages left (`before`, measured), and for `like` what
// the donor removed. Arrays are the context's alloc memory.
cull_status cull_budget_make(cull_ctx *ctx, const cull_step *step,
                             const cull_prepared_model *prepared, const cull_cut_size *before,
                             const cull_cut_size *donor, cull_budget *out) CULL_MUST_CHECK;

// CULL_EBUDGET when the stage took more than it might, or touched a frozen layer, or left a router
// with fewer experts than it picks. What it took too little of, by more than one unit, is logged.
cull_status cull_budget_check(cull_ctx *ctx, const cull_step *step,
                              const cull_prepared_model *prepared, const cull_budget *budget,
                              const cull_cut_size *before, const cull_cut_size *after,
                              const cull_cut *cut) CULL_MUST_CHECK;

// floor(share · n), forgiving what binary fractions lose: 0.29 of 100 is 29.
size_t cull_whole_share(double share, size_t n);

#endif
