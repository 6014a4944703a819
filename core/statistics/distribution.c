// Student's t and the binomial, by their incomplete beta function.
#include <math.h>

#include "statistics/stats.h"

// Continued fraction of the incomplete beta function (Lentz's method).
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;

    for (int m = 1; m <= 500; m++) {
        double term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + term * d;
        c = 1 + term / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;

        term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + term * d;
        c = 1 + term / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return f;
}

// The regularised incomplete beta function I_x(a, b).
static double beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x >= 1;
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));

    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double cull_t_cdf(double t, double df)
{
    if (isinf(df))
        return 0.5 * erfc(-t / sqrt(2));
    const double tail = 0.5 * beta(0.5 * df, 0.5, df / (df + t * t));

    return t > 0 ? 1 - tail : tail;
}

static double t_density(double t, double df)
{
    if (isinf(df))
        return exp(-0.5 * t * t) / sqrt(2 * 3.141592653589793);
    return exp(lgamma(0.5 * (df + 1)) - lgamma(0.5 * df) - 0.5 * (df + 1) * log1p(t * t / df)) /
           sqrt(df * 3.141592653589793);
}

// By Newton's steps, halving the bracket where one leaves it.
double cull_t_quantile(double p, double df)
{
    if (p <= 0.5)
        return p < 0.5 ? -cull_t_quantile(1 - p, df) : 0;
    double low = 0, high = 1;
    while (cull_t_cdf(high, df) < p && high < 1e10)
        high *= 2;
    double t = 0.5 * (low + high);
    for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
        const double off = cull_t_cdf(t, df) - p;
        *(off < 0 ? &low : &high) = t;
        const double step = off / t_density(t, df);
        if (fabs(step) <= 1e-15 * t)
            break;
        t = t - step > low && t - step < high ? t - step : 0.5 * (low + high);
    }
    return t;
}

double cull_mcnemar(size_t b, size_t c)
{
    const double n = (double)(b + c), less = (double)(b < c ? b : c);

    if (b == c)
        return 1;
    // P(X ≤ less) of n fair coins is I_½(n − less, less + 1)
    return fmin(1, 2 * beta(n - less, less + 1, 0.5));
}
