// Wanda: a weight matters as much as what passes through it.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/channels.h"

enum { BY_WEIGHT, BY_CHANNEL };
static const char *const units[] = { "weight", "channel", NULL };

struct settings {
    int64_t by;
    bool gated;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, by, BY_WEIGHT, units,
                  "what is scored: each weight, or each channel of an expert"),
    CULL_P_BOOL(struct settings, gated, false,
                "inputs of an expert's matrices count times the token's gate (MoE-Pruner)"),
};

// Σ x² per input channel of a matrix, and over how many tokens.
typedef struct input {
    const double *sq; // (cols); NULL: not gathered
    double tokens;
} input;

static input input_of(const cull_layer_stats *stats, cull_matrix_id where, bool gated)
{
    const double *x = gated ? stats->gx_sq : stats->x_sq, *u = gated ? stats->gu_sq : stats->u_sq;

    switch (where.part) {
    case CULL_PART_GATE:
    case CULL_PART_UP:
        return (input){ row_of(x, where.expert, stats->D),
                        stats->count ? stats->count[where.expert] : 0 };
    case CULL_PART_DOWN:
        return (input){ row_of(u, where.expert, stats->F),
                        stats->count ? stats->count[where.expert] : 0 };
    default:
        return (input){ stats->part_sq[where.part], (double)stats->tokens };
    }
}

static cull_status score_weights(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 cull_matrix_id where, size_t rows, size_t cols, const float *w,
                                 float *out)
{
    const bool gated = ((const struct settings *)settings)->gated;
    const cull_layer_stats *stats = stats_of_layer(view, where.layer);
    const input in = stats ? input_of(stats, where, gated) : (input){ 0 };

    if (!in.sq)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "%s: no mean squares of its inputs were gathered",
                               place_of(where).s);
    if (in.tokens <= 0 && where.part == CULL_PART_DOWN) // once per expert
        ctx->host->log(ctx, CULL_WARN,
                       "layer %u, expert %u: no token is routed to it; its weights are ranked by "
                       "magnitude alone",
                       where.layer, where.expert);

    double *norm = ctx->host->scratch(ctx, cols, sizeof *norm); // (cols) root mean square
    if (!norm)
        return CULL_ENOMEM;
    for (size_t j = 0; j < cols; j++)
        norm[j] = in.tokens > 0 ? sqrt(in.sq[j] / in.tokens) : 1.0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[i * cols + j] = (float)(fabs((double)w[i * cols + j]) * norm[j]);
    return CULL_OK;
}

// Mean over the tokens of u², or (g u)², times ‖down_:c‖².
static cull_status formula(cull_ctx *ctx, const void *settings, const cull_view *view,
                           const struct module *m, double *score)
{
    const struct channel_stats s = channel_stats_of(view, m);
    const double *sq = ((const struct settings *)settings)->gated ? s.gated_sq : s.sq;
    double *norm;

    if (!sq)
        return not_gathered(ctx, m);
    const cull_status status = column_norms(ctx, view, m, &norm);
    for (size_t c = 0; status == CULL_OK && c < m->F; c++)
        score[c] = s.tokens > 0 ? sq[c] / s.tokens * norm[c] : 0;
    return status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    return score_channels(ctx, settings, view, layer, formula, out);
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;
    const uint32_t gated = set->gated ? CULL_STAT_GATED_SQUARES : 0;

    return CULL_STAT_ROUTING | gated |
           (set->by == BY_CHANNEL && set->gated ? 0 : CULL_STAT_INPUT_SQUARES);
}

static uint32_t form_for(const void *settings)
{
    return ((const struct settings *)settings)->by == BY_CHANNEL ? CULL_FORM_CHANNEL
                                                                 : CULL_FORM_WEIGHT;
}

static const cull_criterion wanda = {
    .size = sizeof wanda,
    .form = CULL_FORM_WEIGHT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
    .needs_for = needs_for,
    .form_for = form_for,
    .score = score,
    .score_weights = score_weights,
};

CULL_PLUGIN(
    CRITERION, wanda, "1.0",
    "the absolute value of a weight times the root mean square of its input",
    .doc = "The score of w[i,j] is |w[i,j]| sqrt(sum_t x_j^2 / n), the sum over the n tokens "
           "that reach the matrix: those routed to an expert, all for attention, shared and "
           "dense parts. The inputs of an expert's down projection are its activations u. Meant "
           "for comparison within an output row (strategy unstructured, group: row).\n\n"
           "gated: true is MoE-Pruner's score: each x of an expert's matrices counts times g, the "
           "coefficient that the expert's output is multiplied by for this token. by: channel "
           "scores an expert's hidden units, for strategy channels: the mean of u_c^2 (gated: (g "
           "u_c)^2) times the squared norm of down's column c; an expert without tokens scores "
           "0.\n\n"
           "Cost: one pass of calibration, D + F sums per token and expert; then a selection per "
           "row.\n\n"
           "Departures from the authors' code: the normaliser counts tokens, not calls, which "
           "leaves masks within a row as they are and makes experts comparable (OWL). An expert "
           "without tokens falls back to |w|, which is logged; the ports skip it, delete its "
           "leftmost columns, or crash.",
    .cite = "Sun, Liu, Bair, Kolter: A Simple and Effective Pruning Approach for Large Language "
            "Models. ICLR 2024. arXiv:2306.11695, section 3. Gated: MoE-Pruner, "
            "arXiv:2410.12013.",
    CULL_SETTINGS(params, struct settings));
