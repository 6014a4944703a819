// Content keys: XXH3-128 over a canonical stream of bytes, as 32 hex digits.
#ifndef CULL_BASE_HASH_H
#define CULL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <cull/status.h>

typedef struct cull_key {
    char hex[33];
} cull_key;

typedef struct cull_hash cull_hash;

cull_hash *cull_hash_new(void); // NULL: out of memory
void cull_hash_free(cull_hash *hash);
void cull_hash_bytes(cull_hash *hash, const void *bytes, size_t n);
void cull_hash_text(cull_hash *hash,
                    const char *text); // with its length, so that "ab"+"c" ≠ "a"+"bc"
void cull_hash_u64(cull_hash *hash, uint64_t value);
void cull_hash_f64(cull_hash *hash, double value); // −0 as 0
cull_key cull_hash_key(const cull_hash *hash);     // of all so far; the hash goes on

cull_key cull_key_of(const void *bytes, size_t n);
int cull_key_of_file(const char *path, cull_key *out);    // 0, or errno; EINVAL: not a regular file
int cull_key_of_start(int fd, uint64_t n, cull_key *out); // of a file's first n bytes; likewise

#endif
