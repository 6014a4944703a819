// What the plan needs of the world: models opened (their headers, not their weights), calibration
// rows, and the requests of the metrics.
//
// Invariants: everything a plugin made here lives in the context of its subject, until close. Rows
// are loaded once per model and data seed, requests once per model and metric.
#ifndef CULL_PLAN_INPUTS_H
#define CULL_PLAN_INPUTS_H

#include "engine/engine.h"
#include "plan/plan.h"

typedef struct cull_rows {
    uint64_t seed;
    cull_sequences sequences;
    size_t tokens, dense_rows, dense_tokens; // in all; of the dense subsample
    cull_key key;                            // of the token ids
} cull_rows;

typedef struct cull_asked {
    cull_requests requests;
    size_t tokens; // fed, all requests together
    cull_key key;  // of the requests
} cull_asked;

typedef struct cull_subject { // a model of the experiment
    const cull_model_spec *spec;
    cull_context context;
    cull_opened opened;
    const cull_layer_facts **layer; // (L)
    uint8_t *frozen;                // (L) 1: may not be cut
    cull_text text;
    size_t n_rows;
    cull_rows *rows;
    cull_asked *asked; // (n_metrics)
} cull_subject;

typedef struct cull_inputs {
    const cull_spec *spec;
    const char *precision; // what `auto` came to
    size_t n;
    cull_subject *at; // (n_models)
} cull_inputs;

// Opens the models and fits the plan to their facts. CULL_EUSAGE: there are problems; another
// failure: a checkpoint cannot be used. Close in any case.
cull_status cull_inputs_open(cull_ctx *ctx, const cull_plan *plan, cull_problems *problems,
                             cull_inputs *out) CULL_MUST_CHECK;

// Loads rows and prepares requests.
cull_status cull_inputs_load(cull_ctx *ctx, const cull_plan *plan,
                             cull_inputs *inputs) CULL_MUST_CHECK;

void cull_inputs_close(cull_inputs *inputs);

const cull_rows *cull_rows_of(const cull_subject *subject, uint64_t seed);

// One model, opened apart from any experiment (`what`: CULL_OPEN_*), in `subject`.
cull_status cull_subject_open(cull_ctx *ctx, const cull_model_spec *spec, uint32_t what,
                              cull_subject *subject) CULL_MUST_CHECK;
void cull_subject_close(cull_subject *subject);
// What the backend notes of the checkpoint: whatever it leaves out. They live as the subject does.
size_t cull_subject_notes(const cull_subject *subject, const char *const **texts);
// Say them in the log, a warning each.
void cull_subject_warn(const cull_subject *subject);

#endif
