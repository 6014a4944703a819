// What an experiment says other than its author may think: in sentences, before anything is
// computed.
#ifndef CULL_PLAN_REMARKS_H
#define CULL_PLAN_REMARKS_H

#include "plan/inputs.h"

// Adds to plan->note and plan->warning what shows only when the models are known.
cull_status cull_plan_remarks(cull_ctx *ctx, const cull_inputs *inputs,
                              cull_plan *plan) CULL_MUST_CHECK;

// The part of a model's routed-expert parameters that is in layers which may be cut; layers: as of
// cull_frozen_of.
double cull_allowed_share(const cull_prepared_model *prepared, size_t layers);

// Do the units that a step counts, of the layers that may be cut, differ in size in the model? The
// experts of one layer never do.
bool cull_units_differ(const cull_prepared_model *prepared, const cull_step *step);

#endif
