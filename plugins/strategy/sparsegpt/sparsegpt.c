// SparseGPT: prune by the curvature of a layer's own squared error, and rewrite the weights that
// stay.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cull/cull.h>

#include "common/prune/choose.h"
#include "common/prune/masks.h"
#include "common/prune/parts.h"
#include "common/prune/stats.h"
#include "sweep.h"

struct settings {
    double damp;
    int64_t block, m;
    int64_t propagate;
};

static const char *const propagations[] = { "dense", "pruned", NULL };

static const cull_param params[] = {
    CULL_P_REAL(struct settings, damp, 0.01, 0.0, 1e6,
                "added to the Hessian's diagonal, as a share of its mean"),
    CULL_P_INT(struct settings, block, 128, 1, 1 << 20, "columns whose mask is chosen together"),
    CULL_P_INT(
        struct settings, m, 0, 0, 1024,
        "n:m sparsity: of every m consecutive inputs floor(m * sparsity) go, so that 2:4 is m: 4 "
        "at sparsity 0.5; 0: no such groups"),
    CULL_P_CHOICE(
        struct settings, propagate, 0, propagations,
        "whether later layers are calibrated on dense activations or on those of the layers "
        "already pruned"),
};

typedef struct stage {
    cull_ctx *ctx;
    const struct settings *set;
    const cull_view *view;
    double sparsity;
    size_t layer;
    cull_cut *out;
} stage;

// An expert that no token reaches has no Hessian.
static cull_status by_magnitude(const stage *g, cull_matrix_id where, size_t rows, size_t cols,
                                const float *w, const uint8_t *before)
{
    const cull_host *host = g->ctx->host;
    float *score = host->scratch(g->ctx, rows * cols, sizeof *score);
    uint8_t *mask = host->overlay(g->ctx, g->out, where, CULL_MASK, rows, cols);

    if (!score || !mask)
        return CULL_ENOMEM;
    for (size_t i = 0; i < rows * cols; i++)
        score[i] = fabsf(w[i]);
    const choice c = { where,  rows,        cols,         score,
                       before, g->sparsity, GROUP_TENSOR, (size_t)g->set->m };
    return choose(g->ctx, &c, mask);
}

static cull_status by_curvature(const stage *g, cull_matrix_id where, size_t rows, size_t cols,
                                const float *w, const uint8_t *before, const factor *f)
{
    const cull_host *host = g->ctx->host;
    const size_t m = (size_t)g->set->m;
    const size_t block = (size_t)g->set->block;
    sweep s = { .rows = rows,
                .cols = cols,
                .w = host->scratch(g->ctx, rows * cols, sizeof *s.w),
                .factor = f,
                .before = before,
                .sparsity = g->sparsity,
                .block = m ? (block + m - 1) / m * m : block,
                .m = m };
    uint8_t *mask = host->overlay(g->ctx, g->out, where, CULL_MASK, rows, cols);
    float *matrix = host->overlay(g->ctx, g->out, where, CULL_MATRIX, rows, cols);

    if (!s.w || !mask || !matrix)
        return CULL_ENOMEM;
    if (s.block > cols)
        s.block = cols;
    for (size_t i = 0; i < rows * cols; i++)
        s.w[i] = (double)w[i];
    const cull_status status = sweep_matrix(g->ctx, &s, mask);
    for (size_t i = 0; status == CULL_OK && i < rows * cols; i++) {
        matrix[i] = (float)s.w[i];
        if (!isfinite(matrix[i]))
            return host->fail(g->ctx, CULL_ENUMERIC, "%s: a rewritten weight is not finite",
                              place_of(where).s);
    }
    return status;
}

