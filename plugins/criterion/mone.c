// MoNE: an expert is redundant when it is seldom used and its output hardly varies.
#include <cull/cull.h>

#include "common/prune/usage.h"
#include "common/prune/variance.h"

struct settings {
    int64_t factors, frequency;
};

enum { FACTORS_BOTH, FACTORS_VARIANCE, FACTORS_FREQUENCY };
static const char *const factor_words[] = { "both", "variance", "frequency", NULL };

enum { FREQUENCY_CODE, FREQUENCY_PAPER };
static const char *const frequency_words[] = { "code", "paper", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, factors, FACTORS_BOTH, factor_words,
                  "both: the product; or one factor alone"),
    CULL_P_CHOICE(struct settings, frequency, FREQUENCY_CODE, frequency_words,
                  "code: sum of gates over all tokens; paper: the mean gate when chosen"),
};

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    const struct settings *set = settings;
    const double frequency = usage_of(
        set->frequency == FREQUENCY_PAPER ? USAGE_MEAN_GATE : USAGE_GATE_PROBABILITY, s, e);

    switch (set->factors) {
    case FACTORS_VARIANCE:
        return output_deviation(s, e);
    case FACTORS_FREQUENCY:
        return frequency;
    default:
        return output_deviation(s, e) * frequency;
    }
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)layer;
    score_experts(view, formula, settings, out);
    return CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    switch (((const struct settings *)settings)->factors) {
    case FACTORS_VARIANCE:
        return CULL_STAT_OUTPUT_MOMENTS;
    case FACTORS_FREQUENCY:
        return CULL_STAT_ROUTING;
    default:
        return CULL_STAT_ROUTING | CULL_STAT_OUTPUT_MOMENTS;
    }
}

static const cull_criterion mone = {
    .size = sizeof mone,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_OUTPUT_MOMENTS,
    .needs_for = needs_for,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, mone, "1.0", "MoNE's score: output variance times access frequency",
    .doc =
        "phi = phi_var * phi_freq. phi_var = sqrt(sum over channels of Var(y_e)) over routed "
        "tokens, of outputs before their gate, divisor n_e - 1. phi_freq is the sum of gates over "
        "all N tokens as in the authors' code, or, with frequency: paper, over the n_e tokens "
        "that chose the expert, as in the paper's formula; the two differ by n_e / N and rank "
        "differently. The factors can be had alone, for the ablation.\n"
        "\n"
        "Cost: statistics routing and output-moments, 3 k D float64 operations per token.\n"
        "\n"
        "Departures from the authors' code: every token enters the variance (their first chunk "
        "never does), the constant 0.5 * 0.5 is left out since it cannot change a ranking, and an "
        "expert without tokens scores 0 instead of stopping the program with 0/0. What becomes of "
        "the experts that go is the strategy's affair: `mone` or `lowest` with any action, so "
        "that criterion and replacement are not confounded.",
    .cite = "Zhang, Han, Lou, Zhao, Zhang, You: MoNE: Replacing Redundant Experts with "
            "Lightweight Novices for Structured Pruning of MoE, section 3.\n"
            "@article{zhang2025mone,\n"
            "  title={{MoNE}: Replacing Redundant Experts with Lightweight Novices for Structured "
            "Pruning of {MoE}},\n"
            "  author={Zhang, Geng and Han, Yuxuan and Lou, Yuxuan and Zhao, Wangbo and Zhang, "
            "Yiqi and You, Yang},\n"
            "  journal={arXiv preprint arXiv:2507.00390}, year={2025}}",
    CULL_SETTINGS(params, struct settings));
