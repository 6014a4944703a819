// STUN's behavioural similarity of experts: near router rows, and tokens that choose both.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/pairs.h"
#include "common/prune/parts.h"

struct settings {
    int64_t mode;
    bool normalise;
    double mu;
};

enum { MODE_ROUTER, MODE_COACTIVATION, MODE_BOTH };
static const char *const mode_words[] = { "router", "coactivation", "both", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, mode, MODE_ROUTER, mode_words,
        "router: distance of router rows; coactivation: minus the tokens that chose both; both: "
        "the first minus mu times the second over its mean"),
    CULL_P_BOOL(
        struct settings, normalise, true,
        "divide row distances by the Frobenius norm of the whole router, and co-activation alone "
        "by its mean"),
    CULL_P_REAL(struct settings, mu, 1.0, 0.0, CULL_ANY_HI, "weight of co-activation in mode both"),
};

// distance(i, j) = row_weight ‖w_i − w_j‖ − coact_weight a_ij
struct layer_terms {
    size_t E, D;
    const float *router; // (E, D)
    const double *coact; // (E, E)
    double row_weight, coact_weight;
};

static double distance(const void *arg, size_t i, size_t j)
{
    const struct layer_terms *t = arg;
    double out = 0.0;

    if (t->router) {
        double sum = 0.0;
        for (size_t d = 0; d < t->D; d++) {
            const double x = (double)t->router[i * t->D + d] - (double)t->router[j * t->D + d];
            sum += x * x;
        }
        out += t->row_weight * sqrt(sum);
    }
    if (t->coact)
        out -= t->coact_weight * t->coact[i * t->E + j];
    return out;
}

// Of the router rows that earlier stages left.
static double frobenius_norm(const cull_view *view, size_t l, const float *router, size_t D)
{
    double sum = 0.0;

    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
        for (size_t d = 0; d < D && expert_stands(view->before, l, e); d++)
            sum += (double)router[e * D + d] * (double)router[e * D + d];
    return sqrt(sum);
}

// Over all pairs of the experts that earlier stages left, the zero diagonal included.
static double mean_coactivation(const cull_view *view, size_t l)
{
    const double *coact = cull_stats_layer(view->stats, l)->coact;
    const size_t E = cull_view_layer(view, l)->E;
    double sum = 0.0;
    size_t left = 0;

    for (size_t i = 0; i < E; i++) {
        left += expert_stands(view->before, l, i);
        for (size_t j = 0; j < E; j++)
            sum += coact[i * E + j];
    }
    return left ? sum / (double)(left * left) : 0.0;
}

static cull_status router_term(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                               size_t l, struct layer_terms *t)
{
    const float *bias;
    size_t rows;
    const cull_status status =
        view->weights(ctx, view, cull_at(l, CULL_PART_ROUTER), &t->router, &rows, &t->D, &bias);

    if (status != CULL_OK)
        return status;
    if (rows != t->E)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "layer %zu: the router has %zu rows for %zu experts", l, rows, t->E);

    const double norm = frobenius_norm(view, l, t->router, t->D);
    t->row_weight = set->normalise && norm > 0.0 ? 1.0 / norm : 1.0;
    return CULL_OK;
}

static cull_status coactivation_term(cull_ctx *ctx, const struct settings *set,
                                     const cull_view *view, size_t l, struct layer_terms *t)
{
    const double mean = mean_coactivation(view, l);

    if (mean <= 0.0)
        return ctx->host->fail(
            ctx, CULL_EINVAL,
            "layer %zu: no token chose two experts, so co-activation says nothing", l);
    t->coact = cull_stats_layer(view->stats, l)->coact;
    if (set->mode == MODE_BOTH)
        t->coact_weight = set->mu / mean;
    else
        t->coact_weight = set->normalise ? 1.0 / mean : 1.0;
    return CULL_OK;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const struct settings *set = settings;

    (void)layer;
    for (size_t l = 0; l < view->model->L; l++) {
        struct layer_terms t = { .E = cull_view_layer(view, l)->E };
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        cull_status status = CULL_OK;

        if (t.E == 0)
            continue;
        if (set->mode != MODE_COACTIVATION)
            status = router_term(ctx, set, view, l, &t);
        if (status == CULL_OK && set->mode != MODE_ROUTER)
            status = coactivation_term(ctx, set, view, l, &t);
        if (status != CULL_OK)
            return status;
        fill_pairs(t.E, distance, &t, out->pair[l]);
        ctx->host->rewind(ctx, mark);
    }
    return CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    return ((const struct settings *)settings)->mode == MODE_ROUTER ? 0 : CULL_STAT_COACTIVATION;
}

static const cull_criterion similarity = {
    .size = sizeof similarity,
    .form = CULL_FORM_PAIR,
    .needs = CULL_STAT_COACTIVATION,
    .needs_for = needs_for,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, similarity, "1.0", "STUN's distance of experts, from router rows and co-activation",
    .doc =
        "The distance of experts i and j of a layer in three modes. router (the authors' mode a): "
        "the Euclidean distance of their router rows, divided by the Frobenius norm of the whole "
        "router unless normalise is off. coactivation (b): -a_ij / mean(a), or -a_ij with "
        "normalise off; a_ij counts tokens that chose both, its mean runs over all E^2 entries "
        "with the zero diagonal. both (c): the first minus mu a_ij / mean(a); with normalise: "
        "false this is the authors' form, in which mu means something else in every layer, since "
        "row distances keep their scale.\n"
        "\n"
        "The paper's b_ij = -l1 |w_i - w_j| + l2 a_ij is mode both with mu = l2 / l1 up to the "
        "scale of a. (l1, l2) = (1, 0), mode router, is what its Arctic results use; it needs no "
        "calibration.\n"
        "\n"
        "Cost: E^2 D / 2 operations a layer; modes with co-activation take statistic "
        "coactivation.\n"
        "\n"
        "Departures from the authors' code: co-activation counts all pairs of a token's k "
        "experts, not only of the first two. In mode coactivation an expert without tokens is at "
        "distance 0 from all others, the largest there is, so it is always kept, as in the "
        "authors' code; the run reports it.",
    .cite = "Lee, Hwang, Qiao, Campos, Yao, He: STUN: Structured-Then-Unstructured Pruning for "
            "Scalable MoE Pruning, section 4.\n"
            "@inproceedings{lee2025stun,\n"
            "  title={{STUN}: Structured-Then-Unstructured Pruning for Scalable {MoE} Pruning},\n"
            "  author={Lee, Jaeseong and Hwang, Seung-won and Qiao, Aurick and Campos, Daniel F "
            "and Yao, Zhewei and He, Yuxiong},\n"
            "  booktitle={Proceedings of ACL}, year={2025}, note={arXiv 2409.06211}}",
    CULL_SETTINGS(params, struct settings));
