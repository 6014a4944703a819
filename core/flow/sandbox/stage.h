// One stage of one method: scored and selected in a child of its own, so that a plugin's crash,
// loop or NaN costs that plugin's trials alone.
#ifndef CULL_FLOW_SANDBOX_STAGE_H
#define CULL_FLOW_SANDBOX_STAGE_H

#include "flow/sandbox/keep.h"
#include "flow/sandbox/stage_result.h"
#include "flow/stage_view.h"

typedef struct cull_stage_job {
    const cull_step *step;
    const cull_prepared_model *prepared;
    const cull_layer_facts *layers; // (L)
    const cull_cut *before;         // what the earlier stages left
    const cull_stats *stats;
    double *const *observed; // see stage_view.h
    const cull_budget *budget;
    uint8_t *const *keep;    // experts that are left alone, see keep.h; NULL: none
    const char *folder;      // for the child's nameless file
    double seconds;          // limit of one call; 0: none
    const uint32_t *experts; // (n_experts) of the layer that are decided about; NULL: all
    size_t n_experts;
} cull_stage_job;

// All layers. result->cut is a copy of `before`; it becomes the stage's cut.
cull_status cull_stage_run(cull_ctx *ctx, const cull_stage_job *job,
                           cull_stage_result *result) CULL_MUST_CHECK;

// Likewise, scored once and selected under each of n budgets. The limit of time is of one of them,
// n times. Maps belong to results[0].
cull_status cull_stage_run_each(cull_ctx *ctx, const cull_stage_job *job, size_t n,
                                const cull_budget *budget,
                                cull_stage_result *results) CULL_MUST_CHECK;

// Inside the layers' visit: what each layer's own sparsity is (L), before any is decided; then
// layer after layer.
cull_status cull_stage_spread(cull_ctx *ctx, const cull_stage_job *job,
                              double *sparsity) CULL_MUST_CHECK;
cull_status cull_stage_visit(cull_ctx *ctx, const cull_stage_job *job, size_t layer,
                             double sparsity, cull_stage_result *result) CULL_MUST_CHECK;
// The same, left in *out, which is the caller's, for cull_stage_result_read; result->cut stays.
cull_status cull_stage_visit_apart(cull_ctx *ctx, const cull_stage_job *job, size_t layer,
                                   double sparsity, cull_stage_result *result,
                                   FILE **out) CULL_MUST_CHECK;

#endif
