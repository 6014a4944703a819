// Calibrations of one pass, their sequences shared out to the ranks.
//
// A rank owns whole slices of each calibration's sequences, as many tokens as the others, about:
// there are CULL_SLICES, so that more ranks than that have nothing to do here. Sums and rows meet
// on rank 0 layer by layer, where decisions are made; what they change is told to all.
#ifndef CULL_FLOW_RANKS_SHARE_CALIBRATION_H
#define CULL_FLOW_RANKS_SHARE_CALIBRATION_H

#include "plan/inputs.h"
#include "ranks/ranks.h"

typedef struct cull_shared_calibration {
    const cull_calibration_set *set; // what it is of
    const size_t *observer;          // (how.n_observers) which of the set's observers
    cull_calibration how;            // as if it were alone
} cull_shared_calibration;

// As cull_calibrate_pass, with the other ranks, which it orders to help. cost: (n), of all ranks.
cull_status cull_calibrate_shared(cull_ctx *ctx, const cull_prepared_model *prepared,
                                  const cull_engine_options *engine, size_t n,
                                  const cull_shared_calibration *shared,
                                  cull_cost_seen *cost) CULL_MUST_CHECK;

// A rank's part in n calibrations that rank 0 ordered.
cull_status cull_serve_calibrations(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                    const cull_engine_options *engine, size_t model,
                                    size_t n) CULL_MUST_CHECK;

#endif
