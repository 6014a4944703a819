// The checksum at the end of a file.
#include "record/h5_common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char word[] = "xxh3-128";

enum { WORD = sizeof word - 1 };
enum { END_OF_FILE = 40 }; // the byte of a superblock 0 that says where HDF5 ends

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

// Has the file a seal behind its first n bytes? Its word says so, and where HDF5 ends: either is
// enough, so that damage to the one is found by the other.
static int find_seal(int fd, uint64_t n, char seal[CULL_H5_SEAL], bool *sealed)
{
    unsigned char end[8] = { 0 };
    uint64_t ends = 0;
    int error = read_at(fd, n, seal, CULL_H5_SEAL);

    if (!error)
        error = read_at(fd, END_OF_FILE, end, sizeof end);
    for (size_t i = 0; i < sizeof end; i++)
        ends |= (uint64_t)end[i] << 8 * i;
    *sealed = !error && (memcmp(seal, word, WORD) == 0 || ends == n);
    return error;
}

static int check(int fd, bool *damaged)
{
    struct stat st;
    char seal[CULL_H5_SEAL], right[CULL_H5_SEAL];
    bool sealed = false;
    cull_key key;

    *damaged = false;
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode) || st.st_size < 2 * CULL_H5_SEAL)
        return 0; // no HDF5 file; HDF5 says so
    const uint64_t n = (uint64_t)st.st_size - CULL_H5_SEAL;
    int error = find_seal(fd, n, seal, &sealed);
    if (!error && sealed)
        error = cull_key_of_start(fd, n, &key);
    if (error || !sealed)
        return error;
    cull_h5_seal(right, &key);
    *damaged = memcmp(seal, right, sizeof seal) != 0;
    return 0;
}

cull_status cull_h5_check(cull_ctx *ctx, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool damaged;
    if (fd < 0)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be read: %s", path, strerror(errno));

    const int error = check(fd, &damaged);
    close(fd);
    if (error == ENOMEM)
        return cull_no_memory(ctx);
    if (error) // a bad sector, which is damage, too
        return cull_fail(ctx, CULL_EFORMAT, "%s: cannot be read: %s", path, strerror(error));
    return damaged
               ? cull_fail(ctx, CULL_EFORMAT, "%s: is damaged: its checksum does not match", path)
               : CULL_OK;
}
