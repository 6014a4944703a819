// Reductions over float rows, in fixed lanes so that compilers vectorise them and every machine
// adds in the same order.
#ifndef CULL_MATH_ROWS_H
#define CULL_MATH_ROWS_H

#include <stdbool.h>
#include <stddef.h>

// The largest of x[0, n); n > 0.
float cull_row_max(size_t n, const float *x);

// x[i] = exp(x[i] − top); returns their sum.
double cull_row_exp(size_t n, float *x, float top);

// A step of an online softmax over scale · x[0, n), n > 0: *top rises to their largest, x[i]
// becomes exp(scale · x[i] − *top), and *sum is what it was, rescaled, and theirs. Returns what
// else was weighed by the old *top is to be multiplied by.
float cull_row_softmax(size_t n, float *x, float scale, float *top, double *sum);

// Σ exp(x[i] − top), x unchanged.
double cull_row_exp_sum(size_t n, const float *x, float top);

// Of two distributions, by their logits a and b (n) and the logarithms of their sums of
// exponentials: Σ p (log p − log q), and Σ min(p, q).
void cull_row_compare(size_t n, const float *a, double lse_a, const float *b, double lse_b,
                      double *divergence, double *overlap);

// x[i] *= factor; y[i] += factor · x[i].
void cull_row_scale(size_t n, float *x, float factor);
void cull_row_add(size_t n, float *y, float factor, const float *x);

// Is none of x[0, n) NaN or infinite?
bool cull_row_is_finite(size_t n, const float *x);

// y = x, plus bias (n) unless that is NULL, plus y where `add`.
void cull_row_put(size_t n, const float *x, const float *bias, bool add, float *y);

// The first index of the largest of x[0, n); n > 0.
size_t cull_row_argmax(size_t n, const float *x);

#endif
