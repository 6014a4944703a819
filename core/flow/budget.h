// The budget: what a stage may take, and whether it kept to it.
//
// sparsity s is the fraction of the routed experts' parameters, of the layers that may be cut, that
// go. Stages share it by 1 − s = Π (1 − sᵢ): a stage with `experts` takes that share of what it
// finds, the one without takes what brings the whole to s, counted from what the earlier stages
// really left. Layers that these pass over are frozen.
#ifndef CULL_FLOW_BUDGET_H
#define CULL_FLOW_BUDGET_H

#include "cut/cut_size.h"
#include "plan/inputs.h"

// The stage's budget, given what the earlier stages left (`before`, measured), and for `like` what
// the donor removed. Arrays are the context's alloc memory.
cull_status cull_budget_make(cull_ctx *ctx, const cull_step *step,
                             const cull_prepared_model *prepared, const cull_cut_size *before,
                             const cull_cut_size *donor, cull_budget *out) CULL_MUST_CHECK;

// Whole units that differ in size: counts are as many parameters only where units are alike. After
// a stage that has left experts or layers unlike, what a strategy takes shows when it has chosen.
// It then chooses again with other counts, until what went is no more than what may, and one more
// would be, or a strategy has no more to give.
typedef struct cull_whole_units { // zeroed before the first choice
    size_t n;                     // counts: one a layer, or a single one
    size_t *count, *fits, *over;  // (n) chosen with; the most known to fit, the least known not to
    const size_t *most;           // (n) that may go; NULL: all that stand
} cull_whole_units;

// Are there units that differ, of a stage whose counts are its own and which leaves the others as
// they are?
bool cull_whole_units_differ(const cull_step *step, const cull_prepared_model *prepared,
                             const cull_cut_size *before, const cull_budget *budget);

// After a choice of such: is there to be another, with other counts in `budget`? CULL_ENOMEM.
cull_status cull_whole_units_again(cull_ctx *ctx, const cull_step *step,
                                   const cull_prepared_model *prepared, const cull_cut_size *before,
                                   const cull_cut_size *after, cull_budget *budget,
                                   cull_whole_units *units, bool *again) CULL_MUST_CHECK;

// CULL_EBUDGET when the stage took more than it might, or touched a frozen layer, or left a router
// with fewer experts than it picks. What it took too little of, by more than one unit, is logged.
cull_status cull_budget_check(cull_ctx *ctx, const cull_step *step,
                              const cull_prepared_model *prepared, const cull_budget *budget,
                              const cull_cut_size *before, const cull_cut_size *after,
                              const cull_cut *cut) CULL_MUST_CHECK;

#endif
