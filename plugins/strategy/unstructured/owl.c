// Outlier Weighed Layerwise sparsity: layers with more outliers keep more.
#include <math.h>

#include "common/prune/parts.h"
#include "unstructured.h"

enum { SLICES = 64 };
static const double least = 0.01;
static const double most = 0.999;

// ---- the share of outliers ----

typedef struct pool {
    double sum, n, threshold, outliers;
} pool;

typedef struct slices {
    const scored *m;
    double threshold;
    double sum[SLICES], above[SLICES];
} slices;

static cull_status measure_slice(void *arg, size_t s)
{
    slices *a = arg;
    const size_t n = a->m->rows * a->m->cols;
    const size_t begin = n / SLICES * s;
    const size_t end = s + 1 < SLICES ? n / SLICES * (s + 1) : n;

    for (size_t i = begin; i < end; i++) {
        a->sum[s] += a->m->score[i];
        a->above[s] += a->m->score[i] > a->threshold;
    }
    return CULL_OK;
}

static cull_status measure(cull_ctx *ctx, const scored *m, double threshold, double *sum,
                           double *above)
{
    slices a = { .m = m, .threshold = threshold };
    const cull_status status = ctx->host->parallel(ctx, SLICES, measure_slice, &a);

    for (size_t s = 0; s < SLICES; s++) {
        *sum += a.sum[s];
        *above += a.above[s];
    }
    return status;
}

static cull_status add_sum(void *arg, cull_ctx *ctx, const scored *m)
{
    pool *p = arg;
    double ignored = 0;

    p->n += (double)(m->rows * m->cols);
    return measure(ctx, m, 0, &p->sum, &ignored);
}

static cull_status add_outliers(void *arg, cull_ctx *ctx, const scored *m)
{
    pool *p = arg;
    double ignored = 0;

    return measure(ctx, m, p->threshold, &ignored, &p->outliers);
}

cull_status outlier_percent(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                            size_t l, double *percent)
{
    pool p = { 0 };
    cull_status status = each_matrix(ctx, set, view, l, true, add_sum, &p);

    if (status != CULL_OK || p.n <= 0)
        return status;
    p.threshold = set->outlier * p.sum / p.n;
    if (!isfinite(p.threshold))
        return ctx->host->fail(ctx, CULL_ENUMERIC,
                               "layer %zu: the scores of its weights are not finite", l);
    status = each_matrix(ctx, set, view, l, true, add_outliers, &p);
    *percent = 100 * p.outliers / p.n;
    return status;
}

// ---- from shares to sparsities ----

static double within(double s, double low)
{
    return s < low ? low : s > most ? most : s;
}

// The mean over layers, weighted by size, of what is left when extra[l] + shift of each layer is
// kept.
static double mean_sparsity(size_t L, const double *size, const double *extra, double shift,
                            double low)
{
    double sum = 0;
    double total = 0;

    for (size_t l = 0; l < L; l++) {
        sum += size[l] * within(1 - extra[l] - shift, low);
        total += size[l];
    }
    return sum / total;
}

// The shift with which the layers keep 1 − sparsity on average. Without a bound in play it is
// exact; else it is bisected from the side that removes no more than asked for.
static double shift_for(size_t L, const double *size, const double *extra, double sparsity,
                        double low)
{
    double mean = 0;
    double total = 0;
    bool bound = false;

    for (size_t l = 0; l < L; l++) {
        mean += extra[l] * size[l];
        total += size[l];
    }
    const double plain = 1 - sparsity - mean / total;
    for (size_t l = 0; l < L; l++) {
        const double s = 1 - extra[l] - plain;
        bound |= size[l] > 0 && (s < low || s > most);
    }
    if (!bound)
        return plain;
    double too_little = -2;
    double enough = 2;
    for (int i = 0; i < 100; i++) {
        const double middle = (too_little + enough) / 2;
        *(mean_sparsity(L, size, extra, middle, low) > sparsity ? &too_little : &enough) = middle;
    }
    return enough;
}

static double standing_params(const cull_view *view, size_t l)
{
    double n = 0;

    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
        n += expert_stands(view->before, l, e);
    return n * (double)cull_view_layer(view, l)->expert_params;
}

cull_status owl(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                const cull_budget *budget, double *sparsity)
{
    const size_t L = view->model->L;
    double *percent = ctx->host->scratch(ctx, L, sizeof *percent);
    double *size = ctx->host->scratch(ctx, L, sizeof *size);   // expert parameters that take part
    double *extra = ctx->host->scratch(ctx, L, sizeof *extra); // kept share beyond the common one

    if (!percent || !size || !extra)
        return CULL_ENOMEM;

    double low = INFINITY;
    double high = -INFINITY;
    for (size_t l = 0; l < L; l++) {
        size[l] = budget->frozen && budget->frozen[l] ? 0 : standing_params(view, l);
        if (size[l] <= 0)
            continue;
        const cull_status status = outlier_percent(ctx, set, view, l, &percent[l]);
        if (status != CULL_OK)
            return status;
        low = fmin(low, percent[l]);
        high = fmax(high, percent[l]);
    }
    for (size_t l = 0; l < L; l++)
        if (size[l] > 0 && high > low)
            extra[l] = 2 * set->lambda * (percent[l] - low) / (high - low);

    if (low > high) // no layer takes part
        return CULL_OK;
    const double lowest = fmin(least, budget->sparsity);
    const double shift = shift_for(L, size, extra, budget->sparsity, lowest);
    for (size_t l = 0; l < L; l++) {
        if (size[l] <= 0)
            continue;
        sparsity[l] = within(1 - extra[l] - shift, lowest);
        ctx->host->log(ctx, CULL_INFO, "layer %zu: %.3f %% outliers, sparsity %.4f", l, percent[l],
                       sparsity[l]);
    }
    return CULL_OK;
}
