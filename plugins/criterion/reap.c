// REAP: keep the experts whose gated output is large on the tokens that they serve.
#include <stdlib.h>

#include <cull/cull.h>

#include "common/prune/score.h"

struct settings {
    int64_t of;
    bool keep_super;
};

enum { OF_MEAN, OF_SUM, OF_MAX_SIGNED, OF_MAX_ABS, OF_MAX_NORM };
static const char *const of_words[] = { "mean", "sum", "max-signed", "max-abs", "max-norm", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, of, OF_MEAN, of_words,
        "mean: of g N over routed tokens (REAP); sum: of g N (weighted EAN); max-signed: the "
        "largest component of an output (the authors' max_activations); max-abs: its largest "
        "magnitude; max-norm: the largest N"),
    CULL_P_BOOL(
        struct settings, keep_super, false,
        "super experts go last: those of the first three quarters of the layers whose largest "
        "component is above the 99.5th percentile and a tenth of the maximum over all experts"),
};

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    switch (((const struct settings *)settings)->of) {
    case OF_SUM:
        return s->gate_norm[e];
    case OF_MAX_SIGNED:
        return s->max_signed[e];
    case OF_MAX_ABS:
        return s->max_abs[e];
    case OF_MAX_NORM:
        return s->norm_max[e];
    default:
        return mean_over(s->gate_norm[e], s->count[e]);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// The q-quantile of n > 0 ascending numbers, linear between neighbours.
static double quantile(const double *sorted, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;

    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

// Lift the super experts above all others, by the span of the scores, their own order kept.
static cull_status lift_super_experts(cull_ctx *ctx, const cull_view *view, cull_scores *out)
{
    size_t n = 0, moe_layers = 0, seen = 0;
    double lo = 0.0, hi = 0.0;

    for (size_t l = 0; l < view->model->L; l++) {
        n += cull_view_layer(view, l)->E;
        moe_layers += cull_view_layer(view, l)->E > 0;
    }
    double *peaks = (double *)ctx->host->scratch(ctx, n, sizeof *peaks);
    if (!peaks)
        return CULL_ENOMEM;

    n = 0;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) {
            const double x = out->expert[l][e];
            lo = n == 0 || x < lo ? x : lo;
            hi = n == 0 || x > hi ? x : hi;
            peaks[n++] = cull_stats_layer(view->stats, l)->max_signed[e];
        }
    if (n == 0)
        return CULL_OK;

    qsort(peaks, n, sizeof *peaks, ascending);
    const double percentile = quantile(peaks, n, 0.995), tenth = peaks[n - 1] / 10.0;
    const double threshold = percentile > tenth ? percentile : tenth;
    for (size_t l = 0; l < view->model->L && seen < moe_layers * 3 / 4; l++) {
        seen += cull_view_layer(view, l)->E > 0;
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            if (cull_stats_layer(view->stats, l)->max_signed[e] > threshold)
                out->expert[l][e] += 1.0 + hi - lo;
    }
    return CULL_OK;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)layer;
    score_experts(view, formula, settings, out);
    return ((const struct settings *)settings)->keep_super ? lift_super_experts(ctx, view, out)
                                                           : CULL_OK;
}

static const cull_criterion reap = {
    .size = sizeof reap,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_OUTPUT_NORM,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, reap, "1.0", "mean gated norm of an expert's output",
    .doc = "Scores expert e by the mean, over the tokens routed to it, of g N: N the l2 norm of "
           "its output, g its gate. The other settings of `of` are the family in the authors' "
           "code. keep_super pins the super experts of Su et al. by the authors' rule: they are "
           "pruned only when nothing else is left.\n"
           "\n"
           "Cost: statistics routing and output-norm, k D operations per token.\n"
           "\n"
           "Departures from the authors' code: g is the coefficient that the model really uses "
           "and the selection is the model's own; the authors select again by top-k of raw logits "
           "and weight by the softmax, which is wrong for sigmoid, biased and grouped routers, "
           "and 20 to 46 % off the true gate where Mixtral renormalises. Only the experts that a "
           "token chose are run. An expert without tokens scores 0 and goes first.",
    .cite =
        "Lasby et al.: REAP the Experts: Why Pruning Prevails for One-Shot MoE Compression. Super "
        "experts: Su et al.: Unveiling Super Experts in Mixture-of-Experts Large Language Models "
        "(arXiv 2507.23279).\n"
        "@article{lasby2025reap,\n"
        "  title={{REAP} the Experts: Why Pruning Prevails for One-Shot {MoE} compression},\n"
        "  author={Lasby, Mike and Lazarevich, Ivan and Sinnadurai, Nish and Lie, Sean and "
        "Ioannou, Yani and Thangarasa, Vithursan},\n"
        "  journal={arXiv preprint arXiv:2510.13999}, year={2025}}",
    CULL_SETTINGS(params, struct settings));
