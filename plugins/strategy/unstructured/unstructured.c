// Unstructured pruning: the weights with the smallest scores go, matrix by matrix.
#include <math.h>

#include "unstructured.h"

#include "common/prune/masks.h"
#include "common/prune/parts.h"

static const char *const groups[] = { "row", "tensor", "share", NULL };
static const char *const spreads[] = { "uniform", "owl", NULL };
static const char *const propagations[] = { "dense", "pruned", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, group, GROUP_ROW, groups,
        "among whom weights compete: their output row, their matrix (tensor), or their matrix "
        "by cumulative share of the row's score (share: Wanda's variant)"),
    CULL_P_INT(
        struct settings, m, 0, 0, 1024,
        "n:m sparsity: of every m consecutive inputs floor(m * sparsity) go, so that 2:4 is m: 4 "
        "at sparsity 0.5; 0: no such groups"),
    CULL_P_CHOICE(struct settings, layers, SPREAD_UNIFORM, spreads,
                  "how the sparsity is spread over layers"),
    CULL_P_REAL(struct settings, lambda, 0.08, 0.0, 1.0,
                "owl: a layer's sparsity stays within about lambda of the mean"),
    CULL_P_REAL(struct settings, outlier, 5.0, 0.0, 1e6,
                "owl: a score above this many times the layer's mean is an outlier (M)"),
    CULL_P_BOOL(struct settings, attention, false, "prune the attention projections as well"),
    CULL_P_BOOL(struct settings, shared, false, "prune the shared experts as well"),
    CULL_P_BOOL(struct settings, dense, false, "prune dense feed-forward parts as well"),
    CULL_P_CHOICE(
        struct settings, propagate, 0, propagations,
        "whether later layers are calibrated on dense activations or on those of the layers "
        "already pruned"),
};

typedef struct pruning {
    const struct settings *set;
    const cull_view *view;
    double sparsity;
    cull_cut *out;
} pruning;

static cull_status prune(void *arg, cull_ctx *ctx, const scored *m)
{
    const pruning *p = arg;
    choice c = {
        .where = m->where,
        .rows = m->rows,
        .cols = m->cols,
        .score = m->score,
        .sparsity = p->sparsity,
        .group = (enum group)p->set->group,
        .m = (size_t)p->set->m,
    };
    const cull_status status =
        mask_before(ctx, p->view->before, m->where, m->rows, m->cols, &c.before);

    if (status != CULL_OK)
        return status;
    uint8_t *mask = ctx->host->overlay(ctx, p->out, m->where, CULL_MASK, m->rows, m->cols);
    return mask ? choose(ctx, &c, mask) : CULL_ENOMEM;
}

static cull_status check_groups(cull_ctx *ctx, const struct settings *set)
{
    if (set->m == 0 || set->group == GROUP_ROW)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "n:m sparsity (m: %zu) chooses within an output row, which group: %s "
                           "does not fit",
                           (size_t)set->m, groups[set->group]);
}

static cull_status fits(cull_ctx *ctx, const void *settings, const cull_view *view,
                        const cull_budget *budget, cull_cut *out)
{
    (void)view, (void)budget, (void)out;
    return check_groups(ctx, settings);
}

static cull_status select_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    (void)scores;
    pruning p = { settings, view, budget->sparsity, out };
    if (p.sparsity <= 0 || (budget->frozen && budget->frozen[layer]))
        return CULL_OK;
    const cull_status status = check_groups(ctx, p.set);
    if (status != CULL_OK)
        return status;
    if (p.set->m > 0 && mask_quota((size_t)p.set->m, p.sparsity) == 0)
        ctx->host->log(ctx, CULL_WARN, "layer %zu: of every %zu weights none go at sparsity %.4g",
                       layer, (size_t)p.set->m, p.sparsity);
    return each_matrix(ctx, p.set, view, layer, false, prune, &p);
}

static cull_status spread(cull_ctx *ctx, const void *settings, const cull_view *view,
                          const cull_scores *scores, const cull_budget *budget, double *sparsity)
{
    (void)scores;
    const struct settings *set = settings;
    for (size_t l = 0; l < view->model->L; l++)
        sparsity[l] = budget->frozen && budget->frozen[l] ? 0 : budget->sparsity;
    return set->layers == SPREAD_OWL ? owl(ctx, set, view, budget, sparsity) : CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;

    return set->layers == SPREAD_OWL ? CULL_STAT_ROUTING : 0;
}

// A weight is scored, and then compared; shares want a row's scores in order.
static void work(const void *settings, const cull_model_facts *model, const cull_layer_facts *layer,
                 cull_work *out)
{
    const double weights = (double)out->left * (double)layer->expert_params;
    const bool sorts = ((const struct settings *)settings)->group == GROUP_SHARE;

    out->steps = weights * (1 + (sorts ? log2((double)model->D + 1) : 1));
}

static const cull_strategy unstructured = {
    .size = sizeof unstructured,
    .accepts = CULL_FORM_WEIGHT,
    .emits = CULL_EMITS_MASK,
    .needs = CULL_STAT_ROUTING,
    .flags = CULL_BY_LAYER,
    .needs_for = needs_for,
    .select = select_layer,
    .fits = fits,
    .spread = spread,
    .work = work,
};

CULL_PLUGIN(
    STRATEGY, unstructured, "1.0", "zero the weights with the smallest scores",
    .doc = "Of each group of n weights floor(n * sparsity) go, smallest score first, ties to the "
           "lower index. A group is an output row (Wanda), a whole matrix (magnitude), m "
           "consecutive inputs (n:m; a shorter group at a row's end gives up the same share, "
           "rounded down), or a whole matrix in which a weight ranks by the share of its row's "
           "score that it and all smaller ones make up (Wanda's variant: the limit of the "
           "authors' bisection on that share). Experts' matrices are pruned; attention, shared "
           "and dense parts on request, at the same sparsity; routers never. Weights that "
           "earlier stages zeroed stay zero, and the sparsity is of what is left.\n\n"
           "layers: owl (Outlier Weighed Layerwise sparsity). D is the percentage of a layer's "
           "scores above `outlier` times their mean, pooled over the matrices pruned, of experts "
           "with tokens. The kept share is 2 lambda (D - min)/(max - min), shifted so that the "
           "mean over layers, weighted by expert parameters, meets the sparsity; equal D for all "
           "means equal sparsity. Sparsities stay within [0.01, 0.999]; where that binds, the "
           "other layers make up for it.\n\n"
           "Cost: one selection per matrix, O(weights); owl reads all matrices twice more.\n\n"
           "Departures from the authors' code: Wanda's prunes every Linear layer of a block, in "
           "MoE ports the router too; OWL's averages over layers unweighted, divides by zero "
           "when all D agree, and lets a layer's sparsity pass 1.",
    .cite = "Sun et al.: A Simple and Effective Pruning Approach for Large Language Models. ICLR "
            "2024. arXiv:2306.11695. Yin et al.: Outlier Weighed Layerwise Sparsity (OWL). ICML "
            "2024. arXiv:2310.05175, section 3.",
    CULL_SETTINGS(params, struct settings));
