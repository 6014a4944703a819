// Ratios over items and their errors; paired differences; Holm.
#include "statistics/stats.h"

#include <math.h>
#include <stdlib.h>

// ---- errors of ratios ----

static double b_of(const cull_items *items, size_t i)
{
    return items->b ? items->b[i] : 1;
}

double cull_ratio(const cull_items *items)
{
    double a = 0, b = 0;

    for (size_t i = 0; i < items->n; i++) {
        a += items->a[i];
        b += b_of(items, i);
    }
    return a / b;
}

// What item i adds to R − E R, to first order: (a − R b) / b̄.
typedef struct linear {
    double ratio, b_mean;
} linear;

static linear linear_of(const cull_items *items)
{
    linear l = { .ratio = cull_ratio(items) };

    for (size_t i = 0; i < items->n; i++)
        l.b_mean += b_of(items, i) / (double)items->n;
    return l;
}

static double residual(const cull_items *items, const linear *l, size_t i)
{
    return (items->a[i] - l->ratio * b_of(items, i)) / l->b_mean;
}

// Residuals of the difference second − first, or of second alone.
typedef struct pair {
    const cull_items *first, *second; // first may be NULL
    linear l1, l2;
} pair;

static pair pair_of(const cull_items *first, const cull_items *second)
{
    return (pair){ first, second, first ? linear_of(first) : (linear){ 0 }, linear_of(second) };
}

static double residual_of_pair(const pair *p, size_t i)
{
    return residual(p->second, &p->l2, i) - (p->first ? residual(p->first, &p->l1, i) : 0);
}

// The items from `first` on that are of one stratum: their end, and the mean of their residuals;
// all of them, of mean 0, where there are no strata.
static size_t end_of_stratum(const pair *p, size_t first, double *mean)
{
    const size_t n = p->second->n, *stratum = p->second->stratum;
    size_t end = stratum ? first : n;
    double sum = 0;

    for (; end < n && stratum[end] == stratum[first]; end++)
        sum += residual_of_pair(p, end);
    *mean = stratum ? sum / (double)(end - first) : 0;
    return end;
}

// Σ_c (Σ_i∈c r_i)² over clusters, and their number; without clusters every item is one. The members
// of a cluster need not be neighbours, but are of one stratum.
typedef struct spread {
    double squares;
    size_t clusters, strata;
} spread;

static void add_stratum(const pair *p, size_t first, size_t end, double mean, spread *s)
{
    const size_t *cluster = p->second->cluster;

    for (size_t i = first; i < end; i++) {
        double sum = residual_of_pair(p, i) - mean;
        bool opens = true;
        for (size_t j = first; cluster && opens && j < i; j++)
            opens = cluster[j] != cluster[i];
        if (!opens)
            continue;
        for (size_t j = i + 1; cluster && j < end; j++)
            if (cluster[j] == cluster[i])
                sum += residual_of_pair(p, j) - mean;
        s->squares += sum * sum;
        s->clusters++;
    }
}

static spread spread_of(const pair *p)
{
    spread s = { 0 };
    double mean;

    for (size_t first = 0, end; first < p->second->n; first = end, s.strata++) {
        end = end_of_stratum(p, first, &mean);
        add_stratum(p, first, end, mean, &s);
    }
    return s;
}

// √Σ_c (Σ_i∈c r_i)² / n with the correction for G clusters in k strata.
static double error_of(size_t n, spread s, double *df)
{
    const double G = (double)s.clusters;

    *df = G - (double)s.strata;
    return s.clusters > s.strata ? sqrt(s.squares * G / *df) / (double)n : NAN;
}

double cull_ratio_stderr(const cull_items *items, double *df)
{
    return cull_paired_stderr(NULL, items, df);
}

double cull_paired_stderr(const cull_items *first, const cull_items *second, double *df)
{
    const pair p = pair_of(first, second);

    return error_of(second->n, spread_of(&p), df);
}

// ---- differences ----

cull_difference cull_by_t(double value, double error, double df)
{
    const bool known = error > 0 && df > 0;
    // items that never differ say nothing of how they might
    const double half = known                      ? cull_t_quantile(0.975, df) * error
                        : error == 0 && value == 0 ? 0
                                                   : NAN;
    const double p = known ? 2 * cull_t_cdf(-fabs(value) / error, df) : value == 0 ? 1 : NAN;

    return (cull_difference){
        .value = value, .error = error, .df = df, .low = value - half, .high = value + half, .p = p
    };
}

// Σ variance² / df of a part: what adds up.
static double doubt(cull_error_part part)
{
    return part.error > 0 && part.df > 0 ? pow(part.error, 4) / part.df : 0;
}

