// Sparing: the lowest scores go, but no expert that serves more than its share of the tokens.
#include <cull/cull.h>

struct settings {
    double share;
};

static const cull_param params[] = {
    CULL_P_REAL(struct settings, share, 1.0, 0.0, 1.0,
                "experts that serve a larger part of the tokens stay, whatever their score"),
};

// What may still go: of each layer, and of all together.
struct room {
    size_t *layer; // (L)
    size_t total;
};

static size_t standing(const cull_layer_cut *layer)
{
    size_t n = 0;

    for (size_t e = 0; e < layer->E; e++)
        n += layer->action[e] == CULL_ACTION_BASE;
    return n;
}

static cull_status make_room(cull_ctx *ctx, const cull_view *view, const cull_budget *budget,
                             const cull_cut *cut, struct room *out)
{
    const bool by_layer = budget->scope == CULL_SCOPE_LAYER;

    out->total = by_layer ? SIZE_MAX : budget->total;
    out->layer = ctx->host->scratch(ctx, view->model->L, sizeof *out->layer);
    if (!out->layer)
        return CULL_ENOMEM; // the host has said so
    for (size_t l = 0; l < view->model->L; l++) {
        const size_t n = budget->frozen[l] ? 0 : standing(cull_cut_layer(cut, l));
        const size_t most = n > budget->least[l] ? n - budget->least[l] : 0;
        out->layer[l] = by_layer && budget->remove[l] < most ? budget->remove[l] : most;
    }
    return CULL_OK;
}

// The expert that goes next: the lowest score, of equals the lower layer and index. false: none
// may.
static bool lowest(const struct settings *set, const cull_view *view, const cull_scores *scores,
                   const cull_cut *cut, const struct room *room, size_t *layer, size_t *expert)
{
    bool found = false;

    for (size_t l = 0; room->total > 0 && l < view->model->L; l++) {
        const cull_layer_stats *s = cull_stats_layer(view->stats, l);
        const cull_layer_cut *c = cull_cut_layer(cut, l);
        for (size_t e = 0; room->layer[l] > 0 && e < c->E; e++) {
            const bool stays = s->count[e] > set->share * (double)s->tokens;
            if (c->action[e] != CULL_ACTION_BASE || stays)
                continue;
            if (found && scores->expert[l][e] >= scores->expert[*layer][*expert])
                continue;
            *layer = l;
            *expert = e;
            found = true;
        }
    }
    return found;
}

static cull_status select(cull_ctx *ctx, const void *settings, const cull_view *view,
                          const cull_scores *scores, const cull_budget *budget, size_t layer,
                          cull_cut *out)
{
    struct room room;
    size_t l, e;
    const cull_status status = make_room(ctx, view, budget, out, &room);

    (void)layer; // one call for all layers
    if (status != CULL_OK)
        return status;
    while (lowest(settings, view, scores, out, &room, &l, &e)) {
        cull_cut_layer(out, l)->action[e] = CULL_ACTION_DROP;
        room.layer[l]--;
        room.total--;
    }
    return CULL_OK;
}

static const cull_strategy sparing = {
    .size = sizeof sparing,
    .accepts = CULL_FORM_EXPERT,
    .emits = 1u << CULL_ACTION_DROP,
    .needs = CULL_STAT_ROUTING,
    .select = select,
};

CULL_PLUGIN(STRATEGY, sparing, "1.0", "drops the lowest experts, but none that is much used",
            .doc =
                "Experts go from the lowest score up while the budget lasts; one that serves more "
                "than `share` of the tokens is passed over, so that a cut may take less than its "
                "budget, which the log says. Cost: statistic routing; E^2 comparisons a layer.",
            .cite = "A template.", CULL_SETTINGS(params, struct settings));
