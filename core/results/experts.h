// Scores and cuts per expert, and how far two of them agree.
#ifndef CULL_RESULTS_EXPERTS_H
#define CULL_RESULTS_EXPERTS_H

#include "base/context.h"

typedef struct cull_experts { // of one trial; layers without experts are left out
    size_t L, E;
    const int64_t *layer;  // (L) decoder indices
    const uint8_t *kept;   // (L, E) 1, 0, or 255 where there is no such expert
    const double *density; // (L, E) of the weights that masks leave, or NULL
    const char *criterion; // of the first scores; NULL: none
    const double *score;   // (L, E), NaN where there is no expert; or NULL
} cull_experts;

// L is 0 where the file has no experts. Alloc arena.
cull_status cull_experts_load(cull_ctx *ctx, const char *path, cull_experts *out) CULL_MUST_CHECK;

// Ranks of the scores within each layer, 0 the lowest, 1 the highest, ties share theirs; NaN stays.
void cull_rank_layers(size_t L, size_t E, const double *score, double *rank);

// Spearman's ρ of two criteria, mean over the layers; NaN where there is none.
double cull_rank_correlation(size_t L, size_t E, const double *rank_a, const double *rank_b);

// |A ∩ B| / |A ∪ B| of the experts that two cuts remove, mean over the layers in which either
// removes any, and what two sets of these sizes drawn blindly would have (hypergeometric).
typedef struct cull_overlap {
    double jaccard, chance;
} cull_overlap;
cull_overlap cull_removed_overlap(size_t L, size_t E, const uint8_t *kept_a, const uint8_t *kept_b);

#endif
