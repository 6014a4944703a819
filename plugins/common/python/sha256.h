// SHA-256 (FIPS 180-4), for the hashes that request files carry.
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} sha256;

void sha256_init(sha256 *);
void sha256_add(sha256 *, const void *bytes, size_t n);
void sha256_hex(sha256 *, char out[65]); // ends it: 64 hex digits and a NUL
void sha256_of(const void *bytes, size_t n, char out[65]);

#endif
