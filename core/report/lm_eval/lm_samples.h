// What a trial answered, document by document, in lm-evaluation-harness's forms: its sample files,
// and its response cache, from which lm-eval itself makes any metric of the answers.
//
// The outcomes are the trial's; the documents are asked for again of the metric that put them, and
// must be those that were answered: their prompts' hashes are compared (CULL_EFORMAT).
#ifndef CULL_REPORT_LM_EVAL_LM_SAMPLES_H
#define CULL_REPORT_LM_EVAL_LM_SAMPLES_H

#include <cull/abi.h>
#include <cull/metric.h>

#include "results/frame.h"

typedef struct cull_lm_task {
    cull_ctx *ctx;             // of the metric: its documents pass through the alloc arena
    const cull_plugin *plugin; // the metric
    const cull_requests *requests;
    const cull_frame *frame;
    const cull_row *row; // the first one of the task: where its outcomes are
} cull_lm_task;

// A line for every document and filter. Atomic.
cull_status cull_lm_samples(cull_ctx *ctx, const cull_lm_task *task,
                            const char *path) CULL_MUST_CHECK;

// The database that `lm_eval run --use_cache P` reads is P_rank0.db; answers that are in it are
// kept, those of the same calls replaced, all in one transaction. Adds to *answers.
typedef struct cull_lm_cache cull_lm_cache;
cull_status cull_lm_cache_open(cull_ctx *ctx, const char *prefix,
                               cull_lm_cache **out) CULL_MUST_CHECK;
cull_status cull_lm_cache_add(cull_ctx *ctx, cull_lm_cache *cache, const cull_lm_task *task,
                              size_t *answers) CULL_MUST_CHECK;
cull_status cull_lm_cache_commit(cull_ctx *ctx, cull_lm_cache *cache) CULL_MUST_CHECK;
void cull_lm_cache_close(cull_lm_cache *cache); // what is not committed is lost; NULL is fine

#endif
