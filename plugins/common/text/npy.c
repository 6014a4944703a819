// Arrays of NumPy's .npy format: magic, a Python dictionary in text, numbers.
#include "common/text/npy.h"

#include <stdio.h>
#include <string.h>

static uint64_t little(const char *bytes, size_t n)
{
    uint64_t value = 0;

    for (size_t i = n; i-- > 0;)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

// The header, a Python dictionary in text, of which only these forms are accepted.
static bool parse_header(const char *header, char kind, npy *out)
{
    unsigned long long rows, cols;
    const char *descr = strstr(header, "'descr': '<"), *shape = strstr(header, "'shape': (");

    if (!descr || !shape || !strstr(header, "'fortran_order': False"))
        return false;
    if (sscanf(shape, "'shape': (%llu, %llu)", &rows, &cols) != 2)
        return false;
    descr += strlen("'descr': '<");
    out->width = descr[0] != kind ? 0 : descr[1] == '4' ? 4 : descr[1] == '8' ? 8 : 0;
    out->rows = (size_t)rows;
    out->cols = (size_t)cols;
    return out->width != 0;
}

cull_status npy_open(cull_ctx *ctx, const char *path, char kind, npy *out)
{
    const char *bytes;
    size_t n;
    char header[1024];

    CULL_TRY(ctx->host->read_file(ctx, path, &bytes, &n));
    if (n < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: this is no .npy file", path);
    const size_t field = bytes[6] == 1 ? 2 : 4, start = 8 + field;
    const uint64_t length = n < start ? UINT64_MAX : little(bytes + 8, field);
    if (length >= sizeof header || length > n - start)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the header does not end in the file", path);
    memcpy(header, bytes + start, (size_t)length);
    header[length] = '\0';
    for (size_t i = (size_t)length; i > 0 && strchr(" \n", header[i - 1]); i--)
        header[i - 1] = '\0'; // padding
    if (!parse_header(header, kind, out))
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: not two dimensions of little-endian %s in C order: %.120s",
                               path, kind == 'i' ? "int32 or int64" : "float32 or float64", header);
    const size_t room = n - start - (size_t)length;
    out->data = bytes + start + length;
    if (out->cols == 0 || out->rows == 0 || out->rows > room / out->width / out->cols)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu × %zu numbers, but %zu bytes of data",
                               path, out->rows, out->cols, room);
    return CULL_OK;
}

uint64_t npy_int(const npy *array, size_t i)
{
    return little(array->data + i * array->width, array->width);
}

double npy_real(const npy *array, size_t i)
{
    const uint64_t bits = npy_int(array, i);
    const uint32_t low = (uint32_t)bits;
    double wide;
    float narrow;

    memcpy(&wide, &bits, sizeof wide);
    memcpy(&narrow, &low, sizeof narrow);
    return array->width == sizeof wide ? wide : (double)narrow;
}
