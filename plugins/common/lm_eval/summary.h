// Means with their standard errors, as lm-evaluation-harness computes them
// (lm_eval/api/metrics.py).
#ifndef COMMON_SUMMARY_H
#define COMMON_SUMMARY_H

#include <math.h>
#include <stddef.h>

typedef struct summary {
    double mean, stderr_; // stderr_: sd(n − 1) / √n, NaN for n < 2
    size_t n;
} summary;

static inline summary summary_of(size_t n, const double *x)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    const double mean = n ? sum / (double)n : NAN;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    const double error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN;
    return (summary){ mean, error, n };
}

// Of the documents of all tasks together: pooled_sample_stderr. A task of one document has no
// error, and then lm-eval gives its group none.
static inline summary summary_pooled(size_t n, const summary *of)
{
    double sum = 0, variance = 0;
    size_t items = 0;

    for (size_t i = 0; i < n; i++) {
        const double size = (double)of[i].n;
        items += of[i].n;
        sum += size * of[i].mean;
        variance += (size - 1) * of[i].stderr_ * of[i].stderr_ * size;
    }
    const double all = (double)items;
    const double error = items > n ? sqrt(variance / (double)(items - n) / all) : NAN;
    return (summary){ sum / all, error, items };
}

// The mean over tasks, each of equal weight; the tasks' errors are independent.
static inline summary summary_macro(size_t n, const summary *of)
{
    double sum = 0, variance = 0;
    size_t items = 0;

    for (size_t i = 0; i < n; i++) {
        items += of[i].n;
        sum += of[i].mean;
        variance += of[i].stderr_ * of[i].stderr_;
    }
    return (summary){ sum / (double)n, sqrt(variance) / (double)n, items };
}

// exp() of a mean negative log-likelihood, kept finite: a broken variant still has a (huge)
// perplexity.
static inline double perplexity_of(double mean_nll)
{
    return exp(mean_nll > 700 ? 700 : mean_nll);
}

#endif
