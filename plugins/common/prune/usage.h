// How much a router uses an expert: the measures of the field, all from statistic routing.
#ifndef COMMON_USAGE_H
#define COMMON_USAGE_H

#include "common/prune/score.h"

// X(name, word in settings)
#define USAGES(X)                                                                                  \
    X(COUNT, "count")                       /* n_e */                                              \
    X(GATE_SUM, "gate-sum")                 /* Σ g over routed tokens */                          \
    X(MEAN_GATE, "mean-gate")               /* Σ g / n_e */                                       \
    X(PROBABILITY, "probability")           /* Σ p / N over all tokens */                         \
    X(GATE_PROBABILITY, "gate-probability") /* Σ g / N */

enum usage {
#define USAGE_ENUM(name, word) USAGE_##name,
    USAGES(USAGE_ENUM)
#undef USAGE_ENUM
};

static inline double usage_of(enum usage usage, const cull_layer_stats *s, size_t e)
{
    switch (usage) {
    case USAGE_COUNT:
        return s->count[e];
    case USAGE_GATE_SUM:
        return s->gate_sum[e];
    case USAGE_MEAN_GATE:
        return mean_over(s->gate_sum[e], s->count[e]);
    case USAGE_PROBABILITY:
        return mean_over(s->prob_sum[e], (double)s->tokens);
    case USAGE_GATE_PROBABILITY:
        return mean_over(s->gate_sum[e], (double)s->tokens);
    }
    return 0.0;
}

#endif
