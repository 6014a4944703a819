// What is resident at most, mapped pages included, estimated from facts: what is there whatever the
// rows, the hidden states of those that are under way, one block's scratch, and what is kept. All
// in bytes; `memory` is --memory, 0: none.
#ifndef CULL_PLAN_MEMORY_H
#define CULL_PLAN_MEMORY_H

#include "plan/inputs.h"
#include "plan/passes.h"

// Of all calibration passes of the model, 0 where there is none, and in how many waves over the
// weights they are made.
cull_status cull_calibration_peak(cull_ctx *ctx, const cull_plan *plan, const cull_subject *subject,
                                  const cull_passes *passes, uint64_t memory, size_t *n_waves,
                                  double *peak) CULL_MUST_CHECK;
// Of its evaluation.
typedef struct cull_asked_rows { // of one variant, over all requests
    double scoring, generating;  // rows: what requests share of their beginnings counts once
    double scored;               // rows whose next token is asked for
} cull_asked_rows;
double cull_evaluation_peak(const cull_plan *plan, const cull_inputs *inputs, size_t model,
                            const cull_asked_rows *asked, uint64_t memory);

// Apart from any plan: `rows` rows of one variant, `kept` bytes beside them.
double cull_rows_peak(const cull_subject *subject, double rows, double kept, uint64_t memory);
double cull_cut_bytes(const cull_cut *cut); // its overlays

size_t cull_distinct_variants(const cull_plan *plan, size_t model);

// CULL_EENV: `memory` (0: no limit) is less than needed.
cull_status cull_memory_suffices(cull_ctx *ctx, const char *model, double needed,
                                 uint64_t memory) CULL_MUST_CHECK;

#endif
