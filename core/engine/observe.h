// Calibration's statistics of one layer (cull/stats.h), gathered while it is visited.
//
// Everything is summed per slice of the sequences, row by row in their order, and merged in the
// slices' tree (slices.h); Hessians are summed over all rows in order (hessian.h). Extremes and
// what is kept per token need no order. finish() turns sums into what cull_layer_stats promises.
#ifndef CULL_ENGINE_OBSERVE_H
#define CULL_ENGINE_OBSERVE_H

#include "engine/column_sums.h"
#include "engine/hessian.h"
#include "engine/visit.h"

// Sums over columns: of an expert's outputs y, of its inputs x, of its channels u (the inputs of
// down).
typedef enum cull_expert_columns {
    CULL_Y_MOMENTS,
    CULL_X_SQUARES,
    CULL_U_SQUARES,
    CULL_U_SPREAD,
    CULL_X_GATED,
    CULL_U_GATED,
    CULL_U_PEAKS,
    CULL_N_EXPERT_COLUMNS,
} cull_expert_columns;

typedef struct cull_expert_sums {                   // of one expert
    cull_slice_sum head;                            // counts, gates and norms; then the observers'
    cull_column_sums column[CULL_N_EXPERT_COLUMNS]; // those that are wanted
} cull_expert_sums;

typedef struct cull_stats_pass {
    cull_run *run;
    const cull_calibration *cal;
    cull_stats_store *store;
    uint32_t groups;
    size_t first_slice, end_slice; // that are summed here
    uint64_t n_tokens, n_dense;    // rows, and those of the subsample, of the shared slices
    const uint8_t *slice;          // (all rows of the pass) each row's
    size_t l, E, K, D, F;          // of the layer in hand
    cull_layer_stats *stats;       // its place in the store
    cull_expert_sums *expert;      // (E)
    cull_hessian *hessian;         // (E, 2) of x and u
    double *x_hessian, *u_hessian; // their sums: (E, D, D), (E, F, F)
    size_t first_own, end_own;     // the experts whose Hessians are summed here
    cull_slice_sum tokens;         // COACTIVATION, EASY_EP, PROB_NORM; then the observers'
    size_t n_chunks;
    cull_slice_sum *chunk;                   // probabilities and LOGIT_GRAM, for a few experts each
    cull_slice_sum turn;                     // LAYER_COSINES of the sub-layer
    cull_column_sums part[CULL_N_PARTS];     // inputs of other parts
    cull_column_sums side[CULL_N_SIDE_SUMS]; // channels of the shared or dense part
    cull_column_sums *dense_mean;            // DENSE_MEAN: (E) (dense_sample.c)
    cull_column_sums *dense_gated;           // DENSE_GATED: (E)
    cull_slice_sum pairs;                    // LAYER_COSINES of its states with earlier ones
    size_t n_ratios, ratio_room;
    float *ratio; // GATE_RATIO of the layer in hand
} cull_stats_pass;

cull_status cull_stats_pass_begin(cull_stats_pass *g, size_t l,
                                  cull_layer_hooks *hooks) CULL_MUST_CHECK;
// Where other processes own other slices: the sums of the layer, and of its pairs, become those of
// all slices in the process that completes them, the owner of the first one; those of Hessians
// where their experts are decided about.
bool cull_stats_pass_completes(const cull_stats_pass *g);
cull_status cull_stats_pass_share(cull_stats_pass *g) CULL_MUST_CHECK;
cull_status cull_stats_pass_share_pairs(cull_stats_pass *g) CULL_MUST_CHECK;
cull_status cull_stats_pass_finish(cull_stats_pass *g) CULL_MUST_CHECK; // where it completes
// What finish left becomes known to all that decide.
cull_status cull_stats_pass_tell(cull_stats_pass *g) CULL_MUST_CHECK;
cull_status cull_stats_pass_finish_hessians(cull_stats_pass *g) CULL_MUST_CHECK; // everywhere
void cull_stats_pass_leave(cull_stats_pass *g); // the layer's sums, Hessians, sample go
void cull_stats_pass_release(cull_stats_pass *g);

// cos of two rows of n, in float64; 0 where one of them is 0.
double cull_cosine(const float *a, const float *b, size_t n);

#endif
