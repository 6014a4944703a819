// CAMERA-P: a channel matters by the energy that it really adds to the layer's output.
#include <cull/cull.h>

#include "common/prune/channels.h"

struct settings {
    double r;
};

static const cull_param params[] = {
    CULL_P_REAL(struct settings, r, 1.0, 0.0, 1.0,
                "how much the largest token counts beside the sum over all: "
                "(1 - r) sum + r max of (g u)^2"),
};

static cull_status formula(cull_ctx *ctx, const void *settings, const cull_view *view,
                           const struct module *m, double *score)
{
    const double r = ((const struct settings *)settings)->r;
    const struct channel_stats s = channel_stats_of(view, m);
    double *norm;

    if ((r < 1 && !s.gated_sq) || (r > 0 && !s.gated_peak))
        return not_gathered(ctx, m);
    const cull_status status = column_norms(ctx, view, m, &norm);
    for (size_t c = 0; status == CULL_OK && c < m->F; c++)
        score[c] =
            norm[c] * ((r < 1 ? (1 - r) * s.gated_sq[c] : 0) + (r > 0 ? r * s.gated_peak[c] : 0));
    return status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    return score_channels(ctx, settings, view, layer, formula, out);
}

static uint32_t needs_for(const void *settings)
{
    const double r = ((const struct settings *)settings)->r;

    return CULL_STAT_ROUTING | (r < 1 ? CULL_STAT_GATED_SQUARES : 0) |
           (r > 0 ? CULL_STAT_GATED_PEAKS : 0);
}

static const cull_criterion camera = {
    .size = sizeof camera,
    .form = CULL_FORM_CHANNEL,
    .needs = CULL_STAT_ROUTING | CULL_STAT_GATED_SQUARES | CULL_STAT_GATED_PEAKS,
    .needs_for = needs_for,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, camera, "1.0", "a channel's gated energy times the size of its column of down",
    .doc =
        "The score of channel c is |down_:c|^2 ((1 - r) sum_t (g u_tc)^2 + r max_t (g u_tc)^2) "
        "over the tokens routed to the expert: u the input of its down projection, g the "
        "coefficient that its output is multiplied by. Sums are not divided by the number of "
        "tokens, so that seldom used experts lose more. The authors rank all channels of a layer "
        "together and let later layers see the pruned ones: strategy channels with allocation "
        "layer and propagate: pruned.\n\nCost: the statistics of gated channels, k F operations "
        "per token, and a reading of every down matrix.\n\nDepartures from the authors' code: g "
        "is the model's own coefficient. An expert without tokens scores 0 and goes first.",
    .cite = "CAMERA, arXiv:2508.02322.", CULL_SETTINGS(params, struct settings));
