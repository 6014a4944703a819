// Magnitude: small weights matter least.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/channels.h"

enum { BY_WEIGHT, BY_CHANNEL };
static const char *const units[] = { "weight", "channel", NULL };

struct settings {
    int64_t by;
};

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, by, BY_WEIGHT, units,
                  "what is scored: each weight, or each channel of an expert"),
};

static cull_status score_weights(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 cull_matrix_id where, size_t rows, size_t cols, const float *w,
                                 float *out)
{
    (void)ctx, (void)settings, (void)view, (void)where;
    for (size_t i = 0; i < rows * cols; i++)
        out[i] = fabsf(w[i]);
    return CULL_OK;
}

// score (F) += Σ w² over the rows of gate or up.
static cull_status add_row_norms(cull_ctx *ctx, const cull_view *view, const struct module *m,
                                 cull_part part, double *score)
{
    const cull_matrix_id where = { (uint32_t)m->l, (uint32_t)part, m->expert };
    const float *w;
    size_t rows, cols;

    if (!part_present(cull_view_layer(view, m->l), part))
        return CULL_OK;
    const cull_status status = view->weights(ctx, view, where, &w, &rows, &cols, NULL);
    for (size_t i = 0; status == CULL_OK && i < rows * cols; i++)
        score[i / cols] += (double)w[i] * (double)w[i];
    return status;
}

static cull_status formula(cull_ctx *ctx, const void *settings, const cull_view *view,
                           const struct module *m, double *score)
{
    double *norm;
    cull_status status = column_norms(ctx, view, m, &norm);

    (void)settings;
    if (status == CULL_OK)
        status = add_row_norms(ctx, view, m, m->down - 2, score);
    if (status == CULL_OK)
        status = add_row_norms(ctx, view, m, m->down - 1, score);
    for (size_t c = 0; status == CULL_OK && c < m->F; c++)
        score[c] = sqrt(score[c] + norm[c]);
    return status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    return score_channels(ctx, settings, view, layer, formula, out);
}

static uint32_t form_for(const void *settings)
{
    return ((const struct settings *)settings)->by == BY_CHANNEL ? CULL_FORM_CHANNEL
                                                                 : CULL_FORM_WEIGHT;
}

static const cull_criterion magnitude = {
    .size = sizeof magnitude,
    .form = CULL_FORM_WEIGHT,
    .form_for = form_for,
    .score = score,
    .score_weights = score_weights,
};

CULL_PLUGIN(
    CRITERION, magnitude, "1.0", "the absolute value of a weight, or the norm of a channel",
    .doc = "The score of a weight is |w|; no calibration is needed. The classical baseline ranks "
           "all weights of a matrix together: strategy unstructured with group: tensor. With by: "
           "channel the score of an expert's hidden unit is the norm of its row of gate, its row "
           "of up and its column of down together, for strategy channels.\n\n"
           "Cost: the weights are read once.\n\n"
           "Departures from the authors' code (Wanda's and OWL's baseline): exactly floor(N*s) "
           "weights go, ties leftmost first; 'w <= sorted[int(N*s)]' removes one more and all "
           "ties.",
    .cite = "Han, Pool, Tran, Dally: Learning both Weights and Connections for Efficient Neural "
            "Networks. NeurIPS 2015.",
    CULL_SETTINGS(params, struct settings));
