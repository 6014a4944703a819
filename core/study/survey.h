// What of an experiment is there, and what a run would compute: for `cull plan`.
#ifndef CULL_STUDY_SURVEY_H
#define CULL_STUDY_SURVEY_H

#include "study/study.h"

typedef struct cull_found {
    size_t all, there;
} cull_found;

typedef struct cull_survey {
    cull_found trials; // there: complete, under whatever names
    size_t cached;     // of those that are there: with something from the cache
    size_t partly;     // of those that are not: recorded, but a metric is missing
    cull_found evaluations, cuts, calibrations; // cuts and calibrations that the others need
    const bool *there;                          // (n_cells) complete
    cull_plan rest;                             // what would be computed
    double disk; // bytes that this would take, at most: trials, cuts, calibrations
} cull_survey;

// Nothing is computed, written or claimed. All in the alloc arena.
cull_status cull_survey_make(cull_ctx *ctx, const cull_registry *registry, const cull_plan *plan,
                             cull_inputs *inputs, const cull_flow_options *options,
                             cull_survey *out) CULL_MUST_CHECK;

#endif
