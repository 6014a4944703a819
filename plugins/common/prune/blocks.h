// Layers as units: how far runs of them turn the residual stream (statistic layer-cosines), and
// which the budget takes.
#ifndef COMMON_BLOCKS_H
#define COMMON_BLOCKS_H

#include <cull/strategy.h>

enum measure { MEASURE_COSINE, MEASURE_ANGLE };
#define MEASURE_WORDS "cosine", "angle", NULL

// How far layers i … j − 1 together turn the residual stream: 1 − the mean of cos(h_i, h_j), or the
// mean of their angle over π; i < j ≤ L.
static inline double block_distance(const cull_stats *s, size_t i, size_t j, enum measure measure)
{
    const size_t at = i * (s->L + 1) + j;
    const double n = (double)s->tokens;

    return measure == MEASURE_ANGLE ? s->angle_sum[at] / n : 1.0 - s->cos_sum[at] / n;
}

// May layer l go? Not when it is frozen, has gone, or, if only its MoE sub-layer is to go, has
// none.
static inline bool layer_may_go(const cull_view *view, const cull_budget *budget, size_t l,
                                bool moe_only)
{
    const cull_layer_cut *before = view->before ? cull_cut_layer(view->before, l) : NULL;

    if (budget->frozen[l] || (before && before->skip_layer))
        return false;
    return !moe_only || (cull_view_layer(view, l)->E > 0 && !(before && before->skip_moe));
}

// How many layers the budget takes; with a share for each layer, the number of those that lose
// theirs.
static inline size_t layers_to_go(const cull_view *view, const cull_budget *budget)
{
    size_t n = 0;

    if (budget->scope == CULL_SCOPE_GLOBAL)
        return budget->total;
    for (size_t l = 0; l < view->model->L; l++)
        n += budget->remove[l] > 0;
    return n;
}

// go[l] becomes true for the layers with the lowest scores (L), ties to the lower, as the budget
// says.
static inline void lowest_layers(const cull_view *view, const cull_budget *budget,
                                 const double *score, bool moe_only, bool *go)
{
    const bool by_layer = budget->scope == CULL_SCOPE_LAYER;

    for (size_t left = layers_to_go(view, budget); left > 0; left--) {
        size_t lowest = SIZE_MAX;

        for (size_t l = 0; l < view->model->L; l++)
            if (!go[l] && layer_may_go(view, budget, l, moe_only) &&
                !(by_layer && budget->remove[l] == 0) &&
                (lowest == SIZE_MAX || score[l] < score[lowest]))
                lowest = l;
        if (lowest == SIZE_MAX)
            return;
        go[lowest] = true;
    }
}

#endif
