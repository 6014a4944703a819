// The per-expert arrays of trials, and how their rankings agree.
#include "results/experts.h"

#include <math.h>
#include <string.h>

#include "record/h5/h5.h"

// ---- loading ----

static cull_status matrix(cull_ctx *ctx, cull_h5_in *file, const char *name, char type,
                          const cull_experts *e, const void **data)
{
    cull_h5_shape shape;

    *data = NULL;
    if (!cull_h5_has(file, name))
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, name, type, &shape, data));
    if (shape.rank < 2 || shape.shape[shape.rank - 1] != e->E ||
        shape.shape[shape.rank - 2] != e->L)
        return cull_fail(ctx, CULL_EFORMAT, "%s is not (%zu, %zu)", name, e->L, e->E);
    return CULL_OK;
}

static cull_status read_experts(cull_ctx *ctx, cull_h5_in *file, cull_experts *out)
{
    cull_h5_shape shape;
    const void *data;

    if (!cull_h5_has(file, "/experts/kept"))
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, "/experts/kept", 'b', &shape, &data));
    if (shape.rank != 2)
        return cull_fail(ctx, CULL_EFORMAT, "/experts/kept is no matrix");
    out->kept = data;
    out->L = shape.shape[0];
    out->E = shape.shape[1];
    CULL_TRY(cull_h5_get(file, "/experts/layer", 'i', &shape, &data));
    if (shape.n != out->L)
        return cull_fail(ctx, CULL_EFORMAT, "/experts/layer is not (%zu)", out->L);
    out->layer = data;

    CULL_TRY(matrix(ctx, file, "/experts/density", 'd', out, &data));
    out->density = data;
    CULL_TRY(matrix(ctx, file, "/experts/score", 'd', out, &data));
    out->score = data; // the first criterion's
    if (!out->score)
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, "/experts/criterion", 's', &shape, &data));
    out->criterion = shape.n ? ((const char *const *)data)[0] : NULL;
    return CULL_OK;
}

cull_status cull_experts_load(cull_ctx *ctx, const char *path, cull_experts *out)
{
    cull_h5_in *file;

    *out = (cull_experts){ 0 };
    CULL_TRY(cull_h5_open(ctx, path, &file));
    const cull_status status = cull_h5_done(file, read_experts(ctx, file, out));
    return cull_while(ctx, status, "reading %s", path);
}

// ---- agreement ----

void cull_rank_layers(size_t L, size_t E, const double *score, double *rank)
{
    for (size_t l = 0; l < L; l++)
        for (size_t e = 0; e < E; e++) {
            const double *row = score + l * E;
            size_t less = 0, equal = 0, n = 0;
            for (size_t o = 0; o < E; o++) {
                n += isnan(row[o]) == 0;
                less += row[o] < row[e];
                equal += row[o] == row[e];
            }
            rank[l * E + e] = isnan(row[e]) ? NAN
                              : n > 1 ? ((double)less + 0.5 * (double)(equal - 1)) / (double)(n - 1)
                                      : 0.5;
        }
}

static double correlation(size_t n, const double *x, const double *y)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0, count = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(y[i])) {
            mx += x[i];
            my += y[i];
            count++;
        }
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(y[i])) {
            const double dx = x[i] - mx / count, dy = y[i] - my / count;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

double cull_rank_correlation(size_t L, size_t E, const double *rank_a, const double *rank_b)
{
    double sum = 0, n = 0;

    for (size_t l = 0; l < L; l++) {
        const double rho = correlation(E, rank_a + l * E, rank_b + l * E);
        if (!isnan(rho)) {
            sum += rho;
            n++;
        }
    }
    return n > 0 ? sum / n : NAN;
}

static double log_choose(size_t n, size_t k)
{
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

// Expected Jaccard index of blind sets of a and b out of n: Σ_k P(k) k / (a + b − k).
static double chance(size_t n, size_t a, size_t b)
{
    double sum = 0;

    for (size_t k = a + b > n ? a + b - n : 0; k <= a && k <= b; k++)
        if (k > 0)
            sum += exp(log_choose(a, k) + log_choose(n - a, b - k) - log_choose(n, b)) * (double)k /
                   (double)(a + b - k);
    return sum;
}

cull_overlap cull_removed_overlap(size_t L, size_t E, const uint8_t *kept_a, const uint8_t *kept_b)
{
    cull_overlap sum = { 0, 0 };
    double layers = 0;

    for (size_t l = 0; l < L; l++) {
        size_t n = 0, a = 0, b = 0, both = 0;
        for (size_t i = l * E; i < (l + 1) * E; i++) {
            n += kept_a[i] <= 1;
            a += kept_a[i] == 0;
            b += kept_b[i] == 0;
            both += kept_a[i] == 0 && kept_b[i] == 0;
        }
        if (a + b == 0)
            continue;
        sum.jaccard += (double)both / (double)(a + b - both);
        sum.chance += chance(n, a, b);
        layers++;
    }
    return (cull_overlap){ sum.jaccard / layers, sum.chance / layers };
}
