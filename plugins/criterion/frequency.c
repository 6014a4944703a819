// Frequency: keep the experts that the router uses most.
#include <cull/cull.h>

#include "common/prune/usage.h"

struct settings {
    int64_t of;
};

static const char *const usages[] = {
#define USAGE_WORD(name, word) word,
    USAGES(USAGE_WORD)
#undef USAGE_WORD
        NULL,
};

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, of, USAGE_COUNT, usages,
        "count: tokens routed to the expert; gate-sum: the sum of its gates (RS); mean-gate: that "
        "over the count; probability: the router's mean probability over all tokens, chosen or "
        "not; gate-probability: the sum of gates over all tokens"),
};

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    return usage_of((enum usage)((const struct settings *)settings)->of, s, e);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)layer;
    score_experts(view, formula, settings, out);
    return CULL_OK;
}

static const cull_criterion frequency = {
    .size = sizeof frequency,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, frequency, "1.0", "how often, or how strongly, the router picks an expert",
    .doc =
        "Scores expert e by n_e, the number of calibration tokens that are routed to it. The "
        "other settings of `of` are the variants of the field on the same statistic: gate-sum is "
        "the routing score RS = sum of g over routed tokens, mean-gate is RS / n_e (Unified's "
        "score for DeepSeek), probability is the mean of p over all tokens, chosen or not "
        "(Unified's score for Mixtral and Qwen), gate-probability is RS / N (MoNE's frequency).\n"
        "\n"
        "Cost: statistic routing, a few additions per routed token.\n"
        "\n"
        "Departures: g is the coefficient that the model really multiplies an output by, after "
        "renormalisation and scaling, where peers take the softmax over raw logits. An expert "
        "without tokens scores 0 (with `probability`, its mean probability); among equals the "
        "lower index goes first.",
    .cite = "He, Dong, Ding, Li: Towards Efficient Mixture of Experts: A Holistic Study of "
            "Compression Techniques (Unified), section 4, expert drop. RS: the baseline of MoNE, "
            "section 4.\n"
            "@article{he2024unified,\n"
            "  title={Towards Efficient Mixture of Experts: A Holistic Study of Compression "
            "Techniques},\n"
            "  author={He, Shwai and Dong, Daize and Ding, Liang and Li, Ang},\n"
            "  journal={arXiv preprint arXiv:2406.02500}, year={2024}}",
    CULL_SETTINGS(params, struct settings));
