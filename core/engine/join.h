// Lanes of few rows that meet the same matrices before the router, as one lane.
//
// So a step of generation makes a weight ready once for all its variants, not once for each. A
// row's bits do not change: they do not depend on its company.
#ifndef CULL_ENGINE_JOIN_H
#define CULL_ENGINE_JOIN_H

#include "engine/visit.h"

// Of n lanes that attend by themselves, those to be attended instead: lanes of the list, and joined
// ones whose r, x, z and side those that they stand for look into. All are made, but for what
// attending fills in. In the coordinator's arena. [coordinator]
cull_status cull_join_lanes(cull_run *run, size_t l, size_t n, cull_lane *const *lane,
                            size_t *n_joined, cull_lane **joined) CULL_MUST_CHECK;

#endif
