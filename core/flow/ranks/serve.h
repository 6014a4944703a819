// The part of all ranks but 0 in a run: they do what they are ordered to.
#ifndef CULL_FLOW_RANKS_SERVE_H
#define CULL_FLOW_RANKS_SERVE_H

#include "plan/inputs.h"

// Until rank 0 has no more to do, or a rank fails.
cull_status cull_serve(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                       const cull_engine_options *engine) CULL_MUST_CHECK;

// On rank 0: no more orders; `status` is how its own work ended, and comes back, or a failure of
// another rank.
cull_status cull_serve_no_more(cull_ctx *ctx, cull_status status) CULL_MUST_CHECK;

#endif
