// The hidden states between layers: in memory, or in a nameless file.
#include "engine/states.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"

// Room is taken at once, since a full disk would show later as a bus error.
static cull_status map_file(cull_ctx *ctx, const char *folder, size_t bytes, cull_states *out)
{
    int fd;

    CULL_TRY(cull_nameless_file(ctx, folder, &fd));
    int failed = posix_fallocate(fd, 0, (off_t)bytes);
    void *at = failed ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!failed && at == MAP_FAILED)
        failed = errno;
    (void)close(fd);
    if (failed)
        return cull_fail(ctx, CULL_EIO,
                         "%s: %.1f GB of hidden states do not fit the memory and cannot be kept "
                         "here: %s",
                         folder, (double)bytes / 1e9, strerror(failed));
    out->h = at;
    out->mapped = bytes;
    return CULL_OK;
}

cull_status cull_states_new(cull_ctx *ctx, size_t n, size_t D, const char *spill, cull_states *out)
{
    *out = (cull_states){ .D = D };
    if (spill && n > 0)
        return map_file(ctx, spill, n * D * sizeof *out->h, out);
    out->h = cull_alloc(n * D, sizeof *out->h);
    return out->h ? CULL_OK : cull_no_memory(ctx);
}

void cull_states_free(cull_states *states)
{
    if (states->mapped)
        (void)munmap(states->h, states->mapped);
    else
        cull_free(states->h);
    *states = (cull_states){ 0 };
}

// Whole pages around the rows: their contents are the file's, and come back when they are touched.
void cull_states_leave(const cull_states *states, size_t first, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), row = states->D * sizeof *states->h;
    const size_t begin = first * row / page * page, end = (first + n) * row;

    if (states->mapped && n > 0)
        (void)madvise((char *)states->h + begin, end - begin, MADV_DONTNEED);
}

void cull_states_copy(const cull_states *from, const cull_states *to, size_t n)
{
    for (size_t i = 0; i < n; i += CULL_STATES_AT_ONCE) {
        const size_t count = n - i < CULL_STATES_AT_ONCE ? n - i : CULL_STATES_AT_ONCE;
        memcpy(to->h + i * to->D, from->h + i * from->D, count * to->D * sizeof *to->h);
        cull_states_leave(from, i, count);
        cull_states_leave(to, i, count);
    }
}
