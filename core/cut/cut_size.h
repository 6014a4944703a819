// How much of a model a cut leaves: the same yardstick for every method.
//
// An expert that is dropped, zeroed or served by another counts as gone, one that a novice replaces
// leaves the novice's D numbers; rewritten weights are kept, masked ones and channels with their
// biases are gone, an output bias leaves its D numbers. Of channels only those of equal widths
// count as not running: zeros in their place do. All counts are parameters.
#ifndef CULL_CUT_CUT_SIZE_H
#define CULL_CUT_CUT_SIZE_H

#include <cull/stats.h>

#include "base/context.h"
#include "plugin/open_model.h"

typedef struct cull_cut_size {
    double expert_total, expert_kept; // routed experts of all layers
    double free_total, free_kept;     // of the layers that may be cut
    double weights_found;       // of matrices of the experts that stay, in layers that stay and may
                                // be cut
    double weights_kept;        // of those, what no mask zeroes
    double weight_rows;         // rows of those matrices
    double all_total, all_kept; // the model
    double active_total, active_kept; // run for a token, on average
    size_t *gone;                     // (L) experts that no longer stand for themselves
    size_t *picks;                    // (L) experts that serve a token, at most
    double *layer_kept;               // (L) parameters of its routed experts
    double *side_total, *side_kept;   // (L) of the shared or dense part's channels
    uint8_t *passed;                  // (L) 1: the layer, or its MoE sub-layer, is passed over
    size_t layers_gone;               // those
    bool exportable;                  // as a checkpoint of the same architecture
} cull_cut_size;

// How often the experts are chosen: statistic routing, or NULL, when all are chosen alike.
typedef struct cull_routing_counts {
    const cull_stats *stats;
    bool of_variant; // gathered on the cut model itself, so that the counts are what really runs
} cull_routing_counts;

// `cut` NULL is the dense model. frozen: (L), 1 where nothing may be cut. The arrays are alloc
// memory.
cull_status cull_cut_size_of(cull_ctx *ctx, const cull_open_model *model, const cull_cut *cut,
                             const uint8_t *frozen, cull_routing_counts usage,
                             cull_cut_size *out) CULL_MUST_CHECK;

// Channels that a module keeps, given its matrix down.
size_t cull_kept_channels(const cull_cut *cut, cull_matrix_id down, size_t F);

// Weights of matrix `where` that the cut's overlays leave, of rows × cols.
uint64_t cull_kept_weights(const cull_cut *cut, cull_matrix_id where, size_t rows, size_t cols);

#endif
