// How the steps of a study are made; private to study/.
#ifndef CULL_STUDY_STEPS_H
#define CULL_STUDY_STEPS_H

#include "flow/ranks/share_selection.h"
#include "flow/sandbox/stage.h"
#include "study/study.h"

// The step and what it rests on become WANTED, or DONE where a stored cut serves.
cull_status cull_want_step(cull_study *s, size_t i) CULL_MUST_CHECK;

// The cut of a step as a file, with its scores; made[i].cut is its name.
cull_status cull_keep_step(cull_study *s, size_t i) CULL_MUST_CHECK;
// Is a cut stored that could serve? Nothing is loaded.
cull_status cull_step_is_there(cull_study *s, size_t i, bool *there) CULL_MUST_CHECK;
// DONE where a stored cut serves.
cull_status cull_find_step(cull_study *s, size_t i) CULL_MUST_CHECK;
// The first statistics that a step and those before it saw; CULL_NOT: none.
size_t cull_first_set(const cull_study *s, size_t step);
// Of n ready steps those that are this run's to make now, with the statistics that they want: the
// others are in the making elsewhere, or were found. Release them when they are made.
cull_status cull_claim_steps(cull_study *s, size_t n, const size_t *steps, size_t *n_mine,
                             size_t *mine) CULL_MUST_CHECK;
void cull_release_steps(cull_study *s, size_t n, const size_t *steps);

// All that one step's decision needs.
typedef struct cull_decision {
    size_t step;
    cull_stage_job job;
    cull_cut_size before;
    cull_budget budget;
    double *sparsity;        // (L) of steps that are decided layer by layer
    cull_shared_step shared; // by all ranks together
} cull_decision;

cull_status cull_prepare_step(cull_study *s, size_t i, cull_decision *b) CULL_MUST_CHECK;
// What was decided becomes a variant and is checked against its budget: the step is DONE. Where a
// router skips, that is when what it runs has been counted in the next pass: the calibration rows
// on which it is counted, or NULL, and the end of it, with the counts.
cull_status cull_accept_step(cull_study *s, const cull_decision *b) CULL_MUST_CHECK;
const cull_rows *cull_rows_counted(const cull_study *s, size_t i);
cull_status cull_accept_counted(cull_study *s, size_t i,
                                const cull_statistics *counted) CULL_MUST_CHECK;

// The warnings to come concern the first trial that rests on the step; CULL_NOT: none.
void cull_concern_step(cull_study *s, size_t i);

// Score, select, apply; for steps that see all layers at once. A failure is the call's:
// cull_fail_step makes it the step's own where it is the plugin's fault.
cull_status cull_decide_step(cull_study *s, size_t i) CULL_MUST_CHECK;
cull_status cull_fail_step(cull_study *s, size_t i, cull_status status) CULL_MUST_CHECK;

// The same for a step whose counts are searched for: generation by generation, each kept in the
// folder when it is scored, then the cut of the fittest.
cull_status cull_search_step(cull_study *s, size_t i) CULL_MUST_CHECK;

// One pass over a model's weights: the statistics of some sets, as far as the cache lacks them,
// the decisions of some steps that decide layer by layer, inside the layers' visits, and the counts
// for which steps wait.
cull_status cull_make_pass(cull_study *s, size_t n_sets, const size_t *set, size_t n_layerwise,
                           const size_t *layerwise) CULL_MUST_CHECK;

#endif
