// A task's outcomes beside its documents; for report/lm_eval/lm_*.c alone.
#ifndef CULL_REPORT_LM_EVAL_LM_ANSWERS_H
#define CULL_REPORT_LM_EVAL_LM_ANSWERS_H

#include "report/lm_eval/lm_samples.h"

typedef struct cull_lm_answers { // columns of the trial; NULL: it has no such
    size_t n, n_choices, n_filters;
    const double *loglik;           // (n, n_choices) or (n)
    const uint8_t *greedy;          // (n, n_choices)
    const int64_t *words, *bytes;   // (n)
    const char *const *text;        // (n)
    const char *const *extracted;   // (n, n_filters)
    const char *const *prompt_hash; // (n)
} cull_lm_answers;

cull_status cull_lm_answers_load(cull_ctx *ctx, const cull_lm_task *task,
                                 cull_lm_answers *out) CULL_MUST_CHECK;

// Document i, checked against the trial; it lasts until the task's alloc arena is rewound.
cull_status cull_lm_document(cull_ctx *ctx, const cull_lm_task *task, const cull_lm_answers *of,
                             size_t i, cull_document *out) CULL_MUST_CHECK;

// A number that Python's float() reads back as itself.
enum { CULL_LM_FLOAT = 32 };
void cull_lm_float(double x, char out[CULL_LM_FLOAT]);

#endif
