// Token ids from NumPy's .npy files, a sequence a row.
#include "npy.h"

#include "common/text/npy.h"

cull_status npy_read(cull_ctx *ctx, const char *path, cull_sequences *out)
{
    npy file;
    CULL_TRY(npy_open(ctx, path, 'i', &file));
    const size_t n = file.rows * file.cols;
    int32_t *ids = ctx->host->alloc(ctx, n, sizeof *ids);
    out->at = ctx->host->alloc(ctx, file.rows, sizeof *out->at);
    if (!ids || !out->at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const uint64_t id = npy_int(&file, i);
        if (id > INT32_MAX)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: row %zu, column %zu holds no token id",
                                   path, i / file.cols, i % file.cols);
        ids[i] = (int32_t)id;
    }
    out->n = file.rows;
    for (size_t r = 0; r < file.rows; r++)
        out->at[r] = (cull_sequence){ .size = sizeof(cull_sequence),
                                      .ids = ids + r * file.cols,
                                      .n = file.cols };
    return CULL_OK;
}
