// Room for what the criteria of a calibration set observe for themselves.
#ifndef CULL_FLOW_OBSERVERS_H
#define CULL_FLOW_OBSERVERS_H

#include "plan/inputs.h"

// An accumulator a layer for each of the set's observers, zeros, in the context's alloc arena.
cull_status cull_observers_make(cull_ctx *ctx, const cull_prepared_model *prepared,
                                const cull_calibration_set *set, size_t *n,
                                cull_observer_use **observers) CULL_MUST_CHECK;

#endif
