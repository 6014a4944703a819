// What is resident at most, mapped pages included, estimated from facts: what is there whatever the
// rows, the hidden states of those that are under way, one block's scratch, and what is kept. All
// in bytes; `memory` is --memory, 0: none.
#ifndef CULL_PLAN_COST_MEMORY_H
#define CULL_PLAN_COST_MEMORY_H

#include "engine/memory.h"
#include "plan/cost/passes.h"
#include "plan/inputs.h"

typedef struct cull_memory {
    double peak;
    size_t passes;  // over the weights, in as many as the rows need
    double spilled; // hidden states kept in a file
} cull_memory;

// Of all calibrations of the model: zeros where there is none.
cull_status cull_calibration_memory(cull_ctx *ctx, const cull_plan *plan,
                                    const cull_prepared_model *prepared, const cull_passes *passes,
                                    uint64_t memory, cull_memory *out) CULL_MUST_CHECK;

typedef struct cull_request_rows { // of one variant, over all requests
    double scoring, generating;    // rows: what requests share of their beginnings counts once
    double scored;                 // rows whose next token is asked for
    double longest;                // rows that are computed at once: of requests with one beginning
    double keys;                   // positions that the scoring rows see, all together
    double fetched;                // and those that are fetched for them: once for a run of rows
    double answers, steps;         // requests that are generated, and their longest
} cull_request_rows;

// Which of the experiment's metrics are asked, [first, end), and of how many variants in one pass.
typedef struct cull_asking {
    size_t first, end;
    double variants;
    double own; // of these, those whose cut masks or rewrites experts: their rows meet them alone
} cull_asking;

// Its own metrics, of all distinct cuts; a search's, of a generation.
cull_asking cull_asking_all(const cull_plan *plan, size_t model);
cull_asking cull_asking_search(const cull_search *search);

cull_memory cull_evaluation_memory(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   size_t model, cull_asking how, const cull_request_rows *asked,
                                   uint64_t memory);

// Apart from any plan: `rows` rows of one variant, in sequences of at most `longest`, and `kept`
// bytes beside them.
double cull_rows_peak(const cull_prepared_model *prepared, double rows, double longest, double kept,
                      uint64_t memory);
// What of a cut's overlays is resident where it is loaded, and then computed with or written: what
// stays in memory, and of one layer what comes and goes.
double cull_cut_bytes(cull_ctx *ctx, const cull_cut *cut);

// The overlays of a step's cut, and of all cuts that a plan makes of a model.
double cull_step_cut_bytes(const cull_prepared_model *prepared, const cull_step *step);
double cull_cuts_bytes(const cull_plan *plan, const cull_prepared_model *prepared, size_t model);

size_t cull_distinct_variants(const cull_plan *plan, size_t model);

// What some work needs where there is so much memory, a rank.
typedef struct cull_memory_need {
    cull_status (*bytes)(cull_ctx *ctx, const struct cull_memory_need *need, uint64_t memory,
                         double *bytes);
    const void *arg;
    const cull_prepared_model *prepared; // cull_need_of_rows: as cull_rows_peak
    double rows, longest, kept;
    cull_neighbours node; // ranks 0: alone
} cull_memory_need;

cull_memory_need cull_need_of_rows(const cull_prepared_model *prepared, double rows, double longest,
                                   double kept);

// CULL_EENV: `memory` (the node's; 0: no limit) is less than needed; the sentence says how much is
// enough.
cull_status cull_memory_suffices(cull_ctx *ctx, const char *model, const cull_memory_need *need,
                                 uint64_t memory) CULL_MUST_CHECK;

#endif