cull_error_part cull_add_errors(cull_error_part a, cull_error_part b)
{
    const double variance = a.error * a.error + b.error * b.error, sum = doubt(a) + doubt(b);

    return (cull_error_part){ sqrt(variance), sum > 0 ? variance * variance / sum : INFINITY };
}

// The quantile of Student's t that leaves out `tails`, between those of the two parts; `share` is
// that of the seeds in the variance.
static double quantile_between(cull_error_part items, cull_error_part seeds, double share,
                               double tails)
{
    const double of_items = pow(1 - share, 2.5), of_seeds = pow(share, 1.5);
    double sum = 0;

    if (of_items > 0)
        sum += of_items * cull_t_quantile(1 - tails / 2, items.df);
    if (of_seeds > 0)
        sum += of_seeds * cull_t_quantile(1 - tails / 2, seeds.df);
    return sum / (of_items + of_seeds);
}

// The tails that quantile_between puts at t > 0. They lie between those of either part alone; found
// in their logarithm by the Illinois variant of false position. Least: LEAST_TAILS.
static double tails_between(cull_error_part items, cull_error_part seeds, double share, double t)
{
    const double LEAST_TAILS = 1e-15; // 1 less half of that is still told from 1
    const double of_items = share < 1 ? 2 * cull_t_cdf(-t, items.df) : 0;
    const double of_seeds = share > 0 ? 2 * cull_t_cdf(-t, seeds.df) : of_items;
    const double most = fmax(of_items, of_seeds),
                 least = share < 1 ? fmin(of_items, of_seeds) : most;
    double low = log(fmax(least, LEAST_TAILS)), high = log(fmax(most, LEAST_TAILS));
    double at_low = quantile_between(items, seeds, share, exp(low)) - t;
    double at_high = quantile_between(items, seeds, share, exp(high)) - t;

    if (at_low <= 0 || at_high >= 0)
        return exp(at_low <= 0 ? low : high);
    for (int i = 0; i < 100 && high - low > 1e-12; i++) {
        const double middle = (low * at_high - high * at_low) / (at_high - at_low);
        const double at = quantile_between(items, seeds, share, exp(middle)) - t;
        if (fabs(at) < 1e-12 * t)
            return exp(middle);
        if (at > 0) {
            low = middle;
            at_low = at;
            at_high /= 2;
        } else {
            high = middle;
            at_high = at;
            at_low /= 2;
        }
    }
    return exp(0.5 * (low + high));
}

cull_difference cull_by_two_parts(double value, cull_error_part items, cull_error_part seeds)
{
    const cull_error_part whole = cull_add_errors(items, seeds);
    cull_difference d = cull_by_t(value, whole.error, whole.df);

    if (!(whole.error > 0))
        return d;
    const double share = pow(seeds.error / whole.error, 2);
    const double half = quantile_between(items, seeds, share, 0.05) * whole.error;
    d.low = value - half;
    d.high = value + half;
    d.p = value == 0 ? 1 : tails_between(items, seeds, share, fabs(value) / whole.error);
    return d;
}

cull_difference cull_paired(const cull_items *first, const cull_items *second)
{
    double df;
    const double error = cull_paired_stderr(first, second, &df);

    return cull_by_t(cull_ratio(second) - cull_ratio(first), error, df);
}

cull_difference cull_macro(size_t k, const cull_difference *parts)
{
    double value = 0;
    cull_error_part sum = { 0, INFINITY };

    for (size_t i = 0; i < k; i++) {
        value += parts[i].value / (double)k;
        sum = cull_add_errors(sum, (cull_error_part){ parts[i].error, parts[i].df });
    }
    return cull_by_t(value, sum.error / (double)k, sum.df);
}

// ---- several comparisons ----

typedef struct ranked {
    double p;
    size_t i;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->i > y->i) - (x->i < y->i);
}

cull_status cull_holm(cull_ctx *ctx, size_t n, const double *p, double *adjusted)
{
    ranked *order = cull_scratch(ctx, n ? n : 1, sizeof *order);

    if (!order)
        return CULL_ENOMEM;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(p[i]))
            order[m++] = (ranked){ p[i], i };
        else
            adjusted[i] = NAN;
    }
    if (m)
        qsort(order, m, sizeof *order, by_p);

    double least = 0;
    for (size_t r = 0; r < m; r++) {
        least = fmax(least, fmin(1, (double)(m - r) * order[r].p));
        adjusted[order[r].i] = least;
    }
    return CULL_OK;
}
