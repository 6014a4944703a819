// Fixed k: every token is served by k experts, fewer than the model was trained with, in all layers
// or in each its own, or as many as active parameters allow.
#include <cull/cull.h>

#include "common/prune/rule.h"

struct settings {
    cull_ints k;
    double active;
};

static const cull_param params[] = {
    CULL_P_INTS(struct settings, k, 0,
                "experts per token: one number, or one for each layer that has experts"),
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

// One expert less at a time, in the layer where tokens have most, the first of equals, until what
// runs for a token is within the share.
static cull_status set_active(cull_ctx *ctx, double share, const cull_view *view,
                              const cull_budget *budget, cull_cut *out)
{
    const double all = (double)view->model->params_active;
    double running = all;

    for (size_t l = 0; l < view->model->L; l++)
        if (cull_view_layer(view, l)->E > 0)
            running -= (double)(cull_view_layer(view, l)->K - k_of(view, out, l)) *
                       (double)cull_view_layer(view, l)->expert_params;
    while (running > share * all * (1 + 1e-12)) {
        size_t most = SIZE_MAX;
        for (size_t l = 0; l < view->model->L; l++)
            if (is_free(view, budget, l) && k_of(view, out, l) > 1 &&
                (most == SIZE_MAX || k_of(view, out, l) > k_of(view, out, most)))
                most = l;
        if (most == SIZE_MAX)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "active = %g: with one expert per token %g of the parameters "
                                   "still run",
                                   share, running / all);
        cull_cut_layer(out, most)->k = k_of(view, out, most) - 1;
        running -= (double)cull_view_layer(view, most)->expert_params;
    }
    return CULL_OK;
}

static cull_status make_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const cull_budget *budget, cull_cut *out)
{
    const struct settings *set = settings;

    if ((set->k.n > 0) == (set->active > 0))
        return ctx->host->fail(ctx, CULL_ENOTSUP, "fixed-k takes either k or active");
    return set->k.n > 0 ? set_listed(ctx, &set->k, view, budget, out)
                        : set_active(ctx, set->active, view, budget, out);
}

RULE_STRATEGY(fixed_k, make_rule);

CULL_PLUGIN_NAMED(
    STRATEGY, fixed_k, "fixed-k", "1.0", "every token is served by k experts",
    .doc = "Lets the router choose k experts per token instead of the model's number, by its own "
           "rule: the gates are those of the k best, renormalised where the model does so. "
           "With a list each layer has its own k, as LExI chooses it; with active tokens lose one "
           "expert after the other, in the layer where they have most, until so small a fraction "
           "of the model's active parameters runs. Nothing is removed; what is saved is compute, "
           "and the cost to compare by is active "
           "parameters per token.\n"
           "\n"
           "Cost: none.\n"
           "\n"
           "It is the plainest of runtime rules, the one that dynamic skipping has to beat.",
    .cite = "A baseline of NAEE (Lu et al., ACL 2024) and others; no paper of its own.",
    CULL_SETTINGS(params, struct settings));
