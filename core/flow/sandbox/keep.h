// `keep`: experts that a stage leaves as they are.
//
// Its plugins find them as experts that stand no more (ZERO in the cut before): every criterion and
// strategy lets such alone, so that none has to know of `keep`. What they decided about all others
// is then the stage's cut.
#ifndef CULL_FLOW_SANDBOX_KEEP_H
#define CULL_FLOW_SANDBOX_KEEP_H

#include "flow/budget.h"

// The stage's own, of those that the cut before it left: [l] → (E), 1: kept. *out NULL: it keeps
// none. REAP's super experts are those whose largest output component is above the 99.5th
// percentile of all experts' and above a tenth of the largest, in the first three quarters of the
// layers with experts. Alloc memory.
cull_status cull_keep_find(cull_ctx *ctx, const cull_step *step,
                           const cull_prepared_model *prepared, const cull_cut *before,
                           const cull_stats *stats, uint8_t ***out) CULL_MUST_CHECK;

// What of the budget falls on the others: the fewest that have to stay, and of weights a larger
// share. EBUDGET: they cannot give so much. `more`: what a share of weights is to be multiplied by.
cull_status cull_keep_budget(cull_ctx *ctx, const cull_step *step,
                             const cull_prepared_model *prepared, const cull_cut *before,
                             uint8_t *const *keep, cull_budget *budget,
                             double *more) CULL_MUST_CHECK;

// How many of the others may go, for cull_whole_units: of each layer, or of all in the first place.
cull_status cull_keep_most(cull_ctx *ctx, const cull_prepared_model *prepared,
                           const cull_cut *before, uint8_t *const *keep, const cull_budget *budget,
                           size_t **out) CULL_MUST_CHECK;

void cull_keep_hide(uint8_t *const *keep, cull_cut *cut);
// The kept are as they were. EPLUGIN: the cut, whose overlays from the first-th on are the stage's,
// does something to one of them.
cull_status cull_keep_show(cull_ctx *ctx, uint8_t *const *keep, cull_cut *cut,
                           size_t first) CULL_MUST_CHECK;

#endif
