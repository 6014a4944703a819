// Rows of float32 to bf16 and its terms.
#ifndef CULL_MATH_BF16_H
#define CULL_MATH_BF16_H

#include <stddef.h>
#include <stdint.h>

#include <cull/number.h>

// x rounded to bf16, and what is left of it likewise: x ≈ high + low, to 2⁻¹⁷ of |x|.
void cull_bf16_row(size_t n, const float *x, uint16_t *high);
void cull_bf16_two(size_t n, const float *x, uint16_t *high, uint16_t *low);

// The same values as float32: x rounded to bf16, or to the sum of its two terms. out may be x.
void cull_bf16_round(size_t n, const float *x, float *out);
void cull_bf16_round_two(size_t n, const float *x, float *out);

// bf16 as float32.
void cull_bf16_widen(size_t n, const uint16_t *x, float *out);

#endif
