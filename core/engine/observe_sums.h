// The two halves of observe.c: what is seen of each expert's rows, and of each token's.
#ifndef CULL_ENGINE_OBSERVE_SUMS_H
#define CULL_ENGINE_OBSERVE_SUMS_H

#include "engine/observe.h"

// Watch the experts of the layer in hand. Returns the doubles of an item's accumulator, without the
// observers' (from g->observer_at on).
size_t cull_hook_experts(const cull_stats_pass *g, cull_layer_hooks *hooks);

// A layer's hooks `moe` (routing, and the observers' rows) and `after` (LAYER_COSINES: what the
// layer did to the stream).
cull_status cull_hook_rows(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                           const float *norm) CULL_MUST_CHECK;
cull_status cull_hook_cosines(void *arg, cull_run *run, size_t l,
                              const cull_lane *lane) CULL_MUST_CHECK;

// Blocks are merged in order: to[i] += from[i], and observer i's sums as it merges them.
void cull_sums_add(double *to, size_t n, const double *from);
void cull_merge_observer(const cull_stats_pass *g, size_t i, const double *acc);

#endif
