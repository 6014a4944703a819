// Layer drop: the MoE sub-layers that hardly turn the residual stream go.
#include <cull/cull.h>

#include "common/prune/blocks.h"

static cull_status select_layers(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 const cull_scores *scores, const cull_budget *budget, size_t layer,
                                 cull_cut *out)
{
    bool *go = (bool *)ctx->host->scratch(ctx, view->model->L, sizeof *go);

    (void)settings, (void)layer;
    if (!go)
        return CULL_ENOMEM;
    lowest_layers(view, budget, scores->layer, true, go);
    for (size_t l = 0; l < view->model->L; l++)
        cull_cut_layer(out, l)->skip_moe = cull_cut_layer(out, l)->skip_moe || go[l];
    return CULL_OK;
}

static const cull_strategy layer_drop = {
    .size = sizeof layer_drop,
    .accepts = CULL_FORM_LAYER,
    .emits = CULL_EMITS_SKIP,
    .select = select_layers,
};

CULL_PLUGIN_NAMED(
    STRATEGY, layer_drop, "layer-drop", "1.0", "the lowest layers lose their MoE sub-layer",
    .doc = "Ranks the layers by their scores (cosine with of: moe) and takes the MoE sub-layer, "
           "norm, router and experts, from the lowest; attention stays. Layers without one are "
           "passed over. Ties go to the lower layer. What is removed is the layer's routed "
           "experts, so the budget counts as any other's, in whole layers.\n"
           "\n"
           "Cost: a sort; the criterion's statistic layer-cosines.\n"
           "\n"
           "Departures from the authors' code: shared experts and dense parts that run beside the "
           "routed ones stay, where theirs go with the sub-layer; the cosine measures what all of "
           "them add. In models without such parts, as Mixtral and OLMoE, there is no difference.",
    .cite = "He, Dong, Ding, Li: Towards Efficient Mixture of Experts (Unified), layer drop.\n"
            "@article{he2024unified,\n"
            "  title={Towards Efficient Mixture of Experts: A Holistic Study of Compression "
            "Techniques},\n"
            "  author={He, Shwai and Dong, Daize and Ding, Liang and Li, Ang},\n"
            "  journal={arXiv preprint arXiv:2406.02500}, year={2024}}");
