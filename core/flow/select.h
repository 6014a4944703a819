// select: scores and a budget → a cut.
#ifndef CULL_FLOW_SELECT_H
#define CULL_FLOW_SELECT_H

#include "flow/stage_view.h"

// Each layer's own sparsity (L): the budget's, or as the strategy spreads it.
cull_status cull_spread(cull_ctx *ctx, cull_stage_view *stage_view, const cull_scores *scores,
                        const cull_budget *budget, double *sparsity) CULL_MUST_CHECK;

// The strategy's decision on one layer at its own sparsity, or (CULL_ALL_LAYERS) on all at once.
// `cut` is what the earlier stages left.
cull_status cull_select(cull_ctx *ctx, cull_stage_view *stage_view, const cull_scores *scores,
                        const cull_budget *budget, size_t layer, double sparsity,
                        cull_cut *cut) CULL_MUST_CHECK;

#endif
