// Calibration's statistics of one layer, gathered while it is visited (reference: methods, section
// 1).
//
// Per expert: blocks of at most CULL_ROW_BLOCK rows have accumulators of their own, merged in order
// (Chan et al. for the moments). Per row: likewise. finish() turns sums into what cull_layer_stats
// promises.
#ifndef CULL_ENGINE_OBSERVE_H
#define CULL_ENGINE_OBSERVE_H

#include "engine/visit.h"

typedef struct cull_stats_pass {
    cull_run *run;
    const cull_calibration *cal;
    cull_stats_store *store;
    uint32_t groups;
    size_t l, E, K, D, F;          // of the layer in hand
    cull_layer_stats *stats;       // its place in the store
    double *x_hessian, *u_hessian; // I of the layer in hand: (E, D, D), (E, F, F)
    size_t n_ratios, ratio_room;
    float *ratio;        // R of the layer in hand
    size_t *observer_at; // (n_observers) their place in an item's accumulator
    size_t item_doubles;
} cull_stats_pass;

cull_status cull_stats_pass_begin(cull_stats_pass *g, size_t l,
                                  cull_layer_hooks *hooks) CULL_MUST_CHECK;
cull_status cull_stats_pass_finish(cull_stats_pass *g, uint64_t tokens) CULL_MUST_CHECK;
void cull_stats_pass_leave(cull_stats_pass *g); // I and J of the layer in hand go
void cull_stats_pass_release(cull_stats_pass *g);

// cos of two rows of n, in float64; 0 where one of them is 0.
double cull_cosine(const float *a, const float *b, size_t n);

#endif
