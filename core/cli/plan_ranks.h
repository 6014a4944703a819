// `cull plan --ranks N`: what a plan would take on several ranks.
#ifndef CULL_CLI_PLAN_RANKS_H
#define CULL_CLI_PLAN_RANKS_H

#include "cli/experiment.h"
#include "plan/cost/scale.h"
#include "plan/cost/time.h"

typedef struct cull_model_costs { // of a model, on this machine
    cull_costs of;
    cull_deciding deciding;
    cull_seconds seconds;
} cull_model_costs;

// Of what is still to be computed, `rest`, which costs so much alone.
cull_status cull_print_ranks(cull_ctx *ctx, const cull_experiment *e, const cull_plan *rest,
                             const cull_model_costs *costs,
                             const cull_machines *machines) CULL_MUST_CHECK;

#endif
