// The half-size and small number formats, by one rule: to the nearest, of two equally near to the even one; what is
// too large becomes infinite; a NaN stays a quiet NaN with its sign.
#ifndef CULL_NUMBER_H
#define CULL_NUMBER_H

#include <stdint.h>
#include <string.h>

static inline float cull_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t cull_bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint16_t cull_bf16_of(float value)
{
    const uint32_t bits = cull_bits_of(value);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const uint32_t nan = bits >> 16 | 0x40u;

    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float cull_of_bf16(uint16_t half)
{
    return cull_of_bits((uint32_t)half << 16);
}

// IEEE binary16: 11 significant bits, exponents −14 to 15, below that steps of 2⁻²⁴.
static inline uint16_t cull_f16_of(float value)
{
    const uint32_t bits = cull_bits_of(value), size = bits & 0x7fffffffu;
    const uint32_t sign = bits >> 16 & 0x8000u;

    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (size >= 0x477ff000u) // half a step above the largest number
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) { // counted in steps: 0.5 as float32 has steps of 2⁻²⁴
        const float steps = cull_of_bits(size) + 0.5f;
        return (uint16_t)(sign | (cull_bits_of(steps) - 0x3f000000u));
    }
    return (uint16_t)(sign | ((size + 0xfffu + (size >> 13 & 1u) - 0x38000000u) >> 13));
}

static inline float cull_of_f16(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = half >> 10 & 0x1fu, mantissa = half & 0x3ffu;

    if (exponent == 0) {
        const float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 31)
        return cull_of_bits(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0u));
    return cull_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

// E4M3FN: bias 7, no infinities, NaN at 0x7f and 0xff.
static inline float cull_of_e4m3(uint8_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x80u) << 24;
    const uint32_t exponent = bits >> 3 & 0xfu, mantissa = bits & 7u;

    if ((bits & 0x7fu) == 0x7fu)
        return cull_of_bits(sign | 0x7fc00000u);
    if (exponent == 0) {
        const float value = (float)mantissa * 0x1p-9f;
        return sign ? -value : value;
    }
    return cull_of_bits(sign | (exponent + 120) << 23 | mantissa << 20);
}

#endif
