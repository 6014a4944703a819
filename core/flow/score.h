// score: statistics and weights → scores.
#ifndef CULL_FLOW_SCORE_H
#define CULL_FLOW_SCORE_H

#include "flow/stage_view.h"

// What the stage's criterion yields; no scores where it has none or they come matrix by matrix.
// `layer`: the layer to decide, or CULL_ALL_LAYERS. A score that is not finite is CULL_ENUMERIC,
// naming the place.
cull_status cull_score(cull_ctx *ctx, cull_stage_view *stage_view, size_t layer,
                       cull_scores *out) CULL_MUST_CHECK;

#endif
