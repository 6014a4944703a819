// AIMER: experts whose weights are all of about one size are redundant; no calibration.
#include <math.h>

#include <cull/cull.h>

#include "common/prune/parts.h"

// Over the entries w of an expert's matrices.
typedef struct magnitudes {
    double sum, squares; // Σ |w|, Σ w²
    size_t n;
} magnitudes;

enum { SLICES = 64 };

typedef struct slices { // of one matrix's n entries
    const float *w;
    size_t n;
    double sum[SLICES], squares[SLICES];
} slices;

static cull_status add_slice(void *arg, size_t s)
{
    slices *a = arg;
    const size_t end = s + 1 < SLICES ? a->n / SLICES * (s + 1) : a->n;

    for (size_t i = a->n / SLICES * s; i < end; i++) {
        a->sum[s] += fabs((double)a->w[i]);
        a->squares[s] += (double)a->w[i] * (double)a->w[i];
    }
    return CULL_OK;
}

static cull_status add_matrix(cull_ctx *ctx, const cull_view *view, size_t l, cull_part part,
                              size_t e, magnitudes *out)
{
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    slices a = { 0 };
    size_t rows, cols;
    cull_status status =
        view->weights(ctx, view, cull_at_expert(l, part, e), &a.w, &rows, &cols, NULL);

    if (status == CULL_OK) {
        a.n = rows * cols;
        status = ctx->host->parallel(ctx, SLICES, add_slice, &a);
    }
    for (size_t s = 0; s < SLICES; s++) {
        out->sum += a.sum[s];
        out->squares += a.squares[s];
    }
    out->n += a.n;
    ctx->host->rewind(ctx, mark);
    return status;
}

// Mean of |w| over root mean square, in (0, 1]; 0 where all are 0.
static double flatness(const magnitudes *m)
{
    const double n = (double)m->n;

    return m->squares > 0 ? m->sum / n / sqrt(m->squares / n) : 0;
}

static cull_status score_expert(cull_ctx *ctx, const cull_view *view, size_t l, size_t e,
                                double *score)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    magnitudes m = { 0 };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (part_present(cull_view_layer(view, l), parts[i])) {
            const cull_status status = add_matrix(ctx, view, l, parts[i], e, &m);
            if (status != CULL_OK)
                return status;
        }
    if (!(m.squares > 0))
        ctx->host->log(ctx, CULL_WARN,
                       "layer %zu, expert %zu: all its weights are zero; it is kept to the end", l,
                       e);
    *score = -flatness(&m);
    return CULL_OK;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)settings, (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) {
            if (!expert_stands(view->before, l, e))
                continue;
            const cull_status status = score_expert(ctx, view, l, e, &out->expert[l][e]);
            if (status != CULL_OK)
                return status;
        }
    return CULL_OK;
}

static const cull_criterion aimer = {
    .size = sizeof aimer,
    .form = CULL_FORM_EXPERT,
    .score = score,
};

CULL_PLUGIN(
    CRITERION, aimer, "1.0", "weights alone: their mean size over their root mean square",
    .doc =
        "Over all n entries w of an expert's gate, up and down matrices together the ratio is "
        "(sum |w| / n) / sqrt(sum w^2 / n), in (0, 1]: 1 where all weights are of one size. The "
        "expert with the highest ratio goes first, so that the score is the ratio negated. Biases "
        "and the router take no part. The paper removes the same number from every layer "
        "(allocation layer).\n"
        "\n"
        "Cost: no calibration; every expert's weights are read once.\n"
        "\n"
        "Departures from the authors' code: sums in float64 over dequantised weights, which the "
        "earlier stages' changes are part of; fused tensors are taken apart by what they hold, "
        "where the authors' code splits those with an odd number of rows wrongly and counts "
        "gate_up twice. An expert of zeros has the ratio 0 and is kept to the end, which is "
        "logged.",
    .cite = "AIMER, arXiv:2603.18492.");
