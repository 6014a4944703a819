// Random streams keyed by seed and name: Philox 4×32-10, counted.
#include "base/rng.h"

#include <string.h>

#include <Random123/philox.h>
#include <xxhash.h>

// The key is the trial's; the stream's names fill the upper half of the counter, so that every
// stream has 2^64 blocks of four words of its own.
void cull_rng_init(cull_rng *rng, uint64_t seed, const char *owner, const char *stream)
{
    const char *first = owner ? owner : "";
    XXH64_hash_t name = XXH3_64bits(first, strlen(first) + 1);

    name = XXH3_64bits_withSeed(stream, strlen(stream) + 1, name);

    *rng = (cull_rng){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { 0, 0, (uint32_t)name, (uint32_t)(name >> 32) },
        .used = 4,
    };
}

static void next_block(cull_rng *rng)
{
    philox4x32_ctr_t counter;
    philox4x32_key_t key;

    memcpy(counter.v, rng->counter, sizeof counter.v);
    memcpy(key.v, rng->key, sizeof key.v);
    const philox4x32_ctr_t block = philox4x32(counter, key);
    memcpy(rng->word, block.v, sizeof rng->word);
    rng->used = 0;
    if (++rng->counter[0] == 0)
        rng->counter[1]++;
}

uint32_t cull_rng_u32(cull_rng *rng)
{
    if (rng->used == 4)
        next_block(rng);
    return rng->word[rng->used++];
}

uint64_t cull_rng_u64(cull_rng *rng)
{
    const uint64_t low = cull_rng_u32(rng);

    return (uint64_t)cull_rng_u32(rng) << 32 | low;
}

double cull_rng_uniform(cull_rng *rng)
{
    return (double)(cull_rng_u64(rng) >> 11) * 0x1p-53;
}

// Numbers below 2^64 mod n would make the lowest remainders more likely; they are drawn again.
uint64_t cull_rng_below(cull_rng *rng, uint64_t n)
{
    const uint64_t least = (0 - n) % n;

    for (;;) {
        const uint64_t drawn = cull_rng_u64(rng);
        if (drawn >= least)
            return drawn % n;
    }
}

// Fisher and Yates, from the end.
void cull_rng_shuffle(cull_rng *rng, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)cull_rng_below(rng, i);
        const size_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
