// Fixed k: every token is served by k experts, fewer than the model was trained with, in all layers
// or in each its own, or as many as active parameters allow: a fraction of them that is set here,
// or the experiment's budget.
#include <cull/cull.h>

#include "common/prune/rule.h"

struct settings {
    cull_ints k;
    double active;
};

static const cull_param params[] = {
    CULL_P_INTS(struct settings, k, 0,
                "experts per token: one number, or one for each layer that has experts; without k "
                "and active the budget says how many: { active: 0.8 } among the sparsities"),
    CULL_P_REAL(struct settings, active, 0, 0.0, 1.0,
                "instead of k: the fraction of the parameters that run for a token which may go on "
                "running"),
};

static cull_status check_list(cull_ctx *ctx, const cull_ints *k, const cull_view *view)
{
    size_t layers = 0;

    for (size_t l = 0; l < view->model->L; l++)
        layers += cull_view_layer(view, l)->E > 0;
    if (k->n != 1 && k->n != layers)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "k has %zu numbers, and the model %zu layers with experts", k->n,
                               layers);
    for (size_t i = 0; i < k->n; i++)
        if (k->at[i] < 1)
            return ctx->host->fail(ctx, CULL_EINVAL, "k = %lld: a token needs one expert at least",
                                   (long long)k->at[i]);
    return CULL_OK;
}

static cull_status set_layer(cull_ctx *ctx, const cull_view *view, size_t l, size_t k,
                             cull_cut *out)
{
    const size_t earlier = cull_cut_layer(out, l)->k;

    if (k > (earlier ? earlier : cull_view_layer(view, l)->K))
        return ctx->host->fail(
            ctx, CULL_EINVAL,
            "k = %zu: layer %zu %s %zu experts per token, and fixed-k only takes "
            "fewer",
            k, l, earlier ? "is already cut to" : "was made for",
            earlier ? earlier : cull_view_layer(view, l)->K);
    cull_cut_layer(out, l)->k = k;
    return CULL_OK;
}

static bool is_free(const cull_view *view, const cull_budget *budget, size_t l)
{
    return cull_view_layer(view, l)->E > 0 && !(budget && budget->frozen && budget->frozen[l]);
}

static cull_status set_listed(cull_ctx *ctx, const cull_ints *k, const cull_view *view,
                              const cull_budget *budget, cull_cut *out)
{
    cull_status status = check_list(ctx, k, view);
    size_t i = 0; // of the layers with experts

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        if (is_free(view, budget, l))
            status = set_layer(ctx, view, l, (size_t)k->at[k->n > 1 ? i : 0], out);
        i += cull_view_layer(view, l)->E > 0;
    }
    return status;
}

static size_t k_of(const cull_view *view, const cull_cut *cut, size_t l)
{
    const size_t k = cull_cut_layer(cut, l)->k;

    return k ? k : cull_view_layer(view, l)->K;
}

// One expert less at a time, in the layer where tokens have most, the first of equals, until so
// many parameters do not run any more.
static cull_status stop_params(cull_ctx *ctx, double amount, const cull_view *view,
                               const cull_budget *budget, cull_cut *out)
{
    const double all = (double)view->model->params_active;
    double left = amount;

    while (left > 0) {
        size_t most = SIZE_MAX;
        for (size_t l = 0; l < view->model->L; l++)
            if (is_free(view, budget, l) && k_of(view, out, l) > 1 &&
                (most == SIZE_MAX || k_of(view, out, l) > k_of(view, out, most)))
                most = l;
        if (most == SIZE_MAX)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "with one expert per token %g of the parameters too many run",
                                   left / all);
        cull_cut_layer(out, most)->k = k_of(view, out, most) - 1;
        left -= (double)cull_view_layer(view, most)->expert_params;
    }
    return CULL_OK;
}

static cull_status set_active(cull_ctx *ctx, double share, const cull_view *view,
                              const cull_budget *budget, cull_cut *out)
{
    const double all = (double)view->model->params_active;
    double running = all;

    for (size_t l = 0; l < view->model->L; l++)
        if (cull_view_layer(view, l)->E > 0)
            running -= (double)(cull_view_layer(view, l)->K - k_of(view, out, l)) *
                       (double)cull_view_layer(view, l)->expert_params;
    return stop_params(ctx, running - share * all * (1 + 1e-12), view, budget, out);
}

// As the budget says: so many parameters, or so many experts of each layer.
static cull_status keep_budget(cull_ctx *ctx, const cull_view *view, const cull_budget *budget,
                               cull_cut *out)
{
    cull_status status = CULL_OK;

    if (budget->scope == CULL_SCOPE_GLOBAL)
        return stop_params(ctx, budget->total_params, view, budget, out);
    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const size_t k = k_of(view, out, l), fewer = budget->remove[l];
        if (fewer == 0 || !is_free(view, budget, l))
            continue;
        status = fewer < k
                     ? set_layer(ctx, view, l, k - fewer, out)
                     : ctx->host->fail(ctx, CULL_ENOTSUP,
                                       "layer %zu: a token is to lose %zu of %zu experts, and "
                                       "needs one at least",
                                       l, fewer, k);
    }
    return status;
}

static bool picks_for(const void *settings)
{
    const struct settings *set = settings;

    return set->k.n == 0 && set->active == 0;
}

static cull_status make_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const cull_budget *budget, cull_cut *out)
{
    const struct settings *set = settings;

    if (set->k.n > 0 && set->active > 0)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "fixed-k takes either k or active");
    if (set->k.n > 0)
        return set_listed(ctx, &set->k, view, budget, out);
    return set->active > 0 ? set_active(ctx, set->active, view, budget, out)
                           : keep_budget(ctx, view, budget, out);
}

// What is known while planning: all, but for the budget.
static cull_status check_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                              const cull_budget *budget, cull_cut *out)
{
    return picks_for(settings) ? CULL_OK : make_rule(ctx, settings, view, budget, out);
}

RULE_STRATEGY(fixed_k, make_rule, check_rule, picks_for, 0);

CULL_PLUGIN_NAMED(
    STRATEGY, fixed_k, "fixed-k", "1.0", "every token is served by k experts",
    .doc = "Lets the router choose k experts per token instead of the model's number, by its own "
           "rule: the gates are those of the k best, renormalised where the model does so. "
           "With a list each layer has its own k. With active, or with neither and a budget "
           "{ active: 0.8 } among the sparsities, tokens lose one expert after the other, in the "
           "layer where they have most, until so small a fraction of the model's active parameters "
           "runs. Nothing is removed; what is saved is compute, and the cost to compare by is "
           "active parameters per token.\n"
           "\n"
           "Under the budget the k of each layer may also be chosen, as LExI does: the allocation "
           "search with by: sensitivity measures what is lost when one layer's k falls, to every "
           "value, and takes the ks whose losses have the least sum; evolution and greedy exchange "
           "evaluate them together.\n"
           "\n"
           "Cost: none; a search's beside.\n"
           "\n"
           "It is the plainest of runtime rules, the one that dynamic skipping has to beat.",
    .cite = "A baseline of NAEE (Lu et al., ACL 2024) and others; no paper of its own. k by layer: "
            "Chitty-Venkata et al., LExI: Layer-Adaptive Active Experts for Efficient MoE Model "
            "Inference. arXiv:2509.02753.",
    CULL_SETTINGS(params, struct settings));
