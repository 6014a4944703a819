// Ranks that would not compute the same are no ranks of one run.
#ifndef CULL_FLOW_RANKS_ALIKE_H
#define CULL_FLOW_RANKS_ALIKE_H

#include "plan/inputs.h"
#include "ranks/ranks.h"

// A meeting: build, experiment, precision, kernels, processor features, models and data are
// compared. CULL_EENV names what differs, and the ranks and hosts. mixed: kernels and processors
// may differ, and so may bits. Rank 0 warns where threads outnumber the processors that a host's
// ranks may use.
cull_status cull_ranks_alike(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                             bool mixed) CULL_MUST_CHECK;

#endif
