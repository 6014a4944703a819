// Which calibrations go through the layers together.
//
// A calibration is what a set's rows are run for: its statistics, the decisions of steps that
// only look at layers, or those of one step that changes what later layers see; or they count what
// runs under a variant's rules. All that wait for nothing, or for what earlier passes decided,
// share a pass over the weights.
#ifndef CULL_PLAN_COST_PASSES_H
#define CULL_PLAN_COST_PASSES_H

#include "plan/plan.h"

// How a step comes to its decision.
typedef enum cull_decides {
    CULL_DECIDES_WHOLE,            // from the statistics of all layers
    CULL_DECIDES_LAYERWISE,        // layer by layer, inside a pass
    CULL_DECIDES_LAYERWISE_SPREAD, // likewise, after it has spread its budget by the statistics of
                                   // all layers
} cull_decides;

cull_decides cull_step_decides(const cull_step *step);
// The set whose statistics it waits for, those of all layers; CULL_NOT: none.
size_t cull_step_awaits(const cull_step *step);

typedef struct cull_planned_calibration {
    size_t pass; // its number in the model's
    size_t set;
    uint32_t groups;
    bool visit;     // steps are decided in it
    bool propagate; // and later layers see what its only step decides
    bool count;     // of a variant, on the set's rows
} cull_planned_calibration;

// How often its rows go through a layer: again as it was decided, and as it was before for what
// subsets of experts are compared with.
static inline double cull_planned_walks(const cull_planned_calibration *p)
{
    return p->propagate ? (p->groups & CULL_STAT_DENSE_SAMPLE ? 3 : 2) : 1;
}

typedef struct cull_passes {
    size_t n; // calibrations
    cull_planned_calibration *at;
} cull_passes;

// All of a model, pass by pass. In the context's scratch arena.
cull_status cull_plan_passes(cull_ctx *ctx, const cull_plan *plan, size_t model,
                             cull_passes *out) CULL_MUST_CHECK;

#endif
