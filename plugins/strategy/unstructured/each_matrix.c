// The matrices of a layer that the settings offer, one at a time, with the scores of their weights.
#include "unstructured.h"

#include "common/prune/parts.h"
#include "common/prune/stats.h"

static bool offered(const struct settings *set, const cull_layer_facts *layer, cull_part part)
{
    if (!part_present(layer, part))
        return false;
    switch (part_class(part)) {
    case PART_EXPERT:
        return layer->E > 0;
    case PART_ATTENTION:
        return set->attention;
    case PART_SHARED:
        return set->shared;
    case PART_DENSE:
        return set->dense;
    default:
        return false;
    }
}

typedef struct visitor {
    cull_ctx *ctx;
    const cull_view *view;
    const cull_weight_scores_ext *scores;
    cull_status (*fn)(void *arg, cull_ctx *, const scored *);
    void *arg;
} visitor;

static cull_status visit(const visitor *v, cull_matrix_id where)
{
    const cull_host *host = v->ctx->host;
    const cull_scratch_mark mark = host->mark(v->ctx);
    scored m = { .where = where };

    cull_status status = v->view->weights(v->ctx, v->view, where, &m.w, &m.rows, &m.cols, NULL);
    if (status == CULL_OK) {
        m.score = host->scratch(v->ctx, m.rows * m.cols, sizeof *m.score);
        status = m.score ? CULL_OK : CULL_ENOMEM;
    }
    if (status == CULL_OK)
        status = v->scores->of(v->ctx, v->view, where, m.rows, m.cols, m.w, m.score);
    if (status == CULL_OK)
        status = v->fn(v->arg, v->ctx, &m);
    host->rewind(v->ctx, mark);
    return status;
}

cull_status each_matrix(cull_ctx *ctx, const struct settings *set, const cull_view *view, size_t l,
                        bool routed, cull_status (*fn)(void *arg, cull_ctx *, const scored *),
                        void *arg)
{
    const cull_layer_facts *layer = cull_view_layer(view, l);
    const cull_layer_stats *stats = stats_of_layer(view, l);
    const double *count = stats ? stats->count : NULL;
    const visitor v = { ctx, view, ctx->host->extension(ctx, CULL_EXT_WEIGHT_SCORES), fn, arg };

    if (!v.scores)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "this host offers no scores of weights");

    for (cull_part part = 0; part < CULL_N_PARTS; part++) {
        if (!offered(set, layer, part))
            continue;
        if (part_class(part) != PART_EXPERT) {
            const cull_status status = visit(&v, cull_at(l, part));
            if (status != CULL_OK)
                return status;
            continue;
        }
        for (size_t e = 0; e < layer->E; e++) {
            if (!expert_stands(view->before, l, e) || (routed && count && count[e] <= 0))
                continue;
            const cull_status status = visit(&v, cull_at_expert(l, part, e));
            if (status != CULL_OK)
                return status;
        }
    }
    return CULL_OK;
}