// One matrix; f is NULL where there are no tokens.
static cull_status prune(const stage *g, cull_matrix_id where, const factor *f)
{
    const cull_scratch_mark mark = g->ctx->host->mark(g->ctx);
    const float *w = NULL;
    const uint8_t *before = NULL;
    size_t rows = 0;
    size_t cols = 0;
    cull_status status = g->view->weights(g->ctx, g->view, where, &w, &rows, &cols, NULL);

    if (status == CULL_OK)
        status = mask_before(g->ctx, g->view->before, where, rows, cols, &before);
    if (status == CULL_OK && f && f->n != cols)
        status = g->ctx->host->fail(g->ctx, CULL_EPLUGIN, "%s: %zu inputs, but a Hessian of %zu",
                                    place_of(where).s, cols, f->n);
    if (status == CULL_OK)
        status = f ? by_curvature(g, where, rows, cols, w, before, f)
                   : by_magnitude(g, where, rows, cols, w, before);
    g->ctx->host->rewind(g->ctx, mark);
    return status;
}

// The matrices of expert e that share an input, with the sum of its outer products (n, n).
static cull_status prune_sharing(const stage *g, size_t e, const double *sum, size_t n,
                                 double tokens, size_t n_parts, const cull_part *parts)
{
    cull_ctx *ctx = g->ctx;
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    factor f;
    cull_status status = tokens > 0 ? factorise(ctx, sum, n, tokens, g->set->damp, &f) : CULL_OK;

    if (status == CULL_OK && tokens > 0 && f.damp > g->set->damp)
        ctx->host->log(ctx, CULL_WARN,
                       "layer %zu, expert %zu: damping raised to %.0e for the input of %s",
                       g->layer, e, f.damp, cull_part_word(parts[0]));
    for (size_t i = 0; status == CULL_OK && i < n_parts; i++)
        if (part_present(cull_view_layer(g->view, g->layer), parts[i]))
            status = prune(g, cull_at_expert(g->layer, parts[i], e), tokens > 0 ? &f : NULL);
    ctx->host->rewind(ctx, mark);
    return status;
}

// Experts whose statistics leave something open, in two lines at most.
static void report(const stage *g)
{
    const cull_layer_stats *stats = cull_stats_layer(g->view->stats, g->layer);
    const double inputs = (double)(stats->D > stats->F ? stats->D : stats->F);
    char unrouted[256] = "";
    char few[256] = "";

    for (size_t e = 0; e < stats->E; e++) {
        if (!expert_stands(g->view->before, g->layer, e) || stats->count[e] >= inputs)
            continue;
        char *list = stats->count[e] <= 0 ? unrouted : few;
        const size_t n = strlen(list);
        if (n + 24 < sizeof few)
            snprintf(list + n, sizeof few - n, " %zu", e);
        else if (n + 4 < sizeof few && list[n - 1] != '.')
            snprintf(list + n, sizeof few - n, " ...");
    }
    if (*unrouted)
        g->ctx->host->log(
            g->ctx, CULL_WARN,
            "layer %zu: no token is routed to the experts%s; their weights are ranked by "
            "magnitude alone",
            g->layer, unrouted);
    if (*few)
        g->ctx->host->log(
            g->ctx, CULL_INFO,
            "layer %zu: fewer tokens than inputs reach the experts%s; the damping decides "
            "where they leave it open",
            g->layer, few);
}

// The sum of outer products (n, n) of inputs that fill only the first n of the D places.
static const double *corner(const stage *g, const double *sum, size_t D, size_t n)
{
    double *out = n < D ? g->ctx->host->scratch(g->ctx, n * n, sizeof *out) : NULL;

    for (size_t i = 0; out && i < n; i++)
        memcpy(out + i * n, sum + i * D, n * sizeof *out);
    return n < D ? out : sum;
}

static cull_status prune_expert(const stage *g, size_t e)
{
    static const cull_part of_x[] = { CULL_PART_GATE, CULL_PART_UP };
    static const cull_part of_u[] = { CULL_PART_DOWN };
    const cull_layer_stats *stats = cull_stats_layer(g->view->stats, g->layer);
    const size_t W = experts_inputs(g->view, g->layer);
    const double tokens = stats->count[e];
    const cull_scratch_mark mark = g->ctx->host->mark(g->ctx);
    const double *of_inputs = corner(g, stats->x_hessian + e * stats->D * stats->D, stats->D, W);

    if (!of_inputs)
        return CULL_ENOMEM;
    const cull_status status = prune_sharing(g, e, of_inputs, W, tokens, 2, of_x);
    g->ctx->host->rewind(g->ctx, mark);
    if (status != CULL_OK)
        return status;
    return prune_sharing(g, e, stats->u_hessian + e * stats->F * stats->F, stats->F, tokens, 1,
                         of_u);
}

