// A studentised paired bootstrap over items and clusters.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "statistics/stats.h"

// A stratum: units (items or clusters) with their sums of a and b under both models. Clusters are
// drawn whole.
typedef struct stratum {
    size_t n;
    double *a1, *b1, *a2, *b2; // (n)
} stratum;

static size_t units(const cull_items *items)
{
    size_t n = items->cluster ? 0 : items->n;

    for (size_t i = 0; items->cluster && i < items->n; i++)
        n = items->cluster[i] + 1 > n ? items->cluster[i] + 1 : n;
    return n;
}

static cull_status gather(cull_ctx *ctx, const cull_items *first, const cull_items *second,
                          stratum *s)
{
    s->n = units(second);
    s->a1 = cull_scratch(ctx, 4 * s->n, sizeof *s->a1);
    if (!s->a1)
        return CULL_ENOMEM;
    s->b1 = s->a1 + s->n;
    s->a2 = s->b1 + s->n;
    s->b2 = s->a2 + s->n;
    for (size_t i = 0; i < second->n; i++) {
        const size_t u = second->cluster ? second->cluster[i] : i;
        s->a1[u] += first->a[i];
        s->b1[u] += first->b ? first->b[i] : 1;
        s->a2[u] += second->a[i];
        s->b2[u] += second->b ? second->b[i] : 1;
    }
    return CULL_OK;
}

// R₂ − R₁ of the units drawn (NULL: all, once), and the square of its error by linearisation.
static double difference(const stratum *s, const uint32_t *drawn, double *variance)
{
    double a1 = 0, b1 = 0, a2 = 0, b2 = 0;
    const double n = (double)s->n;

    for (size_t j = 0; j < s->n; j++) {
        const size_t u = drawn ? drawn[j] : j;
        a1 += s->a1[u];
        b1 += s->b1[u];
        a2 += s->a2[u];
        b2 += s->b2[u];
    }
    const double r1 = a1 / b1, r2 = a2 / b2;
    double squares = 0;
    for (size_t j = 0; j < s->n; j++) {
        const size_t u = drawn ? drawn[j] : j;
        const double r = (s->a2[u] - r2 * s->b2[u]) * n / b2 - (s->a1[u] - r1 * s->b1[u]) * n / b1;
        squares += r * r;
    }
    *variance = squares / (n * (n - 1));
    return r2 - r1;
}

// [0, n), unbiased, of 32 random bits (Lemire, Fast Random Integer Generation in an Interval,
// 2019).
static uint32_t draw_below(cull_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)cull_rng_u32(rng) * n;

    if ((uint32_t)product < n)
        for (const uint32_t least = (0 - n) % n; (uint32_t)product < least;)
            product = (uint64_t)cull_rng_u32(rng) * n;
    return (uint32_t)(product >> 32);
}

// The mean over the strata, of a new draw if `rng` is given.
static double mean_difference(size_t k, const stratum *strata, cull_rng *rng, uint32_t *drawn,
                              double *error)
{
    double value = 0, variance = 0;

    for (size_t i = 0; i < k; i++) {
        double v;
        for (size_t j = 0; rng && j < strata[i].n; j++)
            drawn[j] = draw_below(rng, (uint32_t)strata[i].n);
        value += difference(&strata[i], rng ? drawn : NULL, &v) / (double)k;
        variance += v / (double)(k * k);
    }
    *error = sqrt(variance);
    return value;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// Interval and p of the observed difference from the resampled t. Both leave out equal tails, so
// that p ≤ 0.05 where the interval leaves out 0.
static void conclude(size_t n, double *t, cull_difference *d)
{
    qsort(t, n, sizeof *t, by_value);
    const double upper = t[(size_t)(0.975 * (double)(n - 1))];
    const double lower = t[(size_t)(0.025 * (double)(n - 1))];
    const double seen = d->value / d->error;
    size_t above = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        above += t[i] >= seen;
        below += t[i] <= seen;
    }

    d->low = d->value - upper * d->error;
    d->high = d->value - lower * d->error;
    d->p = fmin(1, 2 * (1 + (double)(above < below ? above : below)) / (1 + (double)n));
}

enum { BLOCK = 250 }; // resamples that share a random stream

typedef struct resampling {
    size_t n, k, most; // resamples, strata, units of the largest stratum
    const stratum *strata;
    uint64_t seed;
    double value, error; // of the units as they are
    uint32_t *drawn;     // (blocks, most)
    double *t;           // (n) NaN: one unit was drawn throughout, which rounding may hide
} resampling;

static cull_status resample_block(void *arg, size_t block)
{
    const resampling *r = arg;
    const size_t end = (block + 1) * BLOCK < r->n ? (block + 1) * BLOCK : r->n;
    char stream[40];
    cull_rng rng;

    snprintf(stream, sizeof stream, "bootstrap %zu", block);
    cull_rng_init(&rng, r->seed, "report", stream);
    for (size_t i = block * BLOCK; i < end; i++) {
        double error;
        const double again =
            mean_difference(r->k, r->strata, &rng, r->drawn + block * r->most, &error);
        r->t[i] = error > 1e-9 * r->error ? (again - r->value) / error : NAN;
    }
    return CULL_OK;
}

static cull_status resample(cull_ctx *ctx, resampling *r)
{
    const size_t blocks = (r->n + BLOCK - 1) / BLOCK;

    r->t = cull_scratch(ctx, r->n, sizeof *r->t);
    r->drawn = cull_scratch(ctx, blocks * r->most, sizeof *r->drawn);
    if (!r->t || !r->drawn)
        return CULL_ENOMEM;
    return ctx->host->parallel(ctx, blocks, resample_block, r);
}

cull_status cull_bootstrap(cull_ctx *ctx, size_t resamples, size_t k, const cull_items *first,
                           const cull_items *second, uint64_t seed, cull_difference *out)
{
    stratum *strata = cull_scratch(ctx, k, sizeof *strata);
    size_t most = 1, fewest = SIZE_MAX;

    if (!strata)
        return CULL_ENOMEM;
    for (size_t i = 0; i < k; i++) {
        CULL_TRY(gather(ctx, &first[i], &second[i], &strata[i]));
        most = strata[i].n > most ? strata[i].n : most;
        fewest = strata[i].n < fewest ? strata[i].n : fewest;
    }

    double error;
    const double value = mean_difference(k, strata, NULL, NULL, &error);
    *out = cull_by_t(value, fewest > 1 ? error : NAN, (double)fewest - 1);
    if (!(out->error > 0))
        return CULL_OK;
    resampling r = { .n = resamples,
                     .k = k,
                     .most = most,
                     .strata = strata,
                     .seed = seed,
                     .value = value,
                     .error = out->error };
    CULL_TRY(resample(ctx, &r));
    size_t n = 0;
    for (size_t i = 0; i < resamples; i++)
        if (!isnan(r.t[i]))
            r.t[n++] = r.t[i];
    if (n > resamples / 2)
        conclude(n, r.t, out);
    return CULL_OK;
}
