// float32 to bf16 and its terms, to nearest even; a NaN stays one.
#ifndef CULL_MATH_BF16_H
#define CULL_MATH_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t cull_bf16_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const uint32_t nan = bits >> 16 | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float cull_of_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &wide, sizeof value);
    return value;
}

// x rounded to bf16, and what is left of it likewise: x ≈ high + low, to 2⁻¹⁷ of |x|.
void cull_bf16_row(size_t n, const float *x, uint16_t *high);
void cull_bf16_two(size_t n, const float *x, uint16_t *high, uint16_t *low);

// The same values as float32: x rounded to bf16, or to the sum of its two terms. out may be x.
void cull_bf16_round(size_t n, const float *x, float *out);
void cull_bf16_round_two(size_t n, const float *x, float *out);

// bf16 as float32.
void cull_bf16_widen(size_t n, const uint16_t *x, float *out);

#endif
