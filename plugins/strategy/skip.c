// Skip: a token leaves out further experts whose gates are small beside its first.
#include <cull/cull.h>

struct settings {
    double ratio, scale;
};

static const cull_param params[] = {
    CULL_P_REAL(
        struct settings, ratio, 0.0, 0.0, 1.0,
        "one threshold for all layers; 0: each layer's median of g2 / g1 over the calibration"),
    CULL_P_REAL(struct settings, scale, 1.0, 0.0, CULL_ANY_HI,
                "multiplies the medians: below 1 skips less, above 1 more"),
};

static cull_status select_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                               const cull_scores *scores, const cull_budget *budget, size_t layer,
                               cull_cut *out)
{
    const struct settings *set = settings;

    (void)ctx, (void)scores, (void)layer;
    for (size_t l = 0; l < view->model->L; l++) {
        if (cull_view_layer(view, l)->E == 0 || (budget && budget->frozen && budget->frozen[l]))
            continue;
        cull_cut_layer(out, l)->skip_ratio =
            set->ratio > 0.0 ? set->ratio
                             : set->scale * cull_stats_layer(view->stats, l)->ratio_median;
    }
    return CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    return ((const struct settings *)settings)->ratio > 0.0 ? 0 : CULL_STAT_GATE_RATIO;
}

static const cull_strategy skip = {
    .size = sizeof skip,
    .accepts = CULL_FORM_NONE,
    .emits = CULL_EMITS_RULE,
    .needs = CULL_STAT_GATE_RATIO,
    .flags = CULL_NO_BUDGET | CULL_COUNTED,
    .needs_for = needs_for,
    .select = select_rule,
};

CULL_PLUGIN(
    STRATEGY, skip, "1.0", "dynamic expert skipping: small second gates are left out",
    .doc =
        "NAEE's dynamic skipping. A layer's threshold beta is the median over calibration "
        "tokens of g2 / g1, the second gate over the first. At inference an expert of a "
        "token is left out when its gate is below beta times the first one's, and the "
        "rest is renormalised where the model does so. The median of the dense model "
        "skips about half of the second experts.\n"
        "\n"
        "Cost: statistic gate-ratio. Nothing is removed; compare by active parameters per token, "
        "which are counted on the calibration rows.\n"
        "\n"
        "Departures: the authors' rule is for top-2; with more experts per token every "
        "further one is compared to the first, under the one threshold.",
    .cite = "Lu, Liu, Xu, Zhou, Huang, Zhang, Yan, Li: Not All Experts are Equal: "
            "Efficient Expert Pruning and Skipping for Mixture-of-Experts Large Language "
            "Models, section 3.3.\n"
            "@inproceedings{lu2024naee,\n"
            "  title={Not All Experts are Equal: Efficient Expert Pruning and Skipping "
            "for Mixture-of-Experts Large Language Models},\n"
            "  author={Lu, Xudong and Liu, Qi and Xu, Yuhui and Zhou, Aojun and Huang, "
            "Siyuan and Zhang, Bo and Yan, Junchi and Li, Hongsheng},\n"
            "  booktitle={ACL}, year={2024}, note={arXiv 2402.14800}}",
    CULL_SETTINGS(params, struct settings));
