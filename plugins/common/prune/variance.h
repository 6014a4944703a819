// How much an expert's output varies over the tokens that it serves, from statistic output-moments.
#ifndef COMMON_VARIANCE_H
#define COMMON_VARIANCE_H

#include <math.h>

#include <cull/stats.h>

// sqrt(Σ_d Var_d(y_e)), the root of the trace of the covariance (MoNE, section 3.2).
static inline double output_deviation(const cull_layer_stats *s, size_t e)
{
    double trace = 0.0;

    for (size_t d = 0; d < s->D; d++)
        trace += s->var[e * s->D + d];
    return sqrt(trace);
}

#endif
