// Identity, in layers: calibration → cut → evaluation of one metric.
//
// A key says all that a result depends on and nothing else, so that equal keys mean equal results:
// settings (defaults included), the plugins' versions and, of those built elsewhere, their file's
// hash, the token ids of the rows, the requests, the model's fingerprint, the engine's numerics.
// Names, order and everything that only changes speed are left out; a trial's id adds the names
// under which tables show it.
#ifndef CULL_PLAN_KEY_H
#define CULL_PLAN_KEY_H

#include "plan/inputs.h"

// Raised whenever the engine's numbers may change.
enum { CULL_NUMERICS_REVISION = 4 };

// Fills the keys of the plan's sets, steps and cells.
cull_status cull_plan_keys(cull_ctx *ctx, const cull_registry *registry, const cull_inputs *inputs,
                           cull_plan *plan) CULL_MUST_CHECK;

// What metric `metric` finds of `cell`.
cull_status cull_evaluation_key(cull_ctx *ctx, const cull_registry *registry,
                                const cull_inputs *inputs, const cull_plan *plan,
                                const cull_cell *cell, size_t metric,
                                cull_key *out) CULL_MUST_CHECK;

// A criterion's own statistic, of one set.
cull_status cull_observer_key(cull_ctx *ctx, const cull_registry *registry,
                              const cull_calibration_set *set, const cull_use *use,
                              cull_key *out) CULL_MUST_CHECK;

#endif
