// Enumeration: the exact output error of every set of experts that might be kept.
#include "losses.h"

#include "common/prune/stats.h"

struct settings {
    int64_t objective; // enum objective
    int64_t inputs;
    int64_t batch;
};

static const char *const objectives[] = { "sq", "peer", "rel", NULL };
static const char *const inputs[] = { "dense", "progressive", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, objective, OBJECTIVE_PEER, objectives,
        "sq: the squared error of the layer's routed output over all tokens; peer: the sum over "
        "sequences of its root; rel: each token's over the squared norm of its residual stream"),
    CULL_P_CHOICE(
        struct settings, inputs, 0, inputs,
        "the layer's inputs come from the dense model, or from one whose earlier layers are "
        "already cut (progressive); its target is the dense model's output either way"),
    CULL_P_INT(struct settings, batch, 1, 1, 1000000,
               "peer: sequences whose errors are added before the root; the authors' code has 8"),
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const struct settings *set = settings;
    const cull_layer_stats *stats = stats_of_layer(view, layer);
    const losses_of of = {
        .layer = layer,
        .facts = cull_view_layer(view, layer),
        .before = view->before ? cull_cut_layer(view->before, layer) : NULL,
        .sample = stats ? stats->dense : NULL,
        .objective = (enum objective)set->objective,
        .batch = (size_t)set->batch,
    };

    if (!of.sample || of.sample->N == 0)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "layer %zu: no dense outputs of its experts",
                               layer);
    losses *q = ctx->host->alloc(ctx, 1, sizeof *q);
    if (!q)
        return CULL_ENOMEM;
    out->subset = (cull_subset_loss){ .eval = losses_eval, .self = q };
    return losses_init(ctx, q, &of);
}

static const cull_criterion enumeration = {
    .size = sizeof enumeration,
    .form = CULL_FORM_SUBSET,
    .needs = CULL_STAT_DENSE_SAMPLE,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, enumeration, "1.0",
    "the exact error of a layer's output for any set of kept experts",
    .doc = "Keeping a set of experts means: dropped logits are minus infinity, softmax, the K "
           "largest again, renormalised where the model does. The loss of a set is the distance "
           "of the layer's routed output from the full one, over a subsample of the "
           "calibration's tokens. It is computed from the Gram matrix G of each token's E expert "
           "outputs as d'Gd, d the change of the coefficients (changes below 1e-12 count as "
           "none, so that dropping experts that no token uses costs exactly nothing). Shared "
           "experts cancel. With inputs: progressive the output that earlier cuts already "
           "changed by r is compared with the dense model's, d'Gd + 2 d'Fr + r'r, F the expert "
           "outputs; what earlier stages of the method did counts as dense.\n\n"
           "The subsample is calibrate's dense_rows sequences. Few tokens carry most of the error, "
           "so sets that are nearly as good change places with it: on the embedded mixture the "
           "best 12 of 16 (objective peer) give perplexity 3.77 from 4,096 tokens, 3.67 from the "
           "8,192 of the default as from all 18,432.\n\n"
           "Cost: all E experts on the subsample, E^2 numbers per token; then O(N K^2) per set, "
           "whatever D is, where the authors run the layer's forward for each set. Where gates do "
           "not hang on what is kept beside the K chosen, a token's error is worked out once for "
           "each choice and remembered.\n\n"
           "Routers: softmax or sigmoid gates, with or without renormalisation and a common "
           "factor; checked against the gates that the model used. Others (group-limited, with a "
           "selection bias, SparseMixer, gates on inputs) are refused.\n\n"
           "Departures from the authors' code: float64 sums, where their float32 noise decides "
           "exact ties.",
    .cite = "Lu, Liu, Xu, Zhou, Huang, Zhang, Yan, Li: Not All Experts are Equal: Efficient "
            "Expert Pruning and Skipping for Mixture-of-Experts Large Language Models (NAEE). ACL "
            "2024. arXiv:2402.14800, section 3.",
    CULL_SETTINGS(params, struct settings));
