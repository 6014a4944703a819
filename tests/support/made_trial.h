// Trials that nobody ran, for tests of what is recorded and reported: a model of four layers (the
// first one dense, the last one narrower), a cut, statistics, and outcomes that the test chooses.
#ifndef CULL_TESTS_MADE_TRIAL_H
#define CULL_TESTS_MADE_TRIAL_H

#include "base/context.h"
#include "record/trial_file.h"

enum { MADE_L = 4, MADE_D = 8, MADE_E = 8 };

extern const size_t made_experts[MADE_L]; // 0, 8, 8, 6

typedef struct made_task { // outcomes of a task
    const char *task;
    size_t n;
    const uint8_t *acc; // (n), or NULL
    const double *nll;  // (n) windows with `tokens` targets each, or NULL
    size_t tokens;
    const char *const *cluster; // (n), or NULL
    const char *protocol;       // an attribute; NULL: none
} made_task;

typedef struct made_trial {
    cull_trial trial; // to be changed at will before it is written
    cull_model_facts model;
    cull_layer_facts facts[MADE_L];
    const cull_layer_facts *layer[MADE_L];
    cull_collector found;
    cull_evaluation evaluation;
    cull_expert_score score;
    cull_phase phase[2];
} made_trial;

// A trial of model "tiny" with everything filled in; ids follow from method, sparsity and seed.
// `removed` experts of each layer are dropped, the lowest scores first. Memory: the context's alloc
// arena; release the collector by made_free.
made_trial *made_new(cull_ctx *ctx, const char *method, double sparsity, uint64_t seed,
                     size_t removed);
void made_report(cull_ctx *ctx, made_trial *made, const made_task *task);
void made_free(made_trial *made);

#endif
