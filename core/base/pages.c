// Pieces of nameless files, mapped: the system may take their pages back.
#include "base/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"

enum { CHUNK_BYTES = 64 << 20 };

typedef struct chunk { // a file
    struct chunk *next;
    char *at;
    size_t bytes, used;
} chunk;

struct cull_pages {
    const char *folder;
    chunk *last;
};

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

cull_status cull_map_nameless(cull_ctx *ctx, const char *folder, size_t bytes, const char *what,
                              void **at)
{
    int fd;

    CULL_TRY(cull_nameless_file(ctx, folder, &fd));
    int failed = posix_fallocate(fd, 0, (off_t)bytes);
    *at = failed ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!failed && *at == MAP_FAILED)
        failed = errno;
    (void)close(fd);
    if (failed)
        return cull_fail(ctx, CULL_EIO,
                         "%s: %.1f GB of %s do not fit the memory and cannot be kept here: %s",
                         folder, (double)bytes / 1e9, what, strerror(failed));
    return CULL_OK;
}

cull_pages *cull_pages_new(const char *folder)
{
    cull_pages *pages = cull_alloc(1, sizeof *pages);

    if (pages)
        pages->folder = folder;
    return pages;
}

void cull_pages_free(cull_pages *pages)
{
    while (pages && pages->last) {
        chunk *c = pages->last;
        pages->last = c->next;
        (void)munmap(c->at, c->bytes);
        cull_free(c);
    }
    cull_free(pages);
}

static bool add_chunk(cull_ctx *ctx, cull_pages *pages, size_t bytes, const char *what)
{
    chunk *c = cull_alloc(1, sizeof *c);
    void *at;

    if (!c) {
        (void)cull_no_memory(ctx);
        return false;
    }
    c->bytes = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    if (cull_map_nameless(ctx, pages->folder, c->bytes, what, &at) != CULL_OK) {
        cull_free(c);
        return false;
    }
    c->at = at;
    c->next = pages->last;
    pages->last = c;
    return true;
}

void *cull_pages_take(cull_ctx *ctx, cull_pages *pages, size_t bytes, const char *what)
{
    const size_t page = page_bytes(), whole = (bytes + page - 1) / page * page;

    if (whole < bytes) {
        (void)cull_no_memory(ctx);
        return NULL;
    }
    if ((!pages->last || pages->last->bytes - pages->last->used < whole) &&
        !add_chunk(ctx, pages, whole, what))
        return NULL;
    chunk *c = pages->last;
    void *piece = c->at + c->used;
    c->used += whole;
    return piece;
}

void cull_pages_leave(const void *at, size_t bytes)
{
    const size_t page = page_bytes(), first = (uintptr_t)at / page * page;

    if (bytes > 0)
        (void)madvise((void *)first, (uintptr_t)at + bytes - first, MADV_DONTNEED);
}
