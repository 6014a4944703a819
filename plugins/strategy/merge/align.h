// Neuron alignment: which neuron of one expert plays the part of which of another.
#ifndef MERGE_ALIGN_H
#define MERGE_ALIGN_H

#include "common/prune/average.h"

// neuron: (F) gets, for every neuron of expert `reference`, the neuron of expert e that is matched
// to it: the one-to-one assignment with the largest Σ of inner products of gate rows, up rows and
// down columns.
cull_status align_neurons(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                          size_t e, size_t *neuron);

// The assignment row → column of least Σ cost; cost: (n, n), finite. O(n³).
cull_status assign(cull_ctx *ctx, size_t n, const float *cost, size_t *column);

#endif
