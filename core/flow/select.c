// A strategy called: scores and budget into a cut.
#include "flow/select.h"

#include <math.h>

cull_status cull_spread(cull_ctx *ctx, cull_stage_view *stage_view, const cull_scores *scores,
                        const cull_budget *budget, double *sparsity)
{
    const cull_use *use = &stage_view->step->spec->strategy;
    const cull_strategy *strategy = use->plugin->vtable;

    for (size_t l = 0; l < stage_view->view.model->L; l++)
        sparsity[l] = budget->frozen[l] ? 0 : budget->sparsity;
    if (!strategy->spread)
        return CULL_OK;
    cull_stage_view_enter(ctx, stage_view, use->plugin->name);
    cull_status status = CULL_CALL(
        ctx, use->plugin, SIZE_MAX, spread,
        strategy->spread(ctx, use->settings, &stage_view->view, scores, budget, sparsity));
    for (size_t l = 0; l < stage_view->view.model->L && status == CULL_OK; l++)
        if (!(sparsity[l] >= 0 && sparsity[l] <= 1))
            status =
                cull_fail(ctx, CULL_ENUMERIC, "the sparsity of layer %zu is %g", l, sparsity[l]);
    return cull_while(ctx, status, "spreading with strategy %s", use->plugin->name);
}

cull_status cull_select(cull_ctx *ctx, cull_stage_view *stage_view, const cull_scores *scores,
                        const cull_budget *budget, size_t layer, double sparsity, cull_cut *cut)
{
    const cull_use *use = &stage_view->step->spec->strategy;
    const cull_strategy *strategy = use->plugin->vtable;
    cull_budget own = *budget;

    own.sparsity = sparsity;
    cull_stage_view_enter(ctx, stage_view, use->plugin->name);
    return cull_while(ctx,
                      CULL_CALL(ctx, use->plugin, layer, select,
                                strategy->select(ctx, use->settings, &stage_view->view, scores,
                                                 &own, layer, cut)),
                      "selecting with strategy %s", use->plugin->name);
}
