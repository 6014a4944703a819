// Lowest: the experts with the lowest scores go, by any action.
#include <cull/cull.h>

#include "common/prune/lowest.h"

struct settings {
    int64_t action, groups;
};

enum { GROUPS_ANY, GROUPS_EQUAL };
static const char *const group_words[] = { "any", "equal", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, action, REMOVAL_DROP, removal_words, REMOVAL_DOC),
    CULL_P_CHOICE(
        struct settings, groups, GROUPS_ANY, group_words,
        "equal: where the router limits a token to groups of experts (DeepSeek), every group "
        "loses the same number, as its checkpoints need; takes allocation layer or like"),
};

static enum removal removal_of(const void *settings)
{
    return (enum removal)((const struct settings *)settings)->action;
}

// How many experts first … first + n − 1 that stand go before expert e.
static size_t rank_among(const cull_view *view, size_t l, const double *score, size_t first,
                         size_t n, size_t e)
{
    size_t rank = 0;

    for (size_t c = first; c < first + n; c++)
        rank += expert_stands(view->before, l, c) &&
                (score[c] < score[e] || (score[c] == score[e] && c < e));
    return rank;
}

// Scores under which a layer's groups take turns: the lowest of each group first, then the second
// of each, …
static cull_status turns_of_groups(cull_ctx *ctx, const cull_view *view, const cull_scores *scores,
                                   cull_scores *out)
{
    const size_t L = view->model->L;
    double **turn = (double **)ctx->host->scratch(ctx, L, sizeof *turn);

    if (!turn)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t E = cull_view_layer(view, l)->E;
        const size_t n =
            cull_view_layer(view, l)->n_group > 1 ? E / cull_view_layer(view, l)->n_group : E;

        turn[l] = (double *)ctx->host->scratch(ctx, E + 1, sizeof **turn);
        if (!turn[l])
            return CULL_ENOMEM;
        for (size_t e = 0; e < E; e++)
            turn[l][e] = (double)rank_among(view, l, scores->expert[l], e / n * n, n, e) +
                         (double)rank_among(view, l, scores->expert[l], 0, E, e) / (double)E;
    }
    *out = *scores;
    out->expert = turn;
    return CULL_OK;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    cull_scores turns;

    (void)layer;
    if (((const struct settings *)settings)->groups == GROUPS_EQUAL) {
        if (budget->scope == CULL_SCOPE_GLOBAL)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "groups: equal needs a count for each layer, and allocation "
                                   "global gives none");
        const cull_status status = turns_of_groups(ctx, view, scores, &turns);
        if (status != CULL_OK)
            return status;
        scores = &turns;
    }
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
    .needs = CULL_STAT_OUTPUT_MOMENTS,
    .needs_for = needs_for,
    .emits_for = emits_for,
    .select = select_experts,
};

CULL_PLUGIN(
    STRATEGY, lowest, "1.0",
    "the experts with the lowest scores go: dropped, zeroed or made novices",
    .doc =
        "Ranks experts by any criterion's scores and lets the lowest go, as many as the budget "
        "says: the same share of every layer (allocation layer), the lowest of the whole model "
        "(global; no layer falls below the experts that a token needs, unless the action leaves "
        "the router alone), or the counts that another method arrived at (like). Ties go to the "
        "lower layer and index.\n"
        "\n"
        "What `goes` means is the action's: drop masks the expert inside the router's own rule, "
        "so that the next best is chosen and gates are renormalised as the model does; zero, "
        "novice and novice-gw leave the routing as it is and put 0, the mean output over routed "
        "tokens, or sum(g^2 y) / sum(g^2) in the expert's place. An expert without tokens becomes "
        "a zero novice.\n"
        "\n"
        "Cost: a sort. Novices take statistic output-moments.\n"
        "\n"
        "Departures: no peer separates criterion, allocation and action; cuts by `score <= "
        "threshold` take more than was asked for on ties, and exact counts never do.",
    .cite = "The common step of frequency, EAN, REAP, EASY-EP and Unified pruning; novices: Zhang "
            "et al., MoNE (arXiv 2507.00390), section 3; the gate-weighted novice is ours.",
    CULL_SETTINGS(params, struct settings));
