// A strategy that goes by experts, with a fault where it is told to have one.
#include <math.h>
#include <stdlib.h>

#include "fault.h"

struct settings {
    int64_t fault, layer, expert;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, fault, NONE, faults, "what it does wrong"),
    CULL_P_INT(struct settings, layer, 0, 0, 1000, "where"),
    CULL_P_INT(struct settings, expert, 0, 0, 1000, "at which expert"),
};

// Of every output row of the matrix the first inputs go.
static cull_status prune(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                         double sparsity, cull_cut *out)
{
    const float *w;
    size_t rows, cols;
    const cull_status status = view->weights(ctx, view, where, &w, &rows, &cols, NULL);

    if (status != CULL_OK)
        return status;
    const size_t stride = (cols + 7) / 8, gone = (size_t)((double)cols * sparsity);
    uint8_t *mask = ctx->host->overlay(ctx, out, where, CULL_MASK, rows, cols);
    for (size_t r = 0; mask && r < rows; r++)
        for (size_t c = gone; c < cols; c++)
            mask[r * stride + c / 8] |= (uint8_t)(1u << c % 8);
    return mask ? CULL_OK : CULL_ENOMEM;
}

static cull_status prune_expert(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                size_t layer, size_t e, double sparsity, cull_cut *out)
{
    const cull_layer_stats *stats = cull_stats_layer(view->stats, layer);
    const bool here = (size_t)set->layer == layer && (size_t)set->expert == e;
    cull_status status = CULL_OK;

    ctx->host->log(ctx, CULL_WARN, "layer %zu, expert %zu: %.0f tokens, %.6g", layer, e,
                   stats->count[e], stats->x_hessian[e * stats->D * stats->D]);
    if (here && set->fault == FAILS)
        return ctx->host->fail(ctx, CULL_ENUMERIC, "expert %zu will not be pruned", e);
    if (here && set->fault == CRASHES)
        abort();
    if (here && set->fault == MEDDLES)
        cull_cut_layer(out, layer)->action[(e + 8) % stats->E] = CULL_ACTION_DROP;
    for (cull_part part = 0; status == CULL_OK && part < CULL_N_PARTS; part++)
        if (part == CULL_PART_GATE || part == CULL_PART_UP || part == CULL_PART_DOWN)
            status = prune(ctx, view, cull_at_expert(layer, part, e), sparsity, out);
    if (status == CULL_OK && here && set->fault == NO_NUMBER)
        return rewrite(ctx, view, cull_at_expert(layer, CULL_PART_UP, e), NAN, out);
    return status;
}

static cull_status select_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    cull_status status = CULL_OK;

    (void)scores;
    for (size_t e = 0; status == CULL_OK && e < cull_view_layer(view, layer)->E; e++)
        if (cull_view_decides(view, e))
            status = prune_expert(ctx, settings, view, layer, e, budget->sparsity, out);
    return status;
}

static const cull_strategy portions = {
    .size = sizeof portions,
    .accepts = CULL_FORM_NONE,
    .emits = CULL_EMITS_MASK | CULL_EMITS_MATRIX,
    .needs = CULL_STAT_ROUTING | CULL_STAT_HESSIAN,
    .flags = CULL_BY_LAYER | CULL_BY_EXPERT,
    .select = select_layer,
};

CULL_PLUGIN(STRATEGY, portions, "1.0", "for tests", CULL_SETTINGS(params, struct settings));
