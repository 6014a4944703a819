// Results in the form of lm-evaluation-harness's results_*.json, for what reads such files.
#ifndef CULL_REPORT_LM_EVAL_LM_EVAL_H
#define CULL_REPORT_LM_EVAL_LM_EVAL_H

#include "results/frame.h"

// Write what a trial of the frame holds: results, groups, versions, n-shot, higher_is_better,
// n-samples and configs, keyed as lm-eval keys them ("acc,none"); standard errors that are not
// defined are "N/A". The evaluator is named truthfully; `model_args` says what was evaluated.
// Atomic.
cull_status cull_lm_eval_results(cull_ctx *ctx, const cull_frame *frame, size_t trial,
                                 const char *model_args, const char *path) CULL_MUST_CHECK;

#endif
