// Top-p: a token is served by as few experts as hold a share of its probability.
#include <cull/cull.h>

#include "common/prune/rule.h"

struct settings {
    double p;
};

static const cull_param params[] = {
    { .name = "p",
      .doc = "share of the probability that a token's experts must hold",
      .type = CULL_REAL,
      .flags = CULL_REQUIRED,
      .offset = CULL_FIELD(struct settings, p, double),
      .lo = 1e-6,
      .hi = 1 },
};

static cull_status make_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const cull_budget *budget, cull_cut *out)
{
    const double p = ((const struct settings *)settings)->p;

    for (size_t l = 0; l < view->model->L; l++) {
        if (cull_view_layer(view, l)->E == 0 || (budget && budget->frozen && budget->frozen[l]))
            continue;
        if (cull_cut_layer(out, l)->top_p > 0)
            return ctx->host->fail(ctx, CULL_EINVAL, "layer %zu already ends at p = %g", l,
                                   cull_cut_layer(out, l)->top_p);
        cull_cut_layer(out, l)->top_p = p;
    }
    return CULL_OK;
}

RULE_STRATEGY(top_p, make_rule, make_rule, NULL, CULL_COUNTED);

CULL_PLUGIN_NAMED(
    STRATEGY, top_p, "top-p", "1.0", "a token's experts end where their probability reaches p",
    .doc = "Of the K experts that the router chooses, in its order, a token is served by the first "
           "ones whose probabilities together reach p: the one that brings the sum to p or above "
           "is the last, and at least one serves. Probabilities are softmax or sigmoid, without "
           "corrections for the selection, as shares of the sum over all experts. Gates are "
           "renormalised over the chosen where the model does so.\n\n"
           "Cost: none. Nothing is removed; compare by active parameters per token, which are "
           "counted on the calibration rows: without `calibrate` they stand as if all K ran, "
           "which is logged.\n\n"
           "No checkpoint can say it, so that an export refuses.",
    .cite = "Dynamic routing by cumulative probability: Huang et al., Harder Tasks Need More "
            "Experts. ACL 2024. arXiv:2403.07652, there trained; here a rule at inference.",
    CULL_SETTINGS(params, struct settings));
