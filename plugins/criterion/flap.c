// FLAP: channels that hardly vary can be replaced by their mean.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/channels.h"

// ---- the variation of each channel ----

static cull_status variation(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const struct module *m, double *score)
{
    const struct channel_stats s = channel_stats_of(view, m);
    double *norm;

    (void)settings;
    if (!s.var)
        return not_gathered(ctx, m);
    const cull_status status = column_norms(ctx, view, m, &norm);
    for (size_t c = 0; status == CULL_OK && c < m->F; c++)
        score[c] = s.var[c] * norm[c];
    return status;
}

// ---- z-scores within each module ----

typedef struct standardising {
    const cull_view *view;
    double lowest; // z of all modules that have any
    size_t dead;   // modules that have none
    struct module first;
} standardising;

// A module whose channels cannot be told apart. Scores are not negative: equal ones have an sd of
// rounding alone.
static bool is_dead(const cull_view *view, const struct module *m, double mean, double sd)
{
    return channel_stats_of(view, m).tokens < 2 || !(sd > 1e-12 * mean);
}

// Mean and population sd over the module's channels that stand.
static cull_status moments(cull_ctx *ctx, const cull_view *view, const struct module *m,
                           const double *score, double *mean, double *sd)
{
    uint8_t *stands = (uint8_t *)ctx->host->scratch(ctx, m->F, 1);
    double n = 0, sum = 0, squares = 0;

    if (!stands)
        return CULL_ENOMEM;
    standing_channels(view->before, m, stands);
    for (size_t c = 0; c < m->F; c++) {
        n += stands[c];
        sum += stands[c] ? score[c] : 0;
    }
    *mean = n > 0 ? sum / n : 0;
    for (size_t c = 0; c < m->F; c++)
        squares += stands[c] ? (score[c] - *mean) * (score[c] - *mean) : 0;
    *sd = n > 0 ? sqrt(squares / n) : 0;
    return CULL_OK;
}

static cull_status standardise(void *arg, cull_ctx *ctx, const struct module *m, double *score)
{
    standardising *z = arg;
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    double mean = 0, sd = 0;
    const cull_status status = moments(ctx, z->view, m, score, &mean, &sd);

    ctx->host->rewind(ctx, mark);
    if (status != CULL_OK)
        return status;
    if (is_dead(z->view, m, mean, sd)) {
        z->first = z->dead++ ? z->first : *m;
        for (size_t c = 0; c < m->F; c++)
            score[c] = NAN; // until the lowest of the others is known
        return CULL_OK;
    }
    for (size_t c = 0; c < m->F; c++) {
        score[c] = (score[c] - mean) / sd;
        z->lowest = fmin(z->lowest, score[c]);
    }
    return CULL_OK;
}

static cull_status put_dead_last(void *arg, cull_ctx *ctx, const struct module *m, double *score)
{
    const standardising *z = arg;

    (void)ctx;
    for (size_t c = 0; c < m->F; c++)
        score[c] = isnan(score[c]) ? z->lowest - 1 : score[c];
    return CULL_OK;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    standardising z = { .view = view };
    cull_status status = score_channels(ctx, settings, view, layer, variation, out);

    if (status == CULL_OK)
        status = each_scored(ctx, view, layer, out, standardise, &z);
    if (status == CULL_OK && z.dead)
        ctx->host->log(ctx, CULL_WARN,
                       "%zu experts whose channels cannot be told apart (fewer than two tokens, or "
                       "all vary alike) rank lowest, the first of them %s",
                       z.dead, place_of(module_down(&z.first)).s);
    return status == CULL_OK ? each_scored(ctx, view, layer, out, put_dead_last, &z) : status;
}

static const cull_criterion flap = {
    .size = sizeof flap,
    .form = CULL_FORM_CHANNEL,
    .needs = CULL_STAT_ROUTING | CULL_STAT_CHANNEL_MOMENTS,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, flap, "1.0", "how much a channel varies, relative to its expert's channels",
    .doc =
        "The score of channel c is Var_t(u_c) |down_:c|^2 over the tokens routed to the expert "
        "(divisor n_e - 1), u the input of its down projection; within each expert the scores are "
        "made z-scores (population sd), so that one ranking of all experts of the model "
        "(allocation global) is fair. MoNE's table has it under strategy flap, which adds the mean "
        "contribution of what goes to the expert's output.\n"
        "\n"
        "Cost: mean and variance of every channel, 3 k F operations per token, and a reading of "
        "every down matrix.\n"
        "\n"
        "Departures: an expert of fewer than two tokens, or one whose scores are all equal, has no "
        "z-scores: it ranks below all others, which is logged.",
    .cite = "An, Zhao, Yu, Tang, Wang: Fluctuation-based Adaptive Structured Pruning for Large "
            "Language Models. AAAI 2024. arXiv:2312.11983. For experts: the baseline of Zhang et "
            "al., MoNE (arXiv:2507.00390).");
