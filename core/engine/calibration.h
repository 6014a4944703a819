// One calibration under way: its rows in its variant of the model, layer by layer, what is gathered
// there, and where a stage decides layer by layer, the decision and the layer's second run.
//
// Several are taken through a layer one after the other while its weights are mapped:
// calibrate_pass.c.
#ifndef CULL_ENGINE_CALIBRATION_H
#define CULL_ENGINE_CALIBRATION_H

#include "engine/blocks.h"
#include "engine/dense_sample.h"

typedef struct cull_calibrating {
    cull_run *run;
    const cull_calibration *cal;
    cull_stats_pass stats_pass;
    cull_layer_hooks hooks, own; // own: the statistics', wrapped by `hooks`
    cull_sampler sampler;
    cull_dense_sample kept; // of the layer of the round that is decided about here
    size_t keeping;         // that layer
    cull_forest forest;
    size_t n_blocks;
    cull_block *block;
    const char *spill;    // the folder for states; NULL: memory
    cull_states h, next;  // (n_rows, D)
    cull_states before;   // (n_rows, D) h in the model as it was before the deciding stage
    float *target;        // (rows of the subsample, D) that model's routed output
    size_t n_target;      // rows of it so far
    cull_states *history; // K: [i] → (n_rows, D), the states h_0 … h_{L−1}
    uint8_t *chosen;      // (n_rows) 1: in the subsample
    uint32_t *group;      // (n_rows) ordinal of the sequence
    uint8_t *slice;       // (n_rows)
} cull_calibrating;

uint64_t cull_calibration_rows(const cull_calibration *cal);
uint64_t cull_calibration_bytes(const cull_open_model *m, const cull_calibration *cal);

// Embeds the rows. Whatever begin returns, end releases; end may come at any time.
cull_status cull_calibrating_begin(cull_calibrating *c, cull_run *run, const cull_calibration *cal,
                                   const cull_engine_options *options) CULL_MUST_CHECK;
// Layer l, which the run has entered; layers come in order.
cull_status cull_calibrating_layer(cull_calibrating *c, size_t l) CULL_MUST_CHECK;
void cull_calibrating_end(cull_calibrating *c);

#endif
