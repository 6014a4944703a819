// Python's random.Random: MT19937, shuffles and samples.
#include "common/python/python_random.h"

#include <stdbool.h>

enum { N = PY_RANDOM_WORDS, M = 397 };

static void init_genrand(py_random *r, uint32_t seed)
{
    r->word[0] = seed;
    for (uint32_t i = 1; i < N; i++)
        r->word[i] = 1812433253u * (r->word[i - 1] ^ (r->word[i - 1] >> 30)) + i;
    r->used = N;
}

void py_random_seed(py_random *r, uint32_t seed) // init_by_array with one key
{
    init_genrand(r, 19650218u);
    uint32_t *w = r->word;
    size_t i = 1;
    for (size_t k = 0; k < N; k++) {
        w[i] = (w[i] ^ ((w[i - 1] ^ (w[i - 1] >> 30)) * 1664525u)) + seed;
        if (++i >= N) {
            w[0] = w[N - 1];
            i = 1;
        }
    }
    for (size_t k = 0; k < N - 1; k++) {
        w[i] = (w[i] ^ ((w[i - 1] ^ (w[i - 1] >> 30)) * 1566083941u)) - (uint32_t)i;
        if (++i >= N) {
            w[0] = w[N - 1];
            i = 1;
        }
    }
    w[0] = 0x80000000u;
}

static void refill(py_random *r)
{
    for (size_t i = 0; i < N; i++) {
        const uint32_t y = (r->word[i] & 0x80000000u) | (r->word[(i + 1) % N] & 0x7fffffffu);
        r->word[i] = r->word[(i + M) % N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    r->used = 0;
}

uint32_t py_random_u32(py_random *r)
{
    if (r->used >= N)
        refill(r);
    uint32_t y = r->word[r->used++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

static size_t below(py_random *r, size_t n) // Random._randbelow: rejection over n.bit_length() bits
{
    unsigned bits = 0;

    while (n >> bits)
        bits++;
    size_t x;
    do
        x = py_random_u32(r) >> (32 - bits);
    while (x >= n);
    return x;
}

// From this pool size on, sample() remembers what it chose instead of shrinking a pool.
static size_t set_size(size_t k)
{
    size_t size = 21;

    if (k > 5) {
        size_t power = 1; // 4 ** ceil(log(3 k, 4))
        while (power < 3 * k)
            power *= 4;
        size += power;
    }
    return size;
}

static bool holds(const size_t *chosen, size_t n, size_t x)
{
    for (size_t i = 0; i < n; i++)
        if (chosen[i] == x)
            return true;
    return false;
}

void py_random_sample(py_random *r, size_t n, size_t k, size_t *out, size_t *work)
{
    if (n > set_size(k)) {
        for (size_t i = 0; i < k; i++) {
            size_t x = below(r, n);
            while (holds(out, i, x))
                x = below(r, n);
            out[i] = x;
        }
        return;
    }
    for (size_t i = 0; i < n; i++)
        work[i] = i;
    for (size_t i = 0; i < k; i++) {
        const size_t j = below(r, n - i);
        out[i] = work[j];
        work[j] = work[n - i - 1];
    }
}
