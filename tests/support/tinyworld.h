// A view of an embedded model for tests of criteria and strategies: shapes, weights, and the
// statistics routing and input-squares that stand in its golden files (or others that a test puts
// into `layer_stats`).
#ifndef CULL_TESTS_TINYWORLD_H
#define CULL_TESTS_TINYWORLD_H

#include "support/golden.h"

enum { TINYWORLD_L = 4, TINYWORLD_D = 128 };

typedef struct tinyworld {
    fake_host *host;
    const char *name; // "tinyworld-mixtral"
    golden *model;    // the checkpoint
    golden *stats;    // tests/golden/methods/<name>/stats.safetensors
    cull_model_facts facts;
    cull_layer_facts layer[TINYWORLD_L];
    cull_layer_stats layer_stats[TINYWORLD_L];
    cull_stats all_stats;
    cull_view view; // no earlier stages; set view.before to have some
    // the stage's criterion, which answers the service "cull.weight-scores/1"
    const cull_criterion *criterion;
    const void *criterion_settings;
    const float **matrices; // those that were asked for, see tinyworld_matrix
} tinyworld;

tinyworld *tinyworld_open(fake_host *host, const char *name);
void tinyworld_close(tinyworld *world);
golden *tinyworld_golden(tinyworld *world, const char *file); // "weights"; the caller closes it

// A matrix of the model, as float32; lives until tinyworld_close.
const float *tinyworld_matrix(tinyworld *world, cull_matrix_id where, size_t *rows, size_t *cols);
cull_cut *tinyworld_cut(tinyworld *world); // empty
const char *tinyworld_w(cull_part part);   // how the golden files call a part: "w1", "w2", "w3"

#endif
