// Exponentials of float rows that compilers turn into vector code.
//
// cull_exp: relative error below 2e-7 on [-87, 88]; below that 0, above it saturates at exp(88).
// (Cody–Waite reduction and the degree-6 polynomial of Cephes' expf.)
#ifndef CULL_MATH_VEXP_H
#define CULL_MATH_VEXP_H

#include <stdint.h>
#include <string.h>

static inline float cull_exp(float x)
{
    const float keep = x < -87.0f ? 0.0f : 1.0f;
    const float y = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    const float magic = 12582912.0f; // 1.5 · 2^23: adding it rounds to an integer
    const float shifted = y * 1.44269504f + magic;
    const float n = shifted - magic;
    const float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    uint32_t bits;
    float scale;

    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23; // the low bits of `shifted` hold n
    memcpy(&scale, &bits, sizeof scale);
    return p * scale * keep;
}

#endif
