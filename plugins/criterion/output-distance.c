// HC-SMoE's distance of experts: how far apart their mean outputs over all tokens are.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/pairs.h"

static double distance(const void *arg, size_t i, size_t j)
{
    const cull_layer_stats *s = arg;
    double sum = 0.0;

    for (size_t d = 0; d < s->D; d++) {
        const double x = s->dense_mean[i * s->D + d] - s->dense_mean[j * s->D + d];
        sum += x * x;
    }
    return sqrt(sum);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)settings, (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        if (cull_view_layer(view, l)->E > 0)
            fill_pairs(cull_view_layer(view, l)->E, distance, cull_stats_layer(view->stats, l),
                       out->pair[l]);
    return CULL_OK;
}

static const cull_criterion output_distance = {
    .size = sizeof output_distance,
    .form = CULL_FORM_PAIR,
    .needs = CULL_STAT_DENSE_MEAN,
    .score = score,
};

CULL_PLUGIN_NAMED(
    CRITERION, output_distance, "output-distance", "1.0",
    "distance of experts' mean outputs over all tokens",
    .doc =
        "The Euclidean distance of the mean outputs of two experts, each run on all tokens, "
        "routed to it or not, so that an expert that the router never picks is measured like any "
        "other. The tokens are those of the calibration's dense subsample (dense_rows in "
        "calibrate).\n\nCost: statistic dense-mean, which runs every expert on every token of the "
        "subsample: E / k times the experts' work.",
    .cite =
        "Chen, Liu, Sun, Chao, Hsu, Lee: Retraining-Free Merging of Sparse MoE via Hierarchical "
        "Clustering (HC-SMoE).\n"
        "@inproceedings{chen2025hcsmoe,\n"
        "  title={Retraining-Free Merging of Sparse {MoE} via Hierarchical Clustering},\n"
        "  author={Chen, I-Chun and Liu, Hsu-Shen and Sun, Wei-Fang and Chao, Chen-Hao and Hsu, "
        "Yen-Chang and Lee, Chun-Yi},\n"
        "  booktitle={ICML}, year={2025}, note={arXiv 2410.08589}}");
