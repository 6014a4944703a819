// What becomes of an expert that goes: dropped, zeroed, or replaced by a novice.
#ifndef COMMON_REMOVAL_H
#define COMMON_REMOVAL_H

#include <cull/strategy.h>

enum removal { REMOVAL_DROP, REMOVAL_ZERO, REMOVAL_NOVICE, REMOVAL_NOVICE_GW };
static const char *const removal_words[] = { "drop", "zero", "novice", "novice-gw", NULL };

#define REMOVAL_DOC                                                                                \
    "drop: masked inside the router's own rule; zero: still chosen, contributes nothing; novice: " \
    "still chosen, contributes its mean output; novice-gw: the constant that minimises the "       \
    "squared error under its gates"

static inline uint8_t removal_action(enum removal removal)
{
    switch (removal) {
    case REMOVAL_ZERO:
        return CULL_ACTION_ZERO;
    case REMOVAL_NOVICE:
    case REMOVAL_NOVICE_GW:
        return CULL_ACTION_NOVICE;
    default:
        return CULL_ACTION_DROP;
    }
}

static inline uint32_t removal_emits(enum removal removal)
{
    return 1u << removal_action(removal);
}

static inline uint32_t removal_needs(enum removal removal)
{
    return removal_action(removal) == CULL_ACTION_NOVICE ? CULL_STAT_OUTPUT_MOMENTS : 0;
}

// The novice of expert e: a mean of its outputs over the tokens routed to it, 0 without any.
static inline cull_status write_novice(cull_ctx *ctx, const cull_view *view, size_t l, size_t e,
                                       enum removal removal, cull_layer_cut *layer)
{
    const size_t D = view->model->D;
    const cull_layer_stats *s = cull_stats_layer(view->stats, l);
    const double *mean = (removal == REMOVAL_NOVICE_GW ? s->mean_gate : s->mean) + e * D;

    if (!layer->constant)
        layer->constant = (float *)ctx->host->alloc(ctx, layer->E * D, sizeof *layer->constant);
    if (!layer->constant)
        return CULL_ENOMEM;
    for (size_t d = 0; d < D; d++)
        layer->constant[e * D + d] = (float)mean[d];
    return CULL_OK;
}

// Expert e of layer l goes, and with it the slots that it serves for others.
static inline cull_status remove_expert(cull_ctx *ctx, const cull_view *view, size_t l, size_t e,
                                        enum removal removal, cull_cut *cut)
{
    cull_layer_cut *layer = cull_cut_layer(cut, l);

    for (size_t slot = 0; slot < layer->E; slot++) {
        const bool served = layer->action[slot] == CULL_ACTION_ALIAS && layer->target[slot] == e;
        if (slot != e && !served)
            continue;
        layer->action[slot] = removal_action(removal);
        layer->target[slot] = (uint32_t)slot;
        if (layer->action[slot] == CULL_ACTION_NOVICE) {
            const cull_status status = write_novice(ctx, view, l, slot, removal, layer);
            if (status != CULL_OK)
                return status;
        }
    }
    return CULL_OK;
}

#endif
