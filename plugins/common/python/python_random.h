// CPython's random.Random(seed): MT19937, seeded with init_by_array([seed]), and its sample().
//
// Random(1234).sample(range(7473), 5) is [6374, 3610, 957, 61, 742] (CPython 3.11, Lib/random.py;
// M. Matsumoto and T. Nishimura, Mersenne Twister, ACM TOMACS 8, 1998).
#ifndef COMMON_PYTHON_RANDOM_H
#define COMMON_PYTHON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { PY_RANDOM_WORDS = 624 };

typedef struct py_random {
    uint32_t word[PY_RANDOM_WORDS];
    size_t used;
} py_random;

void py_random_seed(py_random *, uint32_t seed);
uint32_t py_random_u32(py_random *);

// k of the numbers 0..n−1 without repetition, in out (k), by the same algorithm; k ≤ n < 2³². work:
// (n).
void py_random_sample(py_random *, size_t n, size_t k, size_t *out, size_t *work);

#endif
