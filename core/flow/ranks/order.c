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

static cull_status new_file(cull_ctx *ctx, const char *folder, FILE **out)
{
    int fd;

    CULL_TRY(cull_nameless_file(ctx, folder, &fd));
    *out = fdopen(fd, "w+b");
    if (*out)
        return CULL_OK;
    close(fd);
    return cull_no_memory(ctx);
}

static cull_status send_file(cull_ctx *ctx, FILE *file)
{
    struct stat st;

    if (fflush(file) != 0 || fstat(fileno(file), &st) != 0)
        return cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
    size_t n = (size_t)st.st_size;
    void *at = mmap(NULL, n, PROT_READ, MAP_SHARED, fileno(file), 0);
    if (at == MAP_FAILED)
        return cull_fail(ctx, CULL_EIO, "a cut cannot be mapped: %s", strerror(errno));
    const cull_status status = cull_ranks_broadcast(ctx, &n, &at);
    (void)munmap(at, n);
    return status;
}

static cull_status receive_file(cull_ctx *ctx, FILE *file)
{
    void *data = NULL;
    size_t n;

    CULL_TRY(cull_ranks_broadcast(ctx, &n, &data));
    const bool wrote = fwrite(data, 1, n, file) == n && fflush(file) == 0;
    cull_free(data);
    return wrote ? CULL_OK
                 : cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
}

cull_status cull_order_cut(cull_ctx *ctx, const char *folder, size_t first, size_t only,
                           cull_stage_result *result)
{
    const bool gives = cull_ranks_rank(cull_context_of(ctx)->ranks) == 0;
    const cull_stage_result what = { .cut = result->cut };
    FILE *file;

    CULL_TRY(new_file(ctx, folder, &file));
    cull_status status = gives ? cull_stage_result_write(ctx, file, &what, first) : CULL_OK;
    if (status == CULL_OK)
        status = gives ? send_file(ctx, file) : receive_file(ctx, file);
    if (status == CULL_OK && !gives)
        status = cull_stage_result_read(ctx, file, only, result);
    (void)fclose(file);
    return status;
}
