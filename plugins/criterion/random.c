// Random: the control that every other criterion has to beat.
#include <stdio.h>

#include <cull/cull.h>

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)settings, (void)layer;
    for (size_t l = 0; l < view->model->L; l++) {
        char stream[32];

        if (cull_view_layer(view, l)->E == 0)
            continue;
        snprintf(stream, sizeof stream, "layer %zu", l);
        cull_rng *rng = ctx->host->rng(ctx, stream);
        if (!rng)
            return CULL_ENOMEM;
        ctx->host->uniform(rng, out->expert[l], cull_view_layer(view, l)->E);
    }
    return CULL_OK;
}

static const cull_criterion random_scores = {
    .size = sizeof random_scores,
    .form = CULL_FORM_EXPERT,
    .flags = CULL_USES_SEED,
    .score = score,
};

CULL_PLUGIN_NAMED(
    CRITERION, random_scores, "random", "1.0", "independent uniform numbers",
    .doc =
        "Each expert's score is drawn uniformly from [0, 1), from a random stream of its own for "
        "each layer, keyed by the trial's seed. The lowest of independent uniform scores are a "
        "uniform subset, within a layer and over the whole model, so every allocation applies. A "
        "layer's numbers do not depend on the other layers.\n"
        "\n"
        "Cost: none. Several seeds are needed to say anything: single random cuts differ widely.\n"
        "\n"
        "No published peer has this control.",
    .cite = "A control, not a method of the literature.");
