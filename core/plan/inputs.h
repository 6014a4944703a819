// What the plan needs of the world: models opened (their headers, not their weights), calibration
// rows, and the requests of the metrics.
//
// Invariants: everything a plugin made here lives in the context of its prepared model, until
// close. Rows are loaded once per model, calibration and data seed, requests once per model and
// metric.
#ifndef CULL_PLAN_INPUTS_H
#define CULL_PLAN_INPUTS_H

#include "engine/engine.h"
#include "plan/plan.h"

typedef struct cull_rows {
    size_t calibration; // of the experiment
    uint64_t seed;
    cull_sequences sequences;
    size_t tokens, dense_rows, dense_tokens; // in all; of the dense subsample
    size_t ids;                              // different ones
    cull_key key;                            // of the token ids
} cull_rows;

typedef struct cull_prepared_metric {
    cull_requests requests;      // as the metric has them
    const cull_request *request; // (n) as this Cull knows them
    size_t tokens, ids;          // fed, all requests together; different ones among them
    cull_key key;                // of the requests
} cull_prepared_metric;

typedef struct cull_prepared_model { // a model of the experiment
    const cull_model_spec *spec;
    cull_context context;
    cull_open_model opened;
    const cull_layer_facts *const *layer; // (L)
    uint8_t *frozen;                      // (n_layers of the experiment, L) 1: may not be cut
    const char *no_text; // why there is no tokenizer, in a sentence; NULL: there is
    bool sketched;       // nothing will run: without a tokenizer texts are guessed at by their size
    uint64_t memory;     // --memory, while rows and requests are read
    double read_peak;    // bytes of the program, at most, until they were
    cull_text text;
    size_t n_rows;
    cull_rows *rows;
    cull_prepared_metric *asked; // (n_metrics + n_fitness)
} cull_prepared_model;

typedef struct cull_inputs {
    const cull_spec *spec;
    cull_precision precision; // what `auto` came to, too
    size_t n;
    cull_prepared_model *at; // (n_models)
} cull_inputs;

// Opens the models, turns budgets into sparsities (meet.h) and fits the plan to their facts.
// CULL_EUSAGE: there are problems; another failure: a checkpoint cannot be used, which is a
// problem, too, so that all are told. Close in any case. what: 0, or CULL_OPEN_SHAPES where nothing
// will run.
cull_status cull_inputs_open(cull_ctx *ctx, cull_plan *plan, uint32_t what, cull_problems *problems,
                             cull_inputs *out) CULL_MUST_CHECK;

// Of an experiment that has other problems: which of its models cannot be opened? A problem each.
cull_status cull_inputs_try_models(cull_ctx *ctx, const cull_spec *spec, uint32_t what,
                                   cull_problems *problems) CULL_MUST_CHECK;

// Loads rows and prepares requests. What cannot be read is a problem at its place; the status is
// the first one's. memory: --memory, 0: none; of what takes more than that no more is read, which
// is a problem, too (CULL_EENV).
cull_status cull_inputs_load(cull_ctx *ctx, const cull_plan *plan, uint64_t memory,
                             cull_inputs *inputs, cull_problems *problems) CULL_MUST_CHECK;

void cull_inputs_close(cull_inputs *inputs);

// What the program holds by now is part of --memory: what is left of it may be taken from now on,
// 0: any amount. Where hardly anything is left (16 MB), a little (32 MB), so that what is needed
// can be said. Returns the bytes that it has.
double cull_hold_within(uint64_t memory);
// CULL_EENV, where the call failed because that was not enough; else its status.
cull_status cull_held_within(cull_ctx *ctx, uint64_t memory, cull_status status);

// The rows that a set is gathered on.
const cull_rows *cull_rows_of(const cull_prepared_model *prepared, const cull_calibration_set *set);
// (L) the layers that may not be cut, by one of the experiment's choices; CULL_NOT: its first.
const uint8_t *cull_frozen_of(const cull_prepared_model *prepared, size_t layers);

// One model, opened apart from any experiment (`what`: CULL_OPEN_*), in `prepared`.
cull_status cull_prepared_model_open(cull_ctx *ctx, const cull_model_spec *spec, uint32_t what,
                                     cull_prepared_model *prepared) CULL_MUST_CHECK;
void cull_prepared_model_close(cull_prepared_model *prepared);
// What the backend notes of the checkpoint: whatever it leaves out. They live as the prepared does.
size_t cull_prepared_model_notes(const cull_prepared_model *prepared, const char *const **texts);
// Say them in the log, a warning each.
void cull_prepared_model_warn(const cull_prepared_model *prepared);

#endif
