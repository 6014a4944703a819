// Neuron alignment: which neuron of one expert plays the part of which of another.
#ifndef MERGE_ALIGN_H
#define MERGE_ALIGN_H

#include "common/prune/average.h"

enum alignment {
    ALIGN_NONE,
    ALIGN_WEIGHTS,     // least distance of the neurons' weights, by their principal components
    ALIGN_ACTIVATIONS, // least distance of what the neurons yield on the same tokens
    ALIGN_BOTH,        // least sum of the two (REAM)
    ALIGN_PRODUCTS,    // largest inner products of gate rows, up rows and down columns (M-SMoE)
};

// The widest experts that are aligned: the assignment takes up to F³ steps and F² doubles.
enum { ALIGN_WIDEST = 8192 };

// neuron: (F) gets, for every neuron of expert `reference`, the neuron of expert e that is matched
// to it: the one-to-one assignment of least Σ of neuron_distances, or with ALIGN_PRODUCTS of
// largest Σ of inner products.
cull_status align_neurons(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                          size_t e, enum alignment how, size_t *neuron);

// cost (F, F), zero to begin with, gets the distances of every neuron of expert `reference` from
// every one of expert e (match.c).
cull_status neuron_distances(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                             size_t e, enum alignment how, double *cost);

// The assignment row → column of least Σ cost; cost: (n, n), finite. O(n³).
cull_status assign(cull_ctx *ctx, size_t n, const double *cost, size_t *column);

#endif
