// Statistics of comparisons: what a claim needs besides a mean.
//
// Items are documents or windows. Two models that answered the same items are compared item by item
// (Miller, Adding Error Bars to Evals, arXiv 2411.00640). All intervals are two-sided, 95 %.
#ifndef CULL_STATISTICS_STATS_H
#define CULL_STATISTICS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"

// ---- distributions ----

double cull_t_cdf(double t, double df);      // Student's
double cull_t_quantile(double p, double df); // 0 < p < 1; df may be INFINITY: the normal
// Exact McNemar: two-sided probability that b and c discordant items split as unevenly by fair
// coins.
double cull_mcnemar(size_t b, size_t c);

// ---- one model ----

// An item's part of Σa/Σb: for a mean a is the outcome and b is 1, for a perplexity Σ −log p and
// tokens.
typedef struct cull_items {
    size_t n;
    const double *a, *b;   // (n); b NULL: all 1
    const size_t *cluster; // (n) ordinals below n, or NULL: all independent
    const size_t *stratum; // (n) ordinals, each stratum's items in a row, or NULL: one
} cull_items;

double cull_ratio(const cull_items *items); // Σa/Σb
// Error of a ratio by linearisation: of the mean of d = (a − R b)/b̄. sd/√n; with clusters the
// robust error of Miller's section 2.2: √Σ_c (Σ_i∈c d)² / n, times √(G/(G − 1)) for G clusters.
// df: n − 1 or G − 1. Strata (the tasks of a group) are no sample: items differ from the mean of
// their own, and G less the number of strata is divided by, which is how lm-eval pools the errors
// of a group's tasks.
double cull_ratio_stderr(const cull_items *items, double *df);

// ---- two models ----

typedef struct cull_difference { // of the second model to the first one
    double value, error, df;     // df: degrees of freedom of the error
    double low, high;            // 95 %
    double p;                    // two-sided, of no difference
} cull_difference;

// Error of R₂ − R₁ over the same items, by linearisation; first NULL: of R₂. df as above.
double cull_paired_stderr(const cull_items *first, const cull_items *second, double *df);
// R₂ − R₁ with that error, by Student's t.
cull_difference cull_paired(const cull_items *first, const cull_items *second);

// A difference with this error, its interval and p by Student's t.
cull_difference cull_by_t(double value, double error, double df);

// An error that is known to df degrees of freedom.
typedef struct cull_error_part {
    double error, df;
} cull_error_part;

// Of the sum of two independent parts: √(a² + b²), with Welch and Satterthwaite's degrees of
// freedom. Adding is associative; a part without an error adds nothing.
cull_error_part cull_add_errors(cull_error_part a, cull_error_part b);

// A difference that is uncertain over items and, independently, over a few seeds. Satterthwaite's
// degrees of freedom fail where one part has one or two (87 of 100 intervals hold); Cochran's
// approximation (Biometrics 20, 1964), which weights each part's own quantile of Student's t by its
// share u of the variance, errs to the wide side. Here the weights are u^2.5 for the items and
// u^1.5 for the seeds: from two seeds on, 93 to 97 of 100 intervals hold whatever the parts' true
// sizes (found and held by simulation, tests/unit/report/test_seeds.c). df is Satterthwaite's.
cull_difference cull_by_two_parts(double value, cull_error_part items, cull_error_part seeds);

// As cull_paired for the mean over k pairs of sets of items (strata: tasks), by a studentised
// bootstrap: items (or clusters) are drawn with replacement within each stratum, the same ones for
// both models, and t* = (d* − d) / error* gives the interval d − t*(0.975) error … d − t*(0.025)
// error. The same seed, the same numbers.
enum { CULL_RESAMPLES = 10000 };
// What is drawn follows from the seed and the numbers of units alone: bootstraps that are given the
// same draws, { 0 } at first, draw once where these agree. They change no number; they live in the
// alloc arena of the context. NULL: nothing is kept.
typedef struct cull_draws {
    struct cull_kept_draw *first;
    size_t held; // units drawn, of all that is kept
} cull_draws;
cull_status cull_bootstrap(cull_ctx *ctx, cull_draws *draws, size_t resamples, size_t k,
                           const cull_items *first, const cull_items *second, uint64_t seed,
                           cull_difference *out) CULL_MUST_CHECK;

// ---- several ----

// Mean of k independent estimates: its error is that of their sum (cull_add_errors), / k.
cull_difference cull_macro(size_t k, const cull_difference *parts);

// Holm's adjustment: adjusted[i] ≤ α for all that may be claimed together at level α. p that are
// NaN are no comparisons. adjusted may be p.
cull_status cull_holm(cull_ctx *ctx, size_t n, const double *p, double *adjusted) CULL_MUST_CHECK;

#endif
