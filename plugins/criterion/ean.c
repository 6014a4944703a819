// EAN: keep the experts whose outputs are large on the tokens that they serve.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/score.h"

struct settings {
    int64_t of;
};

enum { OF_SUM, OF_MEAN, OF_MEAN_SQUARE, OF_CA };
static const char *const of_words[] = { "sum", "mean", "mean-square", "ca", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, of, OF_SUM, of_words,
        "sum of norms over routed tokens (EAN); their mean (MAN); the mean of their squares "
        "(MSAN); ca: the norm of the mean output"),
};

static double norm_of_mean(const cull_layer_stats *s, size_t e)
{
    double sum = 0.0;

    for (size_t d = 0; d < s->D; d++) {
        const double mean = s->mean[e * s->D + d];
        sum += mean * mean;
    }
    return sqrt(sum);
}

static double formula(const void *settings, const cull_layer_stats *s, size_t e)
{
    switch (((const struct settings *)settings)->of) {
    case OF_MEAN:
        return mean_over(s->norm_sum[e], s->count[e]);
    case OF_MEAN_SQUARE:
        return mean_over(s->norm_sq[e], s->count[e]);
    case OF_CA:
        return norm_of_mean(s, e);
    default:
        return s->norm_sum[e];
    }
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)ctx, (void)layer;
    score_experts(view, formula, settings, out);
    return CULL_OK;
}

static uint32_t needs_for(const void *settings)
{
    switch (((const struct settings *)settings)->of) {
    case OF_SUM:
        return CULL_STAT_OUTPUT_NORM;
    case OF_CA:
        return CULL_STAT_OUTPUT_MOMENTS;
    default:
        return CULL_STAT_ROUTING | CULL_STAT_OUTPUT_NORM;
    }
}

static const cull_criterion ean = {
    .size = sizeof ean,
    .form = CULL_FORM_EXPERT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_OUTPUT_NORM | CULL_STAT_OUTPUT_MOMENTS,
    .needs_for = needs_for,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, ean, "1.0", "expert activation norm: how large an expert's outputs are",
    .doc = "With N the l2 norm of an expert's output before its gate: the sum of N over the "
           "tokens routed to the expert (EAN), the mean of N (MAN), the mean of N^2 (MSAN), or "
           "the norm of the mean output (REAP's ean_ca, in which outputs of opposite direction "
           "cancel).\n"
           "\n"
           "Cost: statistic output-norm, k D operations per token; `ca` takes output-moments.\n"
           "\n"
           "Departures: the selection and n_e are the model's own, never derived again from raw "
           "logits. An expert without tokens scores 0.",
    .cite = "EAN: Jaiswal et al.: Finding Fantastic Experts in MoEs: A Unified Study for Expert "
            "Dropping Strategies and Observations. MAN, MSAN: Liu, Zhang, Ma, Chen, Yuan: How to "
            "Score Experts for One-Shot MoE Expert Pruning.\n"
            "@article{jaiswal2025fantastic,\n"
            "  title={Finding Fantastic Experts in {MoE}s: A Unified Study for Expert Dropping "
            "Strategies and Observations},\n"
            "  author={Jaiswal, Ajay and Wang, Jianyu and Li, Yixiao and Li, Pingzhi and Chen, "
            "Tianlong and Wang, Zhangyang and Wang, Chong and Pang, Ruoming and Du, Xianzhi},\n"
            "  journal={arXiv preprint arXiv:2504.05586}, year={2025}}\n"
            "@article{liu2026score,\n"
            "  title={How to Score Experts for One-Shot {MoE} Expert Pruning: A Unified "
            "Formulation and Selection Principle},\n"
            "  author={Liu, Zongfang and Zhang, Jinghui and Ma, Zijian and Chen, Guangyi and "
            "Yuan, Xin},\n"
            "  journal={arXiv preprint arXiv:2606.15716}, year={2026}}",
    CULL_SETTINGS(params, struct settings));
