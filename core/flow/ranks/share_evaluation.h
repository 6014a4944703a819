// An evaluation whose requests are shared out to the ranks (engine/deal.h).
#ifndef CULL_FLOW_RANKS_SHARE_EVALUATION_H
#define CULL_FLOW_RANKS_SHARE_EVALUATION_H

#include "plan/inputs.h"
#include "ranks/ranks.h"

typedef struct cull_shared_evaluation {
    const cull_prepared_model *prepared;
    size_t model; // its index in the experiment
    const cull_engine_options *engine;
    size_t n_variants;
    const cull_cut *const *cuts; // (n_variants) NULL: dense
    size_t n_metrics;
    const size_t *metric; // (n_metrics) their indices in the experiment
} cull_shared_evaluation;

// The requests of some metrics, one after the other. *request is in the context's alloc arena.
cull_status cull_requests_of(cull_ctx *ctx, const cull_prepared_model *prepared, size_t n_metrics,
                             const size_t *metric, size_t *n,
                             const cull_request *const **request) CULL_MUST_CHECK;

// As cull_evaluate_pass on them, with the other ranks, which it orders to help. cost: of all ranks.
cull_status cull_evaluate_shared(cull_ctx *ctx, const cull_shared_evaluation *e,
                                 cull_answer *answers, cull_cost_seen *cost) CULL_MUST_CHECK;

// A rank's part in an evaluation that rank 0 ordered.
cull_status cull_serve_evaluation(cull_ctx *ctx, const cull_inputs *inputs,
                                  const cull_engine_options *engine, size_t model,
                                  size_t n_variants, size_t n_metrics) CULL_MUST_CHECK;

#endif
