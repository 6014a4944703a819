// What strategies compute, as they say themselves, and how long that takes.
#ifndef CULL_PLAN_COST_WORK_H
#define CULL_PLAN_COST_WORK_H

#include "plan/cost/rates.h"
#include "plan/inputs.h"

// Of one model's steps, in all layers that may be cut: products, alone and steps.
typedef struct cull_deciding {
    size_t cuts;                     // that strategies decide about
    cull_work all;                   // what they compute for them; and of that
    cull_work by_experts, by_layers; // what several ranks do together
} cull_deciding;
// Asks every step's strategy.
cull_deciding cull_count_deciding(const cull_plan *plan, const cull_prepared_model *prepared,
                                  size_t model);
void cull_work_add(cull_work *to, const cull_work *from);

// On so many threads, whose rates these are together.
double cull_work_seconds(const cull_rates *rates, size_t threads, const cull_work *work);

// Experts of a layer that the step takes, where it takes experts.
size_t cull_step_gone(const cull_step *step, const cull_layer_facts *layer);

#endif
