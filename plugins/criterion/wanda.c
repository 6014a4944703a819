// Wanda: a weight matters as much as what passes through it.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/parts.h"
#include "common/prune/stats.h"

// Σ x² per input channel of a matrix, and over how many tokens.
typedef struct input {
    const double *sq; // (cols); NULL: not gathered
    double tokens;
} input;

static input input_of(const cull_layer_stats *st, cull_matrix_id where)
{
    const size_t e = where.expert;
    switch (where.part) {
    case CULL_PART_GATE:
    case CULL_PART_UP:
        return (input){ st->x_sq ? st->x_sq + e * st->D : NULL, st->count ? st->count[e] : 0 };
    case CULL_PART_DOWN:
        return (input){ st->u_sq ? st->u_sq + e * st->F : NULL, st->count ? st->count[e] : 0 };
    default:
        return (input){ st->part_sq[where.part], (double)st->tokens };
    }
}

static cull_status score_weights(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 cull_matrix_id where, size_t rows, size_t cols, const float *w,
                                 float *out)
{
    (void)settings;
    const cull_layer_stats *st = stats_of_layer(view, where.layer);
    const input in = st ? input_of(st, where) : (input){ 0 };

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

static const cull_criterion wanda = {
    .size = sizeof wanda,
    .form = CULL_FORM_WEIGHT,
    .needs = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
    .score_weights = score_weights,
};

CULL_PLUGIN(
    CRITERION, wanda, "1.0",
    "the absolute value of a weight times the root mean square of its input",
    .doc = "The score of w[i,j] is |w[i,j]| sqrt(sum_t x_j^2 / n), the sum over the n tokens "
           "that reach the matrix: those routed to an expert, all for attention, shared and "
           "dense parts. The inputs of an expert's down projection are its activations u. Meant "
           "for comparison within an output row (strategy unstructured, group: row).\n\n"
           "Cost: one pass of calibration, D + F sums per token and expert; then a selection per "
           "row.\n\n"
           "Departures from the authors' code: the normaliser counts tokens, not calls, which "
           "leaves masks within a row as they are and makes experts comparable (OWL). An expert "
           "without tokens falls back to |w|, which is logged; the ports skip it, delete its "
           "leftmost columns, or crash.",
    .cite = "Sun, Liu, Bair, Kolter: A Simple and Effective Pruning Approach for Large Language "
            "Models. ICLR 2024. arXiv:2306.11695, section 3.");
