// A strategy whose layers stand apart, with a fault where it is told to have one.
#include <math.h>
#include <stdlib.h>

#include "fault.h"

struct settings {
    int64_t fault, layer;
    bool channels, hessians;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, fault, NONE, faults, "what it does wrong"),
    CULL_P_INT(struct settings, layer, 0, 0, 1000, "where"),
    CULL_P_BOOL(struct settings, channels, false,
                "go by channels, and by statistics that only rank 0 has"),
    CULL_P_BOOL(struct settings, hessians, false, "likewise by Hessians"),
};

// Of an expert: its inputs' squares, or over the sample its channels or its logits.
static double total(const struct settings *set, const cull_layer_stats *stats, size_t e)
{
    const cull_dense_sample *sample = stats->dense;
    const size_t width = set->channels ? stats->F : 1, D = stats->D;
    double sum = 0;

    for (size_t d = 0; set->hessians && d < D; d++)
        sum += stats->x_hessian[(e * D + d) * D + d];
    if (set->hessians)
        return sum;
    const float *from = set->channels ? sample->channels : sample->logits;
    for (size_t t = 0; t < sample->N; t++)
        for (size_t c = 0; c < width; c++)
            sum += (double)from[(t * stats->E + e) * width + c];
    return sum;
}

// The expert of the largest total goes first.
static void drop(const struct settings *set, const cull_layer_stats *stats, size_t remove,
                 cull_layer_cut *layer)
{
    for (size_t n = 0; n < remove; n++) {
        double largest = -INFINITY;
        size_t gone = 0;
        for (size_t e = 0; e < stats->E; e++) {
            const double sum = total(set, stats, e);
            if (layer->action[e] == CULL_ACTION_BASE && sum > largest) {
                largest = sum;
                gone = e;
            }
        }
        layer->action[gone] = CULL_ACTION_DROP;
    }
}

static cull_status select_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    const struct settings *set = settings;
    const cull_layer_stats *stats = cull_stats_layer(view->stats, layer);
    const int64_t fault = (size_t)set->layer == layer ? set->fault : NONE;

    (void)scores;
    if (!set->channels && !set->hessians)
        ctx->host->log(ctx, CULL_WARN, "layer %zu: %zu tokens of %.0f, %.6g, last of sequence %u",
                       layer, stats->dense->N, stats->count[0], (double)stats->dense->gram[0],
                       stats->dense->group[stats->dense->N - 1]);
    if (fault == FAILS)
        return ctx->host->fail(ctx, CULL_ENUMERIC, "layer %zu will not be pruned", layer);
    if (fault == CRASHES)
        abort();
    drop(set, stats, budget->remove[layer], cull_cut_layer(out, layer));
    if (fault == MEDDLES)
        return rewrite(ctx, view, cull_at_expert(layer + 1, CULL_PART_UP, 0), 1, out);
    return fault == NO_NUMBER ? rewrite(ctx, view, cull_at_expert(layer, CULL_PART_UP, 0), NAN, out)
                              : CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;

    return CULL_STAT_ROUTING | (set->channels   ? CULL_STAT_DENSE_CHANNELS | CULL_STAT_INPUT_SQUARES
                                : set->hessians ? CULL_STAT_HESSIAN | CULL_STAT_INPUT_SQUARES
                                                : CULL_STAT_DENSE_SAMPLE);
}

static const cull_strategy rounds = {
    .size = sizeof rounds,
    .accepts = CULL_FORM_NONE,
    .emits = 1 << CULL_ACTION_DROP | CULL_EMITS_MATRIX,
    .needs = CULL_STAT_ROUTING | CULL_STAT_DENSE_SAMPLE,
    .flags = CULL_BY_LAYER | CULL_LAYERS_APART,
    .needs_for = needs_for,
    .select = select_layer,
};

CULL_PLUGIN(STRATEGY, rounds, "1.0", "for tests", CULL_SETTINGS(params, struct settings));
