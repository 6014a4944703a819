// evaluate: variants and requests → what the metrics report.
//
// All variants of a call are answered in one pass over the weights; those that one pass could not
// hold are answered in waves.
#ifndef CULL_FLOW_EVALUATE_H
#define CULL_FLOW_EVALUATE_H

#include "plan/inputs.h"
#include "plugin/border/collector.h"

typedef struct cull_evaluated { // one variant
    cull_status status;         // of its worst metric
    cull_error error;           // where that is not CULL_OK
    cull_collector *found;      // (n) as the metrics asked for
} cull_evaluated;

typedef struct cull_evaluate_job {
    const cull_prepared_model *prepared;
    size_t n_variants;
    const cull_cut *const *cuts; // NULL: dense
    size_t n;                    // metrics
    const size_t *metric;        // (n) their indices in the experiment
    const cull_spec *spec;
    const cull_engine_options *engine;
} cull_evaluate_job;

// Fills out[v] for every variant. A metric that fails on a variant spoils that variant alone; what
// fails in the pass itself is the call's own failure. Release every collector of out in any case.
cull_status cull_evaluate(cull_ctx *ctx, const cull_evaluate_job *job, cull_evaluated *out,
                          cull_cost_seen *cost) CULL_MUST_CHECK;
void cull_evaluated_release(size_t n_metrics, cull_evaluated *evaluated);

#endif
