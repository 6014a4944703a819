// A studentised paired bootstrap over items and clusters.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "statistics/stats.h"

// A number of the first model and of the second.
typedef double both __attribute__((vector_size(16)));

// A unit (item or cluster): its sums of a and b.
typedef struct unit {
    both a, b;
} unit;

// Clusters are drawn whole.
typedef struct stratum {
    size_t n;
    unit *unit; // (n)
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
    s->unit = cull_scratch(ctx, s->n, sizeof *s->unit);
    if (!s->unit)
        return CULL_ENOMEM;
    for (size_t i = 0; i < second->n; i++) {
        unit *u = &s->unit[second->cluster ? second->cluster[i] : i];
        u->a += (both){ first->a[i], second->a[i] };
        u->b += (both){ first->b ? first->b[i] : 1, second->b ? second->b[i] : 1 };
    }
    return CULL_OK;
}

// R₂ − R₁ of the units drawn (NULL: all, once), and the square of its error by linearisation.
static double difference(const stratum *s, const uint32_t *drawn, double *variance)
{
    both a = { 0 }, b = { 0 };
    const double n = (double)s->n;

    for (size_t j = 0; j < s->n; j++) {
        const unit *u = &s->unit[drawn ? drawn[j] : j];
        a += u->a;
        b += u->b;
    }
    const both ratio = a / b;
    double squares = 0;
    for (size_t j = 0; j < s->n; j++) {
        const unit *u = &s->unit[drawn ? drawn[j] : j];
        const both of = (u->a - ratio * u->b) * n / b;
        const double r = of[1] - of[0];
        squares += r * r;
    }
    *variance = squares / (n * (n - 1));
    return ratio[1] - ratio[0];
}

// ---- draws ----

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

// What is drawn: by every one of `resamples`, as many units of each of k strata as it has.
typedef struct draw {
    uint64_t seed;
    size_t resamples, k, units; // units: of all strata
    const size_t *n;            // (k)
} draw;

// Draws that are kept for others like them.
struct cull_kept_draw {
    draw of;
    uint32_t *unit; // (resamples, units)
    struct cull_kept_draw *next;
};

enum { BLOCK = 250 }; // resamples that share a random stream

static void begin_block(const draw *d, size_t block, cull_rng *rng)
{
    char stream[40];

    snprintf(stream, sizeof stream, "bootstrap %zu", block);
    cull_rng_init(rng, d->seed, "report", stream);
}

static size_t blocks_of(const draw *d)
{
    return (d->resamples + BLOCK - 1) / BLOCK;
}

static size_t end_of(const draw *d, size_t block)
{
    return (block + 1) * BLOCK < d->resamples ? (block + 1) * BLOCK : d->resamples;
}

// The next resample of a block. to: (units)
static void draw_one(const draw *d, cull_rng *rng, uint32_t *to)
{
    for (size_t i = 0; i < d->k; i++)
        for (size_t j = 0; j < d->n[i]; j++)
            *to++ = draw_below(rng, (uint32_t)d->n[i]);
}

static cull_status draw_block(void *arg, size_t block)
{
    const struct cull_kept_draw *kept = arg;
    const draw *d = &kept->of;
    cull_rng rng;

    begin_block(d, block, &rng);
    for (size_t i = block * BLOCK; i < end_of(d, block); i++)
        draw_one(d, &rng, kept->unit + i * d->units);
    return CULL_OK;
}

static bool same_draw(const draw *a, const draw *b)
{
    return a->seed == b->seed && a->resamples == b->resamples && a->k == b->k &&
           memcmp(a->n, b->n, a->k * sizeof *a->n) == 0;
}

enum { MOST_KEPT = 1 << 23 }; // units drawn, 32 megabytes

// The kept draws, made where they are missing; NULL in *out: they are too many to be kept.
static cull_status keep(cull_ctx *ctx, cull_draws *draws, const draw *d, const uint32_t **out)
{
    *out = NULL;
    for (const struct cull_kept_draw *k = draws ? draws->first : NULL; k; k = k->next)
        if (same_draw(&k->of, d)) {
            *out = k->unit;
            return CULL_OK;
        }
    if (!draws || d->units > (MOST_KEPT - draws->held) / d->resamples)
        return CULL_OK;
    struct cull_kept_draw *kept = cull_take(ctx, 1, sizeof *kept);
    size_t *n = kept ? cull_take(ctx, d->k, sizeof *n) : NULL;
    if (!n)
        return CULL_ENOMEM;
    memcpy(n, d->n, d->k * sizeof *n);
    *kept = (struct cull_kept_draw){ .of = *d, .next = draws->first };
    kept->of.n = n;
    kept->unit = cull_take(ctx, d->resamples * d->units, sizeof *kept->unit);
    if (!kept->unit)
        return CULL_ENOMEM;
    CULL_TRY(ctx->host->parallel(ctx, blocks_of(d), draw_block, kept));
    draws->held += d->resamples * d->units;
    draws->first = kept;
    *out = kept->unit;
    return CULL_OK;
}

