// Budgets in other units, turned into the sparsity that meets them.
//
// { experts: N }: N experts stay in each layer that may be cut; another unit keeps as many
// parameters. { bytes: B }: the weights of the exported checkpoint, in their stored type, are at
// most B. { active: A }: of the parameters that run for a token at most a fraction A stays, within
// one of the method's units; of experts that serve a token, of which none goes, the sparsity is the
// share of what routed experts run.
#ifndef CULL_PLAN_MEET_H
#define CULL_PLAN_MEET_H

#include "plan/inputs.h"

// Sets the sparsity of the model's steps and cells that have such a budget. Where nothing can meet
// one, a problem: a unit that changes no bytes or no active parameters, methods of several stages,
// budgets above or below what there is.
cull_status cull_plan_meet(cull_plan *plan, size_t model, const cull_prepared_model *prepared,
                           cull_problems *problems) CULL_MUST_CHECK;

#endif
