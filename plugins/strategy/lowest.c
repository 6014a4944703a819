// Lowest: the experts with the lowest scores go, by any action.
#include <cull/cull.h>

#include "common/lowest.h"

struct settings {
    int64_t action;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, action, REMOVAL_DROP, removal_words, REMOVAL_DOC),
};

static enum removal removal_of(const void *settings)
{
    return (enum removal)((const struct settings *)settings)->action;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    (void)layer;
    return remove_lowest(ctx, view, scores, budget, removal_of(settings), out);
}

static uint32_t needs_for(const void *settings)
{
    return removal_needs(removal_of(settings));
}
static uint32_t emits_for(const void *settings)
{
    return removal_emits(removal_of(settings));
}

static const cull_strategy lowest = {
    .size = sizeof lowest,
    .accepts = CULL_FORM_EXPERT,
    .emits = 1u << CULL_ACTION_DROP | 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_NOVICE,
    .needs = CULL_STAT_D,
    .needs_for = needs_for,
    .emits_for = emits_for,
    .select = select_experts,
};

CULL_PLUGIN(
    STRATEGY, lowest, "1.0",
    "the experts with the lowest scores go: dropped, zeroed or made novices",
    .doc =
        "Ranks experts by any criterion's scores and lets the lowest go, as many as the budget "
        "says: the "
        "same share of every layer (allocation layer), the lowest of the whole model (global; no "
        "layer "
        "falls below the experts that a token needs, unless the action leaves the router alone), "
        "or "
        "the counts that another method arrived at (like). Ties go to the lower layer and index.\n"
        "\n"
        "What `goes` means is the action's: drop masks the expert inside the router's own rule, so "
        "that "
        "the next best is chosen and gates are renormalised as the model does; zero, novice and "
        "novice-gw leave the routing as it is and put 0, the mean output over routed tokens, or "
        "sum(g^2 y) / sum(g^2) in the expert's place. An expert without tokens becomes a zero "
        "novice.\n"
        "\n"
        "Cost: a sort. Novices take statistic D.\n"
        "\n"
        "Departures: no peer separates criterion, allocation and action; cuts by `score <= "
        "threshold` "
        "take more than was asked for on ties, and exact counts never do.",
    .cite = "The common step of frequency, EAN, REAP, EASY-EP and Unified pruning; novices: Zhang "
            "et al., "
            "MoNE (arXiv 2507.00390), section 3; the gate-weighted novice is ours.",
    CULL_SETTINGS(params, struct settings));
