// Variance: an expert whose output hardly varies can be replaced by a constant.
#include <cull/cull.h>

#include "common/prune/score.h"
#include "common/prune/variance.h"

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    (void)settings;
    return output_deviation(s, e);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)layer;
    score_experts(view, formula, settings, out);
    return CULL_OK;
}

static const cull_criterion variance = {
    .size = sizeof variance,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_OUTPUT_MOMENTS,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, variance, "1.0", "how much an expert's output varies over its tokens",
    .doc =
        "MoNE's phi_var = sqrt(sum over channels of Var(y_e)), over the tokens routed to e, of "
        "the expert's output before its gate, with divisor n_e - 1.\n"
        "\n"
        "Cost: statistic output-moments, 3 k D float64 operations per token.\n"
        "\n"
        "Departures from the authors' code: every token enters the moments (their first chunk of "
        "tokens never enters an expert's variance, and divisors mix n + b with n + b - 1); the "
        "root of the summed variance is the score, as in their fused criterion, where their "
        "output_fluctuation takes the l2 norm of the variances. An expert with fewer than two "
        "tokens scores 0.",
    .cite = "Zhang, Han, Lou, Zhao, Zhang, You: MoNE: Replacing Redundant Experts with "
            "Lightweight Novices for Structured Pruning of MoE, section 3.\n"
            "@article{zhang2025mone,\n"
            "  title={{MoNE}: Replacing Redundant Experts with Lightweight Novices for Structured "
            "Pruning of {MoE}},\n"
            "  author={Zhang, Geng and Han, Yuxuan and Lou, Yuxuan and Zhao, Wangbo and Zhang, "
            "Yiqi and You, Yang},\n"
            "  journal={arXiv preprint arXiv:2507.00390}, year={2025}}");
