// Gate: keep the experts whose gates are large.
#include <cull/cull.h>

#include "common/prune/usage.h"

struct settings {
    int64_t of;
};

enum { OF_SUM, OF_MEAN };
static const char *const of_words[] = { "sum", "mean", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, of, OF_SUM, of_words,
                  "sum: over the tokens routed to the expert; mean: that divided by their number"),
};

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    const bool mean = ((const struct settings *)settings)->of == OF_MEAN;

    return usage_of(mean ? USAGE_MEAN_GATE : USAGE_GATE_SUM, s, e);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)layer;
    score_experts(view, formula, settings, out);
    return CULL_OK;
}

static const cull_criterion gate = {
    .size = sizeof gate,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, gate, "1.0", "the sum or the mean of an expert's gates",
    .doc = "Scores expert e by the sum of g over the tokens routed to it (RS, the routing score "
           "that MoNE and SEER-MoE compare with), or by their mean, the gate that the expert gets "
           "when it is chosen. The same numbers as frequency's gate-sum and mean-gate, under the "
           "name that tables use.\n"
           "\n"
           "Cost: statistic routing.\n"
           "\n"
           "Departures: g is the coefficient really used. MoNE's RS baseline ranks over the whole "
           "model and removes router rows while MoNE itself ranks by layer and replaces; here "
           "allocation and action are the experiment's choice for every criterion. An expert "
           "without tokens scores 0.",
    .cite = "Muzio, Sun, He: SEER-MoE: Sparse Expert Efficiency through Regularization for "
            "Mixture-of-Experts.\n"
            "@article{muzio2024seermoe,\n"
            "  title={{SEER-MoE}: Sparse Expert Efficiency through Regularization for "
            "Mixture-of-Experts},\n"
            "  author={Muzio, Alexandre and Sun, Alex and He, Churan},\n"
            "  journal={arXiv preprint arXiv:2404.05089}, year={2024}}",
    CULL_SETTINGS(params, struct settings));
