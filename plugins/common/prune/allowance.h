// What a budget lets a strategy take away, counted down as it does.
#ifndef COMMON_ALLOWANCE_H
#define COMMON_ALLOWANCE_H

#include <cull/strategy.h>

#include "common/prune/parts.h"

// Invariant: an expert of layer l may go while layer[l] > 0 and total > 0.
struct allowance {
    size_t *layer; // (L)
    size_t total;
};

static inline size_t standing_experts(const cull_view *view, size_t l)
{
    size_t n = 0;

    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
        n += expert_stands(view->before, l, e);
    return n;
}

// A layer gives up its share (SCOPE_LAYER), or anything (SCOPE_GLOBAL), but never falls below
// `least` or budget->least, and nothing when it is frozen.
static inline cull_status allowance_of(cull_ctx *ctx, const cull_view *view,
                                       const cull_budget *budget, size_t least,
                                       struct allowance *out)
{
    const size_t L = view->model->L;
    const bool by_layer = budget->scope == CULL_SCOPE_LAYER;

    out->total = by_layer ? SIZE_MAX : budget->total;
    out->layer = (size_t *)ctx->host->scratch(ctx, L, sizeof *out->layer);
    if (!out->layer)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t n = budget->frozen[l] ? 0 : standing_experts(view, l);
        const size_t keep = budget->least[l] > least ? budget->least[l] : least;
        const size_t most = n > keep ? n - keep : 0;
        out->layer[l] = by_layer && budget->remove[l] < most ? budget->remove[l] : most;
    }
    return CULL_OK;
}

// May one more expert of layer l go? If so, it is counted.
static inline bool allowance_take(struct allowance *left, size_t l)
{
    if (left->layer[l] == 0 || left->total == 0)
        return false;
    left->layer[l]--;
    if (left->total != SIZE_MAX)
        left->total--;
    return true;
}

#endif
