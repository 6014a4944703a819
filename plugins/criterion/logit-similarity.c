// M-SMoE's similarity of experts: do their router logits rise and fall together?
#include <math.h>

#include <cull/cull.h>

#include "common/prune/pairs.h"

struct settings {
    int64_t of;
};

enum { OF_LOGITS, OF_SIGMOID };
static const char *const of_words[] = { "logits", "sigmoid", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, of, OF_LOGITS, of_words,
        "logits: the router's linear outputs; sigmoid: their sigmoid, for routers that use it"),
};

struct gram {
    size_t E;
    const double *at; // (E, E)
};

// 1 − (cos + 1) / 2, cos between columns i and j of the (N, E) logits; a column of zeros has cosine
// 0
static double distance(const void *arg, size_t i, size_t j)
{
    const struct gram *g = arg;
    const double norms = sqrt(g->at[i * g->E + i]) * sqrt(g->at[j * g->E + j]);
    const double cos = norms > 0.0 ? g->at[i * g->E + j] / norms : 0.0;

    return 1.0 - (cos + 1.0) / 2.0;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const bool sigmoid = ((const struct settings *)settings)->of == OF_SIGMOID;

    (void)ctx, (void)layer;
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_stats *s = cull_stats_layer(view->stats, l);
        const struct gram gram = { .E = cull_view_layer(view, l)->E,
                                   .at = sigmoid ? s->sigmoid_gram : s->logit_gram };
        if (gram.E > 0)
            fill_pairs(gram.E, distance, &gram, out->pair[l]);
    }
    return CULL_OK;
}

static const cull_criterion logit_similarity = {
    .size = sizeof logit_similarity,
    .form = CULL_FORM_PAIR,
    .needs = CULL_STAT_LOGIT_GRAM,
    .score = score,
};

CULL_PLUGIN_NAMED(
    CRITERION, logit_similarity, "logit-similarity", "1.0",
    "distance of experts by the cosine of their router logits",
    .doc =
        "M-SMoE calls two experts similar when their router logits over all tokens point the same "
        "way: similarity (cos + 1) / 2 of two columns of the N x E matrix of logits. The score is "
        "the distance 1 - similarity, in [0, 1], since pairs are distances throughout.\n"
        "\n"
        "Cost: statistic logit-gram, E^2 / 2 operations per token; no logits are stored.\n"
        "\n"
        "Departures: REAP's port takes a distance of the rows of this matrix instead of the "
        "matrix, and MoNE's port overwrites it with every batch and fills one triangle only.",
    .cite =
        "Li, Zhang, Yadav, Sung, Cheng, Bansal, Chen: Merge, Then Compress: Demystify Efficient "
        "SMoE with Hints from Its Routing Policy (M-SMoE), section 3.\n"
        "@inproceedings{li2024msmoe,\n"
        "  title={Merge, Then Compress: Demystify Efficient {SMoE} with Hints from Its Routing "
        "Policy},\n"
        "  author={Li, Pingzhi and Zhang, Zhenyu and Yadav, Prateek and Sung, Yi-Lin and Cheng, "
        "Yu and Bansal, Mohit and Chen, Tianlong},\n"
        "  booktitle={ICLR}, year={2024}, note={arXiv 2310.01334}}",
    CULL_SETTINGS(params, struct settings));
