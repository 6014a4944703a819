// How the steps of a study are made; private to flow/.
#ifndef CULL_STUDY_STEPS_H
#define CULL_STUDY_STEPS_H

#include "flow/sandbox/stage.h"
#include "study/study.h"

// The step and what it rests on become WANTED, or DONE where a stored cut serves.
cull_status cull_want_step(cull_study *s, size_t i) CULL_MUST_CHECK;

// Where the cut of a step on which others rest is kept; NULL: no memory.
const char *cull_step_file(cull_study *s, const cull_step *step);

// All that one step's decision needs.
typedef struct cull_decision {
    size_t step;
    cull_stage_job job;
    cull_cut_size before;
    cull_budget budget;
    double *sparsity; // (L) of steps that are decided layer by layer
} cull_decision;

cull_status cull_prepare_step(cull_study *s, size_t i, cull_decision *b) CULL_MUST_CHECK;
// What was decided is checked against its budget and becomes a variant: the step is DONE.
cull_status cull_accept_step(cull_study *s, const cull_decision *b) CULL_MUST_CHECK;

// Score, select, apply; for steps that see all layers at once. A failure is the call's:
// cull_fail_step makes it the step's own where it is the plugin's fault.
cull_status cull_decide_step(cull_study *s, size_t i) CULL_MUST_CHECK;
cull_status cull_fail_step(cull_study *s, size_t i, cull_status status) CULL_MUST_CHECK;

// The same for a step whose counts are searched for: generation by generation, each kept in the
// folder when it is scored, then the cut of the fittest.
cull_status cull_search_step(cull_study *s, size_t i) CULL_MUST_CHECK;

// One pass over a model's weights: the statistics of some sets, as far as the cache lacks them,
// and the decisions of some steps that decide layer by layer, inside the layers' visits.
cull_status cull_make_pass(cull_study *s, size_t n_sets, const size_t *set, size_t n_layerwise,
                           const size_t *layerwise) CULL_MUST_CHECK;

#endif
