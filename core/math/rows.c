// Reductions over float rows in fixed lanes.
#include "math/rows.h"

#include <string.h>

#include <cull/kernel.h>

enum { LANES = 16 };

CULL_CLONES
float cull_row_max(size_t n, const float *x)
{
    float lane[LANES];
    float top = x[0];
    size_t i = 0;

    for (size_t j = 0; j < LANES; j++)
        lane[j] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (size_t j = 0; j < LANES; j++)
        top = lane[j] > top ? lane[j] : top;
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

CULL_CLONES
double cull_row_exp(size_t n, float *x, float top)
{
    float lane[LANES] = { 0 };
    double sum = 0.0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            x[i + j] = cull_exp(x[i + j] - top);
            lane[j] += x[i + j];
        }
    for (; i < n; i++) {
        x[i] = cull_exp(x[i] - top);
        sum += (double)x[i];
    }
    for (size_t j = 0; j < LANES; j++)
        sum += (double)lane[j];
    return sum;
}

float cull_row_softmax(size_t n, float *x, float scale, float *top, double *sum)
{
    cull_row_scale(n, x, scale);
    const float here = cull_row_max(n, x);
    const float before = *top;

    *top = here > before ? here : before;
    const float factor = *top == before ? 1.0f : cull_exp(before - *top);
    *sum = *sum * (double)factor + cull_row_exp(n, x, *top);
    return factor;
}

CULL_CLONES
static double exp_sum_block(size_t n, const float *x, float top)
{
    float lane[LANES] = { 0 };
    double sum = 0.0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += cull_exp(x[i + j] - top);
    for (; i < n; i++)
        sum += (double)cull_exp(x[i] - top);
    for (size_t j = 0; j < LANES; j++)
        sum += (double)lane[j];
    return sum;
}

double cull_row_exp_sum(size_t n, const float *x, float top)
{
    const size_t block = 64 * LANES; // few enough terms a lane for float
    double sum = 0.0;

    for (size_t i = 0; i < n; i += block)
        sum += exp_sum_block(n - i < block ? n - i : block, x + i, top);
    return sum;
}

// One term in each of `count` lanes.
static inline void compare_lanes(size_t count, const float *a, double lse_a, const float *b,
                                 double lse_b, double *divergence, double *overlap)
{
    for (size_t j = 0; j < count; j++) {
        const double log_p = (double)a[j] - lse_a, log_q = (double)b[j] - lse_b;
        const float p = cull_exp((float)log_p), q = cull_exp((float)log_q);
        divergence[j] += (double)p * (log_p - log_q);
        overlap[j] += (double)(p < q ? p : q);
    }
}

CULL_CLONES
void cull_row_compare(size_t n, const float *a, double lse_a, const float *b, double lse_b,
                      double *divergence, double *overlap)
{
    double kl[LANES] = { 0 }, shared[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        compare_lanes(LANES, a + i, lse_a, b + i, lse_b, kl, shared);
    compare_lanes(n - i, a + i, lse_a, b + i, lse_b, kl, shared);
    *divergence = *overlap = 0.0;
    for (size_t j = 0; j < LANES; j++) {
        *divergence += kl[j];
        *overlap += shared[j];
    }
}

CULL_CLONES
void cull_row_scale(size_t n, float *x, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

CULL_CLONES
void cull_row_add(size_t n, float *restrict y, float factor, const float *restrict x)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

CULL_CLONES
static void put_sum(size_t n, const float *restrict x, const float *restrict bias,
                    float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] + bias[i];
}

void cull_row_put(size_t n, const float *x, const float *bias, bool add, float *y)
{
    if (add)
        cull_row_add(n, y, 1.0f, x);
    else if (bias)
        put_sum(n, x, bias, y);
    else
        memcpy(y, x, n * sizeof *y);
    if (add && bias)
        cull_row_add(n, y, 1.0f, bias);
}

size_t cull_row_argmax(size_t n, const float *x)
{
    const float top = cull_row_max(n, x);
    size_t i = 0;

    while (i + 1 < n && !(x[i] == top))
        i++;
    return i;
}

bool cull_row_is_finite(size_t n, const float *x)
{
    float sum[LANES] = { 0 };
    float all = 0.0f;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) // 0 × x is 0, or NaN which stays one
        for (size_t k = 0; k < LANES; k++)
            sum[k] += 0.0f * x[i + k];
    for (; i < n; i++)
        sum[0] += 0.0f * x[i];
    for (size_t k = 0; k < LANES; k++)
        all += sum[k];
    return all == 0.0f;
}
