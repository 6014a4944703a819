// Fixed k: every token is served by k experts, fewer than the model was trained with.
#include <cull/cull.h>

struct settings {
    int64_t k;
};

static const cull_param params[] = {
    { .name = "k",
      .doc = "experts per token",
      .type = CULL_INT,
      .flags = CULL_REQUIRED,
      .offset = CULL_FIELD(struct settings, k, int64_t),
      .lo = 1,
      .hi = CULL_ANY_HI },
};

// The rule rests on the model's facts alone, so that planning makes the whole of it.
static cull_status make_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const cull_budget *budget, cull_cut *out)
{
    const size_t k = (size_t)((const struct settings *)settings)->k;

    for (size_t l = 0; l < view->model->L; l++) {
        const size_t earlier = cull_cut_layer(out, l)->k;
        const size_t K = earlier ? earlier : cull_view_layer(view, l)->K;

        if (cull_view_layer(view, l)->E == 0 || (budget && budget->frozen && budget->frozen[l]))
            continue;
        if (k > K)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "k = %zu: layer %zu %s %zu experts per token, and fixed-k only "
                                   "takes fewer",
                                   k, l, earlier ? "is already cut to" : "was made for", K);
        cull_cut_layer(out, l)->k = k;
    }
    return CULL_OK;
}

static cull_status select_rule(cull_ctx *ctx, const void *settings, const cull_view *view,
                               const cull_scores *scores, const cull_budget *budget, size_t layer,
                               cull_cut *out)
{
    (void)scores, (void)layer;
    return make_rule(ctx, settings, view, budget, out);
}

static const cull_strategy fixed_k = {
    .size = sizeof fixed_k,
    .accepts = CULL_FORM_NONE,
    .emits = CULL_EMITS_RULE,
    .flags = CULL_NO_BUDGET,
    .select = select_rule,
    .fits = make_rule,
};

CULL_PLUGIN_NAMED(
    STRATEGY, fixed_k, "fixed-k", "1.0", "every token is served by k experts",
    .doc = "Lets the router choose k experts per token instead of the model's number, by its own "
           "rule: the gates are those of the k best, renormalised where the model does so. "
           "Nothing is removed; what is saved is compute, and the cost to compare by is active "
           "parameters per token.\n"
           "\n"
           "Cost: none.\n"
           "\n"
           "It is the plainest of runtime rules, the one that dynamic skipping has to beat.",
    .cite = "A baseline of NAEE (Lu et al., ACL 2024) and others; no paper of its own.",
    CULL_SETTINGS(params, struct settings));
