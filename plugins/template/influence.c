// Influence: between REAP, which ignores how often an expert is used, and EAN, which adds up all it
// does.
#include <math.h>

#include <cull/cull.h>

struct settings {
    double power;
};

static const cull_param params[] = {
    CULL_P_REAL(struct settings, power, 0.5, 0.0, 1.0,
                "weight of an expert's use: 0 is REAP, 1 the sum of its gated outputs"),
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const struct settings *set = settings;

    (void)layer; // one call for all layers
    if (view->stats->tokens == 0)
        return ctx->host->fail(ctx, CULL_EINVAL, "there are no calibration tokens");
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_stats *s = cull_stats_layer(view->stats, l);
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) // none in a dense layer
            out->expert[l][e] =
                s->count[e] > 0 ? pow(s->count[e], set->power - 1.0) * s->gate_norm[e] : 0.0;
    }
    return CULL_OK;
}

static const cull_criterion influence = {
    .size = sizeof influence,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_OUTPUT_NORM,
    .score = score,
};

CULL_PLUGIN(CRITERION, influence, "1.0", "gated output norm, weighted by use",
            .doc =
                "n^power times the mean over the n routed tokens of g N, g the gate and N the l2 "
                "norm of the output. Cost: statistics routing and output-norm.",
            .cite = "A template; compare Lasby et al., REAP (arXiv 2510.13999).",
            CULL_SETTINGS(params, struct settings));
