// The checksum at the end of a file, and HDF5's own.
#include "record/h5/common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char word[] = "xxh3-128";

enum { WORD = sizeof word - 1 };
// Where a superblock says its version, and where HDF5 ends: of versions 0 and 1, and of later ones.
enum { VERSION = 8, OLD_END = 40, END = 28 };

void cull_h5_seal(char seal[CULL_H5_SEAL], const cull_key *key)
{
    memcpy(seal, word, WORD);
    memcpy(seal + WORD, key->hex, CULL_H5_SEAL - WORD);
}

// 0, or errno.
static int read_at(int fd, uint64_t at, void *to, size_t n)
{
    const ssize_t got = pread(fd, to, n, (off_t)at);

    return got < 0 ? errno : (size_t)got < n ? EIO : 0;
}

typedef enum verdict { WHOLE, DAMAGED, UNSEALED, NO_FILE, SHORT } verdict;

// Has the file a seal behind its first n bytes? Its word says so, and where HDF5 ends: either is
// enough, so that damage to the one is found by the other. Without one it may end too early.
static int find_seal(int fd, uint64_t n, char seal[CULL_H5_SEAL], verdict *out)
{
    unsigned char version = 0, end[8] = { 0 };
    uint64_t ends = 0;
    int error = read_at(fd, n, seal, CULL_H5_SEAL);

    if (!error)
        error = read_at(fd, VERSION, &version, 1);
    if (!error)
        error = read_at(fd, version < 2 ? OLD_END : END, end, sizeof end);
    for (size_t i = 0; i < sizeof end; i++)
        ends |= (uint64_t)end[i] << 8 * i;
    if (!error && (memcmp(seal, word, WORD) == 0 || ends == n))
        *out = WHOLE;
    else
        *out = ends > n + CULL_H5_SEAL ? SHORT : UNSEALED;
    return error;
}

// seal: (CULL_H5_SEAL)
static int check(int fd, verdict *out, char *seal)
{
    struct stat st;
    char right[CULL_H5_SEAL];
    cull_key key;

    if (fstat(fd, &st) != 0)
        return errno;
    *out = !S_ISREG(st.st_mode) ? NO_FILE : st.st_size < 2 * CULL_H5_SEAL ? SHORT : UNSEALED;
    if (*out != UNSEALED)
        return 0;
    const uint64_t n = (uint64_t)st.st_size - CULL_H5_SEAL;
    int error = find_seal(fd, n, seal, out);
    if (!error && *out == WHOLE)
        error = cull_key_of_start(fd, n, &key);
    if (error || *out != WHOLE)
        return error;
    cull_h5_seal(right, &key);
    *out = memcmp(seal, right, sizeof right) != 0 ? DAMAGED : WHOLE;
    return 0;
}

static cull_status say(cull_ctx *ctx, const char *path, verdict v)
{
    switch (v) {
    case DAMAGED:
        return cull_fail(ctx, CULL_EFORMAT, "%s: is damaged: its checksum does not match", path);
    case NO_FILE:
        return cull_fail(ctx, CULL_EFORMAT, "%s: not a regular file", path);
    case SHORT:
        return cull_fail(ctx, CULL_EFORMAT, "%s: is not a whole HDF5 file: it is cut short", path);
    case UNSEALED:
        if (cull_context_of(ctx)->unsealed)
            return CULL_OK;
        return cull_fail(ctx, CULL_EFORMAT,
                         "%s: has no checksum: it is damaged, or was written by another program; "
                         "--unsealed has it read all the same",
                         path);
    case WHOLE:
        break;
    }
    return CULL_OK;
}

cull_status cull_h5_check(cull_ctx *ctx, const char *path, char seal[CULL_H5_SEAL + 1])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    verdict v = WHOLE;

    if (fd < 0 && errno == ENXIO) // a socket
        return say(ctx, path, NO_FILE);
    if (fd < 0)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be read: %s", path, strerror(errno));

    const int error = check(fd, &v, seal);
    close(fd);
    seal[error || v != WHOLE ? 0 : CULL_H5_SEAL] = '\0';
    if (error == ENOMEM)
        return cull_no_memory(ctx);
    if (error) // a bad sector, which is damage, too
        return cull_fail(ctx, CULL_EFORMAT, "%s: cannot be read: %s", path, strerror(error));
    return say(ctx, path, v);
}

// ---- HDF5's own ----

static uint32_t turn(uint32_t x, unsigned k)
{
    return x << k | x >> (32 - k);
}

// h: (3)
static void mix(uint32_t *h)
{
    static const unsigned by[] = { 4, 6, 8, 16, 19, 4 };

    for (size_t i = 0; i < 6; i++) {
        uint32_t *a = &h[i % 3], *b = &h[(i + 1) % 3], *c = &h[(i + 2) % 3];
        *a = (*a - *c) ^ turn(*c, by[i]);
        *c += *b;
    }
}

// h: (3)
static void end(uint32_t *h)
{
    static const unsigned by[] = { 14, 11, 25, 16, 4, 14, 24 };

    for (size_t i = 0; i < 7; i++) {
        uint32_t *to = &h[(i + 2) % 3];
        const uint32_t from = h[(i + 1) % 3];
        *to = (*to ^ from) - turn(from, by[i]);
    }
}

uint32_t cull_h5_checksum(const void *data, size_t bytes)
{
    const unsigned char *from = data;
    uint32_t h[3];

    for (size_t i = 0; i < 3; i++)
        h[i] = 0xdeadbeef + (uint32_t)bytes;
    while (bytes > 0) {
        const size_t n = bytes < 12 ? bytes : 12;
        for (size_t i = 0; i < n; i++)
            h[i / 4] += (uint32_t)from[i] << 8 * (i % 4);
        from += n;
        bytes -= n;
        bytes > 0 ? mix(h) : end(h);
    }
    return h[2];
}