// ---- resamples ----

// The mean over the strata of the units drawn (NULL: all, once).
static double mean_difference(size_t k, const stratum *strata, const uint32_t *drawn, double *error)
{
    double value = 0, variance = 0;

    for (size_t i = 0; i < k; i++) {
        double v;
        value += difference(&strata[i], drawn, &v) / (double)k;
        variance += v / (double)(k * k);
        drawn += drawn ? strata[i].n : 0;
    }
    *error = sqrt(variance);
    return value;
}

// Move the k-th smallest of x to its place, with none above it before it (Hoare, Algorithm 65).
static double select_kth(size_t n, double *x, size_t k)
{
    for (size_t low = 0, end = n; low + 1 < end;) {
        const double pivot = x[k];
        size_t i = low, j = end;
        while (i < j) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j - 1])
                j--;
            if (i < j) {
                const double moved = x[i];
                x[i++] = x[--j];
                x[j] = moved;
            }
        }
        low = j <= k ? i : low;
        end = k < i ? j : end;
    }
    return x[k];
}

// Interval and p of the observed difference from the resampled t. Both leave out equal tails, so
// that p ≤ 0.05 where the interval leaves out 0.
static void conclude(size_t n, double *t, cull_difference *d)
{
    const double upper = select_kth(n, t, (size_t)(0.975 * (double)(n - 1)));
    const double lower = select_kth(n, t, (size_t)(0.025 * (double)(n - 1)));
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

typedef struct resampling {
    draw draw;
    const uint32_t *kept; // (resamples, units), or NULL:
    uint32_t *own;        // (blocks, units)
    const stratum *strata;
    double value, error; // of the units as they are
    double *t;           // (resamples) NaN: one unit was drawn throughout, which rounding may hide
} resampling;

static cull_status resample_block(void *arg, size_t block)
{
    const resampling *r = arg;
    const draw *d = &r->draw;
    cull_rng rng;

    begin_block(d, block, &rng);
    for (size_t i = block * BLOCK; i < end_of(d, block); i++) {
        uint32_t *own = r->kept ? NULL : r->own + block * d->units;
        if (own)
            draw_one(d, &rng, own);
        double error;
        const double again =
            mean_difference(d->k, r->strata, own ? own : r->kept + i * d->units, &error);
        r->t[i] = error > 1e-9 * r->error ? (again - r->value) / error : NAN;
    }
    return CULL_OK;
}

static cull_status resample(cull_ctx *ctx, cull_draws *draws, resampling *r)
{
    const draw *d = &r->draw;

    r->t = cull_scratch(ctx, d->resamples, sizeof *r->t);
    if (!r->t)
        return CULL_ENOMEM;
    CULL_TRY(keep(ctx, draws, d, &r->kept));
    r->own = r->kept ? NULL : cull_scratch(ctx, blocks_of(d) * d->units, sizeof *r->own);
    if (!r->kept && !r->own)
        return CULL_ENOMEM;
    return ctx->host->parallel(ctx, blocks_of(d), resample_block, r);
}

cull_status cull_bootstrap(cull_ctx *ctx, cull_draws *draws, size_t resamples, size_t k,
                           const cull_items *first, const cull_items *second, uint64_t seed,
                           cull_difference *out)
{
    stratum *strata = cull_scratch(ctx, k, sizeof *strata);
    size_t *n = cull_scratch(ctx, k, sizeof *n), fewest = SIZE_MAX, known = 0;
    resampling r = { .draw = { seed, resamples, k, 0, n }, .strata = strata };

    if (!strata || !n)
        return CULL_ENOMEM;
    for (size_t i = 0; i < k; i++) {
        CULL_TRY(gather(ctx, &first[i], &second[i], &strata[i]));
        n[i] = strata[i].n;
        r.draw.units += n[i];
        fewest = n[i] < fewest ? n[i] : fewest;
    }
    r.value = mean_difference(k, strata, NULL, &r.error);
    *out = cull_by_t(r.value, fewest > 1 ? r.error : NAN, (double)fewest - 1);
    if (!(out->error > 0))
        return CULL_OK;
    CULL_TRY(resample(ctx, draws, &r));
    for (size_t i = 0; i < resamples; i++)
        if (!isnan(r.t[i]))
            r.t[known++] = r.t[i];
    if (known > resamples / 2)
        conclude(known, r.t, out);
    return CULL_OK;
}