static cull_status select_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    (void)scores;
    const stage g = { ctx, settings, view, budget->sparsity, layer, out };
    const cull_layer_stats *stats = stats_of_layer(view, layer);
    if (cull_view_layer(view, layer)->E == 0 || budget->sparsity <= 0 ||
        (budget->frozen && budget->frozen[layer]))
        return CULL_OK;
    if (!stats || !stats->count || !stats->x_hessian || !stats->u_hessian)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "layer %zu: no Hessians were gathered", layer);
    if (cull_view_decides(view, 0)) // once for all experts
        report(&g);
    for (size_t e = 0; e < cull_view_layer(view, layer)->E; e++) {
        if (!expert_stands(view->before, layer, e) || !cull_view_decides(view, e))
            continue;
        const cull_status status = prune_expert(&g, e);
        if (status != CULL_OK)
            return status;
        if (!ctx->host->progress(ctx, (double)(e + 1), (double)cull_view_layer(view, layer)->E))
            return ctx->host->fail(ctx, CULL_ECANCELED, "pruning was interrupted");
    }
    return CULL_OK;
}

// Of an expert: two Cholesky factors and an inverse for each input, and the sweeps of its matrices.
// Within a block a weight is chosen and then spread over half of it, eight numbers in a step.
static void work(const void *settings, const cull_model_facts *model, const cull_layer_facts *layer,
                 cull_work *out)
{
    const double W = (double)(layer->expert_width ? layer->expert_width : model->D);
    const double F = (double)layer->F, left = (double)out->left;
    const double block = fmin((double)((const struct settings *)settings)->block, fmax(W, F));

    out->alone = left * 4 * (W * W * W + F * F * F) / 3;
    out->products = left * (2 * F * W * W + W * F * F);
    out->steps = left * (double)layer->expert_params * (2 + block / 16);
}

static const cull_strategy sparsegpt = {
    .size = sizeof sparsegpt,
    .accepts = CULL_FORM_NONE,
    .emits = CULL_EMITS_MASK | CULL_EMITS_MATRIX,
    .needs = CULL_STAT_ROUTING | CULL_STAT_HESSIAN,
    .flags = CULL_BY_LAYER | CULL_BY_EXPERT,
    .select = select_layer,
    .work = work,
};

CULL_PLUGIN(
    STRATEGY, sparsegpt, "1.0", "prune by curvature, and let the weights that stay make up for it",
    .doc = "H = 2/n sum x x' over the n tokens routed to an expert, damped by `damp` of its mean "
           "diagonal; U is the upper Cholesky factor of its inverse. Blocks of columns from left "
           "to right: when a block is reached, the floor(count * sparsity) smallest w^2/U_ii^2 "
           "of it, all rows pooled, are chosen (with m: the smallest of each group of m inputs, "
           "when the group is reached); then column by column each removed weight w is spread "
           "over those to the right of it, w_j -= w U_ij/U_ii. All of it in float64; the result "
           "is stored as float32. Experts' matrices only.\n\n"
           "Cost: Hessians of (D^2 + F^2) numbers per expert, one layer at a time; then O(D^3 + "
           "F^3) per expert, and O(rows cols^2) per matrix.\n\n"
           "Departures from the authors' code: exactly floor(count * sparsity) weights of a "
           "block go, where '<= threshold' removes one more; an expert without tokens is pruned "
           "by magnitude instead of zeroed whole; where the Hessian cannot be factorised, the "
           "damping is raised tenfold. Both are logged. Inputs that are always zero take part in "
           "the mean of the diagonal with 1, as there.",
    .cite = "Frantar, Alistarh: SparseGPT: Massive Language Models Can be Accurately Pruned in "
            "One-Shot. ICML 2023. arXiv:2301.00774, section 3.",
    CULL_SETTINGS(params, struct settings));
