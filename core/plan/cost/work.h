// What strategies compute, as they say themselves, and how long that takes.
#ifndef CULL_PLAN_COST_WORK_H
#define CULL_PLAN_COST_WORK_H

#include "plan/cost/rates.h"
#include "plan/inputs.h"

// Of a step that is decided, in all layers that may be cut: products, alone and steps.
cull_work cull_step_work(const cull_plan *plan, const cull_prepared_model *prepared,
                         const cull_step *step);
void cull_work_add(cull_work *to, const cull_work *from);

// On so many threads, whose rates these are together.
double cull_work_seconds(const cull_rates *rates, size_t threads, const cull_work *work);

// Experts of a layer that the step takes, where it takes experts.
size_t cull_step_gone(const cull_step *step, const cull_layer_facts *layer);

#endif
