// How much an expert matters to a merge: what makes it a dominant or a centroid, and its weight in
// the mean.
#ifndef MERGE_SALIENCY_H
#define MERGE_SALIENCY_H

#include "common/prune/usage.h"

// After the usages of a router (usage.h), what its experts' outputs say.
enum {
    SALIENCY_REAP = USAGE_GATE_PROBABILITY + 1, // Σ g ‖y‖ / n_e
    SALIENCY_REAM,                              // Σ p ‖p y‖ / n_e, p over all experts
};

static const char *const saliency_words[] = {
#define USAGE_WORD(name, word) word,
    USAGES(USAGE_WORD)
#undef USAGE_WORD
        "reap",
    "ream",
    NULL,
};

static inline uint32_t saliency_needs(int64_t of)
{
    switch (of) {
    case SALIENCY_REAP:
        return CULL_STAT_OUTPUT_NORM;
    case SALIENCY_REAM:
        return CULL_STAT_PROB_NORM;
    default:
        return 0;
    }
}

static inline double saliency_of(int64_t of, const cull_layer_stats *s, size_t e)
{
    switch (of) {
    case SALIENCY_REAP:
        return mean_over(s->gate_norm[e], s->count[e]);
    case SALIENCY_REAM:
        return mean_over(s->prob_norm[e], s->count[e]);
    default:
        return usage_of((enum usage)of, s, e);
    }
}

#endif
