// Orders and cuts on their way from rank 0 to the others.
#include "flow/ranks/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"

cull_status cull_order_give(cull_ctx *ctx, cull_order *order)
{
    return cull_ranks_copy(ctx, sizeof *order, order);
}

static cull_status map_file(cull_ctx *ctx, FILE *file, size_t *n, void **at)
{
    struct stat st;

    if (fflush(file) != 0 || fstat(fileno(file), &st) != 0)
        return cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
    *n = (size_t)st.st_size;
    *at = mmap(NULL, *n, PROT_READ, MAP_SHARED, fileno(file), 0);
    return *at == MAP_FAILED
               ? cull_fail(ctx, CULL_EIO, "a cut cannot be mapped: %s", strerror(errno))
               : CULL_OK;
}

static cull_status send_file(cull_ctx *ctx, FILE *file)
{
    size_t n;
    void *at;

    CULL_TRY(map_file(ctx, file, &n, &at));
    const cull_status status = cull_ranks_broadcast(ctx, &n, &at);
    (void)munmap(at, n);
    return status;
}

static cull_status fill_file(cull_ctx *ctx, size_t n, const void *data, FILE *file)
{
    return fwrite(data, 1, n, file) == n && fflush(file) == 0
               ? CULL_OK
               : cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
}

static cull_status receive_file(cull_ctx *ctx, FILE *file)
{
    void *data = NULL;
    size_t n;

    CULL_TRY(cull_ranks_broadcast(ctx, &n, &data));
    const cull_status status = fill_file(ctx, n, data, file);
    cull_free(data);
    return status;
}

cull_status cull_order_file(cull_ctx *ctx, const char *folder, size_t from, FILE *file, FILE **out,
                            cull_status *failed)
{
    const bool gives = cull_ranks_rank(cull_context_of(ctx)->ranks) == from && file;
    cull_parts parts;
    size_t n = 0;
    void *at = NULL;

    *out = NULL;
    if (gives)
        CULL_TRY(map_file(ctx, file, &n, &at));
    const cull_status status = cull_ranks_gather(ctx, n, at, &parts);
    if (status == CULL_OK && *failed == CULL_OK && from < parts.n && parts.bytes[from] > 0) {
        *failed = cull_nameless_stream(ctx, folder, out);
        if (*failed == CULL_OK)
            *failed = fill_file(ctx, parts.bytes[from], parts.part[from], *out);
    }
    cull_parts_release(&parts);
    if (gives)
        (void)munmap(at, n);
    return status;
}

cull_status cull_order_cut(cull_ctx *ctx, const char *folder, size_t first, size_t only,
                           cull_stage_result *result)
{
    const bool gives = cull_ranks_rank(cull_context_of(ctx)->ranks) == 0;
    const cull_stage_result what = { .cut = result->cut };
    FILE *file;

    CULL_TRY(cull_nameless_stream(ctx, folder, &file));
    cull_status status = gives ? cull_stage_result_write(ctx, file, &what, first) : CULL_OK;
    if (status == CULL_OK)
        status = gives ? send_file(ctx, file) : receive_file(ctx, file);
    if (status == CULL_OK && !gives)
        status = cull_stage_result_read(ctx, file, only, result);
    (void)fclose(file);
    return status;
}
