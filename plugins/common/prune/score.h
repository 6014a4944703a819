// One number per expert, by a formula on the statistics of its layer.
#ifndef COMMON_SCORE_H
#define COMMON_SCORE_H

#include <cull/criterion.h>

// The score of expert e from its layer's statistics.
typedef double (*expert_formula)(const void *settings, const cull_layer_stats *s, size_t e);

static inline void score_experts(const cull_view *view, expert_formula formula,
                                 const void *settings, cull_scores *out)
{
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            out->expert[l][e] = formula(settings, cull_stats_layer(view->stats, l), e);
}

// A mean over `n` tokens; 0 where there are none.
static inline double mean_over(double sum, double n)
{
    return n > 0.0 ? sum / n : 0.0;
}

#endif
