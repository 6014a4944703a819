// Rows of float32 as one or two terms of bf16.
#include "math/bf16.h"

#include <cull/kernel.h>

// What x is short of its first term. An infinity or a NaN is all in the first.
static inline float rest(float x, float high)
{
    const float low = x - high;

    return low - low == 0.0f ? low : 0.0f;
}

CULL_CLONES
void cull_bf16_row(size_t n, const float *x, uint16_t *high)
{
    for (size_t i = 0; i < n; i++)
        high[i] = cull_bf16_of(x[i]);
}

CULL_CLONES
void cull_bf16_two(size_t n, const float *x, uint16_t *high, uint16_t *low)
{
    for (size_t i = 0; i < n; i++) {
        high[i] = cull_bf16_of(x[i]);
        low[i] = cull_bf16_of(rest(x[i], cull_of_bf16(high[i])));
    }
}

CULL_CLONES
void cull_bf16_round(size_t n, const float *x, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = cull_of_bf16(cull_bf16_of(x[i]));
}

CULL_CLONES
void cull_bf16_round_two(size_t n, const float *x, float *out)
{
    for (size_t i = 0; i < n; i++) {
        const float high = cull_of_bf16(cull_bf16_of(x[i]));
        out[i] = high + cull_of_bf16(cull_bf16_of(rest(x[i], high)));
    }
}

CULL_CLONES
void cull_bf16_widen(size_t n, const uint16_t *x, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = cull_of_bf16(x[i]);
}
