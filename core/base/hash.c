// XXH3-128 of what is fed piece by piece: names, numbers, whole files.
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY // the state as a complete type, for memory of our own
#include <xxhash.h>

#include "base/memory.h"

enum { BLOCK = 1 << 16 }; // of a file, at once

struct cull_hash {
    XXH3_state_t state;
};

cull_hash *cull_hash_new(void)
{
    cull_hash *hash = cull_alloc(1, sizeof *hash);

    if (hash)
        XXH3_128bits_reset(&hash->state);
    return hash;
}

void cull_hash_free(cull_hash *hash)
{
    cull_free(hash);
}

void cull_hash_bytes(cull_hash *hash, const void *bytes, size_t n)
{
    if (n)
        XXH3_128bits_update(&hash->state, bytes, n);
}

void cull_hash_text(cull_hash *hash, const char *text)
{
    const size_t n = strlen(text);

    cull_hash_u64(hash, n);
    cull_hash_bytes(hash, text, n);
}

// Little-endian, whatever the machine.
void cull_hash_u64(cull_hash *hash, uint64_t value)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    cull_hash_bytes(hash, bytes, sizeof bytes);
}

void cull_hash_f64(cull_hash *hash, double value)
{
    const double plus = value + 0.0; // −0 + 0 = 0
    uint64_t bits;

    memcpy(&bits, &plus, sizeof bits);
    cull_hash_u64(hash, bits);
}

static cull_key key_of(XXH128_hash_t hash)
{
    cull_key key;

    snprintf(key.hex, sizeof key.hex, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return key;
}

cull_key cull_hash_key(const cull_hash *hash)
{
    return key_of(XXH3_128bits_digest(&hash->state));
}

cull_key cull_key_of(const void *bytes, size_t n)
{
    return key_of(XXH3_128bits(bytes, n));
}

// Of the next `most` bytes, or as many as there are: *n. 0, or errno.
static int hash_next(int fd, uint64_t most, cull_key *out, uint64_t *n)
{
    cull_hash *hash = cull_hash_new();
    unsigned char *block = cull_alloc(BLOCK, 1);
    int failed = hash && block ? 0 : ENOMEM;
    for (*n = 0; !failed && *n < most;) {
        const ssize_t got = read(fd, block, most - *n < BLOCK ? (size_t)(most - *n) : BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            break;
        if (got < 0) {
            failed = errno;
            break;
        }
        cull_hash_bytes(hash, block, (size_t)got);
        *n += (uint64_t)got;
    }
    if (!failed)
        *out = cull_hash_key(hash);

    cull_free(block);
    cull_hash_free(hash);
    return failed;
}

int cull_key_of_file(const char *path, cull_key *out)
{
    uint64_t n;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return errno;

    int failed = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (!failed)
        failed = hash_next(fd, UINT64_MAX, out, &n);
    close(fd);
    return failed;
}

int cull_key_of_start(int fd, uint64_t n, cull_key *out)
{
    uint64_t got;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return errno;
    const int failed = hash_next(fd, n, out, &got);
    return failed ? failed : got < n ? EIO : 0; // the file has become shorter
}
