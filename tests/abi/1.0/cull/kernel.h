// For loops over many rows: an exponential that compilers vectorise, and functions compiled once per generation
// of vector units.
#ifndef CULL_KERNEL_H
#define CULL_KERNEL_H

#include <stdint.h>
#include <string.h>

// CULL_CLONES before a function: one clone a generation of vector units, chosen when the program starts. All
// clones give the same bits (no contraction, no reordering). Where that is not supported it means nothing.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) &&        \
    !defined(__SANITIZE_ADDRESS__)
#define CULL_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define CULL_CLONES
#endif

// exp(x), relative error below 2e-7 on [−87, 88]; 0 below, exp(88) above; a NaN stays one.
// (Cody–Waite reduction and the degree-6 polynomial of Cephes' expf.)
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

// 1 / (1 + exp(−x)), by an exponential of at most 1: a compiler that works out the quotient of a clamped
// exponential for every lane, wanted or not, would meet subnormals, which cost a hundred times more.
static inline float cull_sigmoid(float x)
{
    const float t = cull_exp(x < 0.0f ? x : -x);

    return (x < 0.0f ? t : 1.0f) / (1.0f + t);
}

#endif
