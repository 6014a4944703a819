// STUN's own clustering, "greedy but reject", and its search for a threshold.
//
// Pairs are met by ascending distance below a threshold tau. A pair joins its clusters when every
// member of one is nearer than tau to the pair's expert in the other, by distances that no earlier
// pair has used up; else the pair is rejected. This is not complete linkage: cross pairs that do
// not touch the two experts go unchecked.
#ifndef GREEDY_LATENT_REJECT_H
#define GREEDY_LATENT_REJECT_H

#include "common/prune/clusters.h"

// n clouds of experts, each with the most merges that it may make. out: (Σ experts).
struct rejection {
    size_t n;
    const struct cloud *cloud;
    const size_t *cap; // (n)
};

// The merges of all clouds under one threshold; *found gets their number.
cull_status reject_merges(cull_ctx *ctx, const struct rejection *, double tau, struct merge *out,
                          size_t *found);

// The smallest threshold that the authors' search meets (0.5, step 0.1 doubled until the direction
// flips, then halved) which gives `wanted` merges, or failing that the least number above; cutting
// them by height then leaves exactly `wanted`. Fewer come back, with a warning, when no threshold
// gives as many.
cull_status search_threshold(cull_ctx *ctx, const struct rejection *, size_t wanted,
                             struct merge *out, size_t *found);

#endif
