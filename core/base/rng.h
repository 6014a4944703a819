// Random numbers by counter (Philox 4×32-10), keyed by a seed and names, so that a new plugin or
// setting disturbs no other stream.
#ifndef CULL_BASE_RNG_H
#define CULL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <cull/host.h>

struct cull_rng {
    uint32_t key[2], counter[4], word[4];
    unsigned used;
};

void cull_rng_init(cull_rng *rng, uint64_t seed, const char *owner, const char *stream);
uint32_t cull_rng_u32(cull_rng *rng);
uint64_t cull_rng_u64(cull_rng *rng);
double cull_rng_uniform(cull_rng *rng);                        // [0, 1), 53 bits
uint64_t cull_rng_below(cull_rng *rng, uint64_t n);            // [0, n), unbiased; n > 0
void cull_rng_shuffle(cull_rng *rng, size_t n, size_t *order); // a permutation of 0..n−1

#endif
