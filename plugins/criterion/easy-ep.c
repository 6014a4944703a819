// EASY-EP: keep the experts that contribute most to the tokens that the layer changes most.
#include <cull/cull.h>

struct settings {
    bool normalise;
};

static const cull_param params[] = {
    CULL_P_BOOL(struct settings, normalise, false,
                "divide by the layer's sum, so that layers of different scale share one ranking"),
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const bool normalise = ((const struct settings *)settings)->normalise;

    (void)ctx, (void)layer;
    for (size_t l = 0; l < view->model->L; l++) {
        const double *contribution = cull_stats_layer(view->stats, l)->easy_ep; // (E)
        double sum = 0.0;

        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            sum += contribution[e];
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            out->expert[l][e] = normalise && sum > 0.0 ? contribution[e] / sum : contribution[e];
    }
    return CULL_OK;
}

static const cull_criterion easy_ep = {
    .size = sizeof easy_ep,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_EASY_EP,
    .score = score,
};

CULL_PLUGIN_NAMED(
    CRITERION, easy_ep, "easy-ep", "1.0",
    "an expert's contribution, weighted by what the layer changes",
    .doc =
        "Scores expert e by the sum over its tokens of s g N: N the norm of its output, g its "
        "gate, and s = max(0, 1 - cos(h, h + o)) the share in which the routed experts' output o "
        "turns the token's residual stream h. Shared experts take no part in o. With `normalise` "
        "each layer's scores are divided by their sum, as the authors do to mix domains and as a "
        "ranking over all layers (allocation global) may want.\n"
        "\n"
        "Cost: statistic easy-ep, k D + 3 D operations per token.\n"
        "\n"
        "Departures from the authors' code: each calibration token is counted once (their JSONL "
        "is appended to, so that a rerun counts double); dropped experts leave the router's own "
        "selection rule, where theirs remap in a patched server. Their calibration, the 25 "
        "longest demonstrations, is a matter of the experiment's data. An expert without tokens "
        "scores 0.",
    .cite =
        "Dong et al.: Domain-Specific Pruning of Large Mixture-of-Experts Models with Few-shot "
        "Demonstrations.\n"
        "@article{dong2025domain,\n"
        "  title={Domain-Specific Pruning of Large Mixture-of-Experts Models with Few-shot "
        "Demonstrations},\n"
        "  author={Dong, Zican and Peng, Han and Liu, Peiyu and Zhao, Wayne Xin and Wu, Dong and "
        "Xiao, Feng and Wang, Zhifeng},\n"
        "  journal={arXiv preprint arXiv:2504.06792}, year={2025}}",
    CULL_SETTINGS(params, struct settings));
