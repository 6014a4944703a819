// Clusters of every layer's experts within a budget: the frame that greedy-latent and merge share.
#ifndef COMMON_CLUSTERS_H
#define COMMON_CLUSTERS_H

#include "common/prune/linkage.h"

// How many clusters of more than one expert there will be, about, where E become `left`: at least
// one, and no more than stay or go.
static inline double merged_groups(size_t E, size_t left)
{
    const size_t most = left < E - left ? left : E - left;

    return (double)most / 2;
}

// The experts of one layer that a stage may cluster, with their distances.
struct cloud {
    size_t layer, n;
    size_t *expert; // (n) ascending
    double *d;      // (n, n)
};

// The experts of layer l that still stand, with their distances from the criterion.
static inline cull_status cloud_of(cull_ctx *ctx, const cull_view *view, const cull_scores *scores,
                                   size_t l, struct cloud *out)
{
    const size_t E = cull_view_layer(view, l)->E, n = standing_experts(view, l);

    *out = (struct cloud){ .layer = l };
    out->expert = (size_t *)ctx->host->scratch(ctx, n + 1, sizeof *out->expert);
    out->d = (double *)ctx->host->scratch(ctx, n * n + 1, sizeof *out->d);
    if (!out->expert || !out->d)
        return CULL_ENOMEM;
    for (size_t e = 0; e < E; e++)
        if (expert_stands(view->before, l, e))
            out->expert[out->n++] = e;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            out->d[i * n + j] = scores->pair[l][out->expert[i] * E + out->expert[j]];
    return CULL_OK;
}

// label[l] (E): every expert a cluster of its own.
static inline cull_status singletons(cull_ctx *ctx, const cull_view *view, size_t ***label)
{
    const size_t L = view->model->L;

    *label = (size_t **)ctx->host->scratch(ctx, L, sizeof **label);
    for (size_t l = 0; *label && l < L; l++) {
        (*label)[l] =
            (size_t *)ctx->host->scratch(ctx, cull_view_layer(view, l)->E + 1, sizeof ***label);
        if (!(*label)[l])
            return CULL_ENOMEM;
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            (*label)[l][e] = e;
    }
    return *label ? CULL_OK : CULL_ENOMEM;
}

// Room for the merges of all layers.
static inline cull_status room_for_merges(cull_ctx *ctx, const cull_view *view, struct merge **out)
{
    size_t n = 1;

    for (size_t l = 0; l < view->model->L; l++)
        n += cull_view_layer(view, l)->E;
    *out = (struct merge *)ctx->host->scratch(ctx, n, sizeof **out);
    return *out ? CULL_OK : CULL_ENOMEM;
}

// Name a layer's merges, found among the points of a cloud, by its experts.
static inline void name_merges(const struct cloud *cloud, size_t n, struct merge *merges)
{
    for (size_t i = 0; i < n; i++) {
        merges[i].layer = cloud->layer;
        merges[i].a = cloud->expert[merges[i].a];
        merges[i].b = cloud->expert[merges[i].b];
    }
}

// Cluster every layer by `linkage` and cut where the allowance ends. label: as singletons gives it.
static inline cull_status link_layers(cull_ctx *ctx, const cull_view *view,
                                      const cull_scores *scores, enum linkage linkage,
                                      struct allowance *left, size_t **label)
{
    struct merge *merges;
    size_t n = 0;
    cull_status status = room_for_merges(ctx, view, &merges);

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        struct cloud cloud;

        if (left->layer[l] == 0)
            continue;
        status = cloud_of(ctx, view, scores, l, &cloud);
        if (status != CULL_OK)
            return status;
        size_t *size = (size_t *)ctx->host->scratch(ctx, cloud.n + 1, sizeof *size);
        if (!size)
            return CULL_ENOMEM;
        const size_t found = agglomerate(linkage, cloud.n, cloud.d, size, merges + n);
        name_merges(&cloud, found, merges + n);
        n += found;
        ctx->host->rewind(ctx, mark);
    }
    if (status == CULL_OK)
        cut_dendrograms(n, merges, view, left, label);
    return status;
}

// The members of cluster `name` of layer l among the experts that still stand; returns their
// number.
static inline size_t members_of(const cull_view *view, size_t l, const size_t *label, size_t name,
                                size_t *out)
{
    size_t n = 0;

    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
        if (label[e] == name && expert_stands(view->before, l, e))
            out[n++] = e;
    return n;
}

#endif
