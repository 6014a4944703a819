// What this machine does in a second, for estimates of time.
//
// Measured for less than 0.2 s, on all threads of the context's pool at once, and kept in a file
// beside the user's other caches, named by processor, build and threads. The first five estimates
// measure; the medians count, for a machine that others share is faster in one second than in the
// next. By the processor time that the threads were given, not by the clock: what else runs
// meanwhile must not show.
#ifndef CULL_PLAN_COST_RATES_H
#define CULL_PLAN_COST_RATES_H

#include "base/context.h"

enum { CULL_RATE_ROWS = 3, CULL_RATE_WIDTHS = 3 };

typedef struct cull_rates {                           // per second, of all threads together
    double product[CULL_RATE_ROWS][CULL_RATE_WIDTHS]; // multiply-adds × 2; see cull_product_rate
    double attention; // multiply-adds × 2 of rows with keys and values, softmax included
    double fetch;     // floats of keys and values that a run of few rows fetches and makes ready
    double rows;      // floats that are read or written between products
    double sums;      // float64 additions of statistics
    double hessian;   // multiply-adds × 2 in float64
    double steps;     // numbers that are compared and moved: a sort of n takes n log2 n
} cull_rates;

// From the file, or measured once more and then kept in it, where that can be written.
cull_status cull_rates_here(cull_ctx *ctx, cull_rates *out) CULL_MUST_CHECK;

// Of products of so many rows with a matrix of so many input channels, between what was measured.
double cull_product_rate(const cull_rates *rates, double rows, double width);

#endif
