// Cosine: a layer that hardly turns its input can go.
#include <cull/cull.h>

#include "common/prune/blocks.h"

struct settings {
    int64_t of, measure;
};

enum { OF_BLOCK, OF_MOE };
static const char *const of_words[] = { "block", "moe", NULL };
static const char *const measure_words[] = { MEASURE_WORDS };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, of, OF_BLOCK, of_words,
        "block: input and output of the whole layer (for block-drop); moe: the residual stream "
        "before and after the MoE sub-layer (for layer-drop)"),
    CULL_P_CHOICE(struct settings, measure, MEASURE_COSINE, measure_words,
                  "cosine: 1 minus the mean cosine; angle: the mean angle over pi, of: block only"),
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const struct settings *set = settings;
    const cull_stats *s = view->stats;

    (void)layer;
    if (set->of == OF_MOE && set->measure == MEASURE_ANGLE)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "measure: angle is of whole layers (of: block); of the MoE "
                               "sub-layer there are cosines alone");
    for (size_t l = 0; l < view->model->L; l++) {
        if (set->of == OF_BLOCK)
            out->layer[l] = block_distance(s, l, l + 1, (enum measure)set->measure);
        else // a layer without an MoE sub-layer has none to lose; layer-drop passes it over
            out->layer[l] = cull_view_layer(view, l)->E > 0
                                ? 1.0 - cull_stats_layer(s, l)->moe_cos / (double)s->tokens
                                : 0.0;
    }
    return CULL_OK;
}

static const cull_criterion cosine = {
    .size = sizeof cosine,
    .form = CULL_FORM_LAYER,
    .needs = CULL_STAT_LAYER_COSINES,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, cosine, "1.0", "how far a layer turns the residual stream",
    .doc =
        "Scores a layer by 1 minus the mean over all calibration tokens of cos(h_in, h_out), the "
        "residual stream before and after it: of the whole layer, or (of: moe) of its MoE "
        "sub-layer alone, cos(h, h + o) with o all that the sub-layer adds. Layers that hardly "
        "turn the stream score lowest and go first. With measure: angle it is the mean of "
        "arccos(cos) / pi, the angular distance of Gromov et al. The last layer's output is taken "
        "before the final norm.\n\nCost: statistic layer-cosines, which compares all pairs of "
        "layers' hidden states: about L D / 2 operations per token and layer.\n\nDepartures from "
        "the authors' code: MoNE's Angular baseline does not clamp cosines before the arccos and "
        "never considers the last layer; here they are clamped, and it takes part like any other. "
        "A layer without experts has no sub-layer to lose and is passed over.",
    .cite =
        "He, Dong, Ding, Li: Towards Efficient Mixture of Experts (Unified), layer drop and block "
        "drop; Gromov et al.: The Unreasonable Ineffectiveness of the Deeper Layers.\n"
        "@article{he2024unified,\n"
        "  title={Towards Efficient Mixture of Experts: A Holistic Study of Compression "
        "Techniques},\n"
        "  author={He, Shwai and Dong, Daize and Ding, Liang and Li, Ang},\n"
        "  journal={arXiv preprint arXiv:2406.02500}, year={2024}}\n"
        "@article{gromov2024deeper,\n"
        "  title={The Unreasonable Ineffectiveness of the Deeper Layers},\n"
        "  author={Gromov, Andrey and Tirumala, Kushal and Shapourian, Hassan and Glorioso, Paolo "
        "and Roberts, Daniel A.},\n"
        "  journal={arXiv preprint arXiv:2403.17887}, year={2024}}",
    CULL_SETTINGS(params, struct settings));
