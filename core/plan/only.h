// --only: a part of a plan's cells, by the conditions that results are filtered with, too.
#ifndef CULL_PLAN_ONLY_H
#define CULL_PLAN_ONLY_H

#include "math/precision.h"
#include "plan/plan.h"

// Marks the cells that do not meet all n conditions (base/filter.h) as left out. Keys are columns
// (model, method, sparsity, allocation, calibration, layers, seed) and settings (criterion,
// strategy, lowest.action, …). Dense models need none of what makes a cut. CULL_EUSAGE: a key or a
// value that no cell has, or no cell left.
cull_status cull_plan_only(cull_ctx *ctx, cull_plan *plan, cull_precision precision, size_t n,
                           const char *const *conditions) CULL_MUST_CHECK;

#endif
