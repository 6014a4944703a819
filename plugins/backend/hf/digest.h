// XXH3-128 of what was fed to a state, as 32 hex digits.
#ifndef CULL_HF_DIGEST_H
#define CULL_HF_DIGEST_H

#include <stdio.h>
#include <xxhash.h>

static inline void hf_digest(const XXH3_state_t *state, char hex[33])
{
    const XXH128_hash_t hash = XXH3_128bits_digest(state);

    (void)snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
}

#endif
