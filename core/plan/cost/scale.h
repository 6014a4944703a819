// What a plan would take on several ranks: time, memory, reading, and what they tell each other.
//
// Assumed: every rank reads the weights of each pass itself, while it computes; sums, answers and
// cuts go to rank 0 one rank after the other, rows of Hessians to the ranks of their experts, and
// cuts from rank 0 to all others at once, while nobody computes. Not counted: cuts of
// stages that are calibrated on.
#ifndef CULL_PLAN_COST_SCALE_H
#define CULL_PLAN_COST_SCALE_H

#include "plan/cost/cost.h"
#include "plan/cost/time.h"

typedef struct cull_machines {
    size_t ranks;
    double network, disk; // bytes a second: into rank 0; from where a rank reads its weights
    double rate;          // FLOP a second of a rank; 0: as this machine is estimated to do
} cull_machines;

// Of a model's calibrations or evaluation on one machine.
typedef struct cull_alone {
    cull_cost cost;
    double seconds;
    double cut_bytes; // of evaluations: of the cuts that are evaluated
} cull_alone;

typedef struct cull_scaled {
    double share;                       // of the tokens, the busiest rank's
    double computing, reading, telling; // seconds of that rank, of its weights, of the network
    double seconds;                     // all together
    double peak_bytes, read_bytes;      // a rank
    double shared_bytes;                // of the peak: pages of the checkpoint, once a node
    double told_bytes;                  // a layer; of evaluations, in all
} cull_scaled;

// What strategies compute takes so long: rank 0 alone, or all ranks where they decide together.
double cull_scale_deciding(const cull_prepared_model *prepared, size_t ranks,
                           const cull_seconds *alone);

cull_status cull_scale_calibration(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   size_t model, const cull_machines *machines,
                                   const cull_alone *alone, cull_scaled *out) CULL_MUST_CHECK;
cull_status cull_scale_evaluation(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                  size_t model, const cull_machines *machines,
                                  const cull_alone *alone, cull_scaled *out) CULL_MUST_CHECK;

#endif
