// Token ids from NumPy's .npy files.
#include "npy.h"

#include <stdio.h>
#include <string.h>

typedef struct npy {
    const char *data;
    size_t rows, cols, width; // width: bytes of an element
} npy;

static uint64_t little(const char *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

// The header, a Python dictionary in text, of which only these forms are accepted.
static bool parse_header(const char *header, npy *out)
{
    unsigned long long rows, cols;
    const char *descr = strstr(header, "'descr': '<i"), *shape = strstr(header, "'shape': (");
    if (!descr || !shape || !strstr(header, "'fortran_order': False"))
        return false;
    if (sscanf(shape, "'shape': (%llu, %llu)", &rows, &cols) != 2)
        return false;
    const char type = descr[strlen("'descr': '<i")];
    out->width = type == '4' ? 4 : type == '8' ? 8 : 0;
    out->rows = (size_t)rows;
    out->cols = (size_t)cols;
    return out->width != 0;
}

static cull_status open(cull_ctx *ctx, const char *path, npy *out)
{
    const char *bytes;
    size_t n;
    char header[1024];
    cull_status status = ctx->host->read_file(ctx, path, &bytes, &n);
    if (status != CULL_OK)
        return status;
    if (n < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: this is no .npy file", path);
    const size_t field = bytes[6] == 1 ? 2 : 4, start = 8 + field;
    const uint64_t length = n < start ? UINT64_MAX : little(bytes + 8, field);
    if (length >= sizeof header || length > n - start)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the header does not end in the file", path);
    memcpy(header, bytes + start, (size_t)length);
    header[length] = '\0';
    if (!parse_header(header, out))
        return ctx->host->fail(
            ctx, CULL_EFORMAT,
            "%s: not two dimensions of little-endian int32 or int64 in C order: %.120s", path,
            header);
    const size_t room = n - start - (size_t)length;
    out->data = bytes + start + length;
    if (out->cols == 0 || out->rows == 0 || out->rows > room / out->width / out->cols)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu × %zu ids, but %zu bytes of data", path,
                               out->rows, out->cols, room);
    return CULL_OK;
}

cull_status npy_read(cull_ctx *ctx, const char *path, cull_sequences *out)
{
    npy file;
    cull_status status = open(ctx, path, &file);
    if (status != CULL_OK)
        return status;
    const size_t n = file.rows * file.cols;
    int32_t *ids = ctx->host->alloc(ctx, n, sizeof *ids);
    out->at = ctx->host->alloc(ctx, file.rows, sizeof *out->at);
    if (!ids || !out->at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const uint64_t id = little(file.data + i * file.width, file.width);
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
