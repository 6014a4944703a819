// What of an experiment is there and what is new, in words and as JSON: for cmd_plan.c.
#ifndef CULL_CLI_PLAN_STATE_H
#define CULL_CLI_PLAN_STATE_H

#include "cli/plan_ranks.h"
#include "study/survey.h"

// of: what each model's new trials cost.
void cull_plan_state_print(const cull_experiment *e, const char *folder, const cull_survey *survey,
                           const cull_model_costs *of);
// All of `cull plan` as one JSON object on stdout.
cull_status cull_plan_state_json(cull_ctx *ctx, const cull_experiment *e, const char *folder,
                                 const cull_survey *survey,
                                 const cull_model_costs *of) CULL_MUST_CHECK;

#endif
