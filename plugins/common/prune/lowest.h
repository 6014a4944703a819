// The experts with the lowest scores go.
#ifndef COMMON_LOWEST_H
#define COMMON_LOWEST_H

#include <stdlib.h>

#include "common/prune/allowance.h"
#include "common/prune/removal.h"

struct ranked {
    double score;
    size_t layer, expert;
};

// Ascending by score; ties by the lower layer, then the lower index.
static inline int by_score(const void *a, const void *b)
{
    const struct ranked *x = (const struct ranked *)a, *y = (const struct ranked *)b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->expert > y->expert) - (x->expert < y->expert);
}

// The experts that go, lowest first: one ranking of all that still stand, of which each in turn
// goes while its layer and the whole allow it. score: [l] → (E); *out is in scratch.
static inline cull_status lowest_experts(cull_ctx *ctx, const cull_view *view, double *const *score,
                                         struct allowance *left, struct ranked **out, size_t *n)
{
    size_t all = 0, went = 0;

    for (size_t l = 0; l < view->model->L; l++)
        all += cull_view_layer(view, l)->E;
    struct ranked *ranking = (struct ranked *)ctx->host->scratch(ctx, all + 1, sizeof *ranking);
    if (!ranking)
        return CULL_ENOMEM;

    all = 0;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            if (expert_stands(view->before, l, e))
                ranking[all++] = (struct ranked){ score[l][e], l, e };
    qsort(ranking, all, sizeof *ranking, by_score);

    for (size_t i = 0; i < all; i++)
        if (allowance_take(left, ranking[i].layer))
            ranking[went++] = ranking[i];
    *out = ranking;
    *n = went;
    return CULL_OK;
}

static inline cull_status remove_lowest(cull_ctx *ctx, const cull_view *view,
                                        const cull_scores *scores, const cull_budget *budget,
                                        enum removal removal, cull_cut *cut)
{
    struct allowance left;
    struct ranked *go;
    size_t n = 0;
    cull_status status = allowance_of(ctx, view, budget, 0, &left);

    if (status == CULL_OK)
        status = lowest_experts(ctx, view, scores->expert, &left, &go, &n);
    for (size_t i = 0; i < n && status == CULL_OK; i++)
        status = remove_expert(ctx, view, go[i].layer, go[i].expert, removal, cut);
    return status;
}

#endif
