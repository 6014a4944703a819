// MoNE: the experts with the lowest scores become novices.
#include <cull/cull.h>

#include "common/prune/lowest.h"

struct settings {
    int64_t novice;
};

enum { NOVICE_MEAN, NOVICE_GATE_WEIGHTED };
static const char *const novice_words[] = { "mean", "gate-weighted", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, novice, NOVICE_MEAN, novice_words,
        "mean: of the outputs over routed tokens; gate-weighted: the constant that minimises the "
        "squared error under the gates"),
};

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    const bool weighted = ((const struct settings *)settings)->novice == NOVICE_GATE_WEIGHTED;

    (void)layer;
    return remove_lowest(ctx, view, scores, budget, weighted ? REMOVAL_NOVICE_GW : REMOVAL_NOVICE,
                         out);
}

static const cull_strategy mone = {
    .size = sizeof mone,
    .accepts = CULL_FORM_EXPERT,
    .emits = 1u << CULL_ACTION_NOVICE,
    .needs = CULL_STAT_OUTPUT_MOMENTS,
    .select = select_experts,
};

CULL_PLUGIN(
    STRATEGY, mone, "1.0", "the experts with the lowest scores become constants (novices)",
    .doc =
        "Strategy lowest with action novice, under its paper's name: an expert that goes stays in "
        "the router and is replaced by the mean of its outputs over the tokens routed to it, used "
        "as g * novice. Neither routing nor gates change; shared experts are left alone. With "
        "novice: gate-weighted the constant is sum(g^2 y) / sum(g^2), which minimises the squared "
        "error sum |g (y - v)|^2 over those tokens.\n"
        "\n"
        "Cost: statistic output-moments and a sort. A novice keeps D numbers of an expert's 3 D "
        "F.\n"
        "\n"
        "Departures from the authors' code: novices are installed under any criterion (ranking by "
        "their routing score installs none) and under any allocation, of which the paper uses "
        "`layer`; exactly as many experts go as the budget says, where a strict `>` on the "
        "threshold takes more on ties; constants are kept in float32.",
    .cite = "Zhang, Han, Lou, Zhao, Zhang, You: MoNE: Replacing Redundant Experts with "
            "Lightweight Novices for Structured Pruning of MoE, section 3.\n"
            "@article{zhang2025mone,\n"
            "  title={{MoNE}: Replacing Redundant Experts with Lightweight Novices for Structured "
            "Pruning of {MoE}},\n"
            "  author={Zhang, Geng and Han, Yuxuan and Lou, Yuxuan and Zhao, Wangbo and Zhang, "
            "Yiqi and You, Yang},\n"
            "  journal={arXiv preprint arXiv:2507.00390}, year={2025}}",
    CULL_SETTINGS(params, struct settings));
