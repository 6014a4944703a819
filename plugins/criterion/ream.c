// REAM's distance of experts: by what they put out, and by how the router sees them.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/pairs.h"

struct settings {
    int64_t output;
    bool gate;
};

enum { OUTPUT_MEAN, OUTPUT_TOKENS };
static const char *const output_words[] = { "mean", "tokens", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, output, OUTPUT_MEAN, output_words,
                  "mean: the cosine of the experts' mean gated outputs, as the authors' runs have "
                  "it; tokens: the mean over tokens of the cosine of their outputs, as the paper "
                  "writes it"),
    CULL_P_BOOL(struct settings, gate, true,
                "half of the similarity is that of the router's logits"),
};

// Cosines may leave [−1, 1] by a rounding error; of something that is 0 it is 0.
static double similarity_of(double aa, double bb, double ab)
{
    return ((aa > 0.0 && bb > 0.0 ? ab / (sqrt(aa) * sqrt(bb)) : 0.0) + 1.0) / 2.0;
}

static double similarity_of_means(const cull_layer_stats *s, size_t i, size_t j)
{
    const double *a = s->dense_gated + i * s->D, *b = s->dense_gated + j * s->D;
    double aa = 0.0, bb = 0.0, ab = 0.0;

    for (size_t d = 0; d < s->D; d++) {
        aa += a[d] * a[d];
        bb += b[d] * b[d];
        ab += a[d] * b[d];
    }
    return similarity_of(aa, bb, ab);
}

static double similarity_over_tokens(const cull_dense_sample *dense, size_t E, size_t i, size_t j)
{
    double sum = 0.0;

    for (size_t t = 0; t < dense->N; t++) {
        const float *gram = dense->gram + t * E * E;
        sum += similarity_of((double)gram[i * E + i], (double)gram[j * E + j],
                             (double)gram[i * E + j]);
    }
    return sum / (double)dense->N;
}

// Of the two columns of logits over all tokens, each of norm 1.
static double column_distance(const double *gram, size_t E, size_t i, size_t j)
{
    const double ii = gram[i * E + i], jj = gram[j * E + j];
    const double cosine = ii > 0.0 && jj > 0.0 ? gram[i * E + j] / (sqrt(ii) * sqrt(jj)) : 0.0;
    const double sq = (ii > 0.0) + (jj > 0.0) - 2.0 * cosine;

    return sq > 0.0 ? sqrt(sq) : 0.0;
}

struct layer_terms {
    const cull_layer_stats *stats;
    bool tokens, gate;
    double farthest; // column distance of the layer
};

static double distance(const void *arg, size_t i, size_t j)
{
    const struct layer_terms *t = arg;
    const cull_layer_stats *s = t->stats;
    const double output =
        t->tokens ? similarity_over_tokens(s->dense, s->E, i, j) : similarity_of_means(s, i, j);

    if (!t->gate)
        return 1.0 - output;
    const double apart = column_distance(s->logit_gram, s->E, i, j);
    const double router = t->farthest > 0.0 ? 1.0 - apart / t->farthest : 1.0;
    return 1.0 - (output + router) / 2.0;
}

static double farthest_columns(const cull_layer_stats *s)
{
    double most = 0.0;

    for (size_t i = 0; i < s->E; i++)
        for (size_t j = i + 1; j < s->E; j++)
            most = fmax(most, column_distance(s->logit_gram, s->E, i, j));
    return most;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const struct settings *set = settings;

    (void)ctx;
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_stats *s = cull_stats_layer(view->stats, l);
        struct layer_terms terms = { s, set->output == OUTPUT_TOKENS, set->gate, 0.0 };

        if (s->E == 0 || (layer != CULL_ALL_LAYERS && layer != l))
            continue;
        terms.farthest = set->gate ? farthest_columns(s) : 0.0;
        fill_pairs(s->E, distance, &terms, out->pair[l]);
    }
    return CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;

    return (set->output == OUTPUT_TOKENS ? CULL_STAT_DENSE_SAMPLE : CULL_STAT_DENSE_GATED) |
           (set->gate ? CULL_STAT_LOGIT_GRAM : 0);
}

static const cull_criterion ream = {
    .size = sizeof ream,
    .form = CULL_FORM_PAIR,
    .needs = CULL_STAT_DENSE_GATED | CULL_STAT_LOGIT_GRAM,
    .needs_for = needs_for,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, ream, "1.0", "distance of experts by their outputs and their router logits",
    .doc =
        "The distance is 1 - (s_out + s_gate) / 2. s_out = (cos + 1) / 2 of two experts' gated "
        "outputs p y, each run on all tokens, routed or not, p its probability among all: the "
        "cosine of the means over tokens, or the mean over tokens of the cosine. s_gate = 1 - d / "
        "max d, with d the Euclidean distance of the two columns of router logits over all "
        "tokens, each of norm 1. gate: false leaves s_gate out. The tokens of s_out are those of "
        "the calibration's dense subsample (dense_rows in calibrate).\n"
        "\n"
        "For merge with groups: centroids. Experts that no token reaches are compared like any "
        "other.\n"
        "\n"
        "Cost: statistics dense-gated and logit-gram: every expert on every token of the "
        "subsample, E / k times the experts' work. With output: tokens the Gram matrix of the E "
        "outputs of each token, one layer at a time, so that the strategy decides by layer.",
    .cite = "Jha, Hashemzadeh, Pasand, Parviz, Lee, Knyazev: REAM: Merging Improves Pruning of "
            "Experts in LLMs.\n"
            "@article{jha2026ream,\n"
            "  title={{REAM}: Merging Improves Pruning of Experts in {LLMs}},\n"
            "  author={Jha, Saurav and Hashemzadeh, Maryam and Pasand, Ali Saheb and Parviz, Ali "
            "and Lee, Min-Joong and Knyazev, Boris},\n"
            "  journal={arXiv preprint arXiv:2604.04356}, year={2026}}",
    CULL_SETTINGS(params, struct settings));
