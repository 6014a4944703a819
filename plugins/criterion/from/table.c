// Arrays of scores from NumPy's files, and single tensors from small safetensors files.
#include "table.h"

#include <jansson.h>
#include <string.h>

#include "common/text/npy.h"

static cull_status take(cull_ctx *ctx, const npy *array, table *out)
{
    const size_t n = array->rows * array->cols;
    double *to = ctx->host->scratch(ctx, n + 1, sizeof *to);

    if (!to)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        to[i] = npy_real(array, i);
    *out = (table){ array->rows, array->cols, to };
    return CULL_OK;
}

cull_status table_npy(cull_ctx *ctx, const char *path, table *out)
{
    npy array;

    CULL_TRY(npy_open(ctx, path, 'f', &array));
    return take(ctx, &array, out);
}

// ---- safetensors: eight bytes of length, a JSON header, numbers ----

static cull_status refuse(cull_ctx *ctx, const char *path, const char *why)
{
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %s", path, why);
}

static size_t whole(const json_t *x)
{
    const json_int_t value = json_is_integer(x) ? json_integer_value(x) : -1;

    return value < 0 ? SIZE_MAX : (size_t)value;
}

static cull_status read_tensor(cull_ctx *ctx, const char *path, const json_t *tensor,
                               const char *data, size_t n, table *out)
{
    const json_t *shape = json_object_get(tensor, "shape");
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    const char *type = json_string_value(json_object_get(tensor, "dtype"));
    const size_t dims = json_array_size(shape), from = whole(json_array_get(offsets, 0));
    const size_t to = whole(json_array_get(offsets, 1));
    npy array = { .rows = dims == 2 ? whole(json_array_get(shape, 0)) : 1,
                  .cols = whole(json_array_get(shape, dims - 1)),
                  .width = !type                      ? 0
                           : strcmp(type, "F64") == 0 ? 8
                           : strcmp(type, "F32") == 0 ? 4
                                                      : 0 };

    if (array.width == 0)
        return refuse(ctx, path, "scores of type F32 or F64 are wanted");
    if (dims < 1 || dims > 2)
        return refuse(ctx, path, "scores of one or two dimensions are wanted");
    if (to > n || from > to ||
        (array.cols && array.rows > (to - from) / array.width / array.cols) ||
        array.rows * array.cols * array.width != to - from)
        return refuse(ctx, path, "a tensor lies beyond the file's end, or is not of its shape");
    array.data = data + from;
    return take(ctx, &array, out);
}

cull_status table_safetensors(cull_ctx *ctx, const char *path, const char *name, bool *found,
                              table *out)
{
    const char *bytes;
    size_t n, length = 0;

    CULL_TRY(ctx->host->read_file(ctx, path, &bytes, &n));
    for (size_t i = 8; n >= 8 && i-- > 0;)
        length = length << 8 | (unsigned char)bytes[i];
    if (n < 8 || length > n - 8)
        return refuse(ctx, path, "this is no safetensors file");
    json_t *header = json_loadb(bytes + 8, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *tensor = json_object_get(header, name);
    cull_status status = CULL_OK;
    *found = tensor != NULL;
    if (!header)
        status = refuse(ctx, path, "this is no safetensors file: its header is no JSON");
    else if (tensor)
        status = read_tensor(ctx, path, tensor, bytes + 8 + length, n - 8 - length, out);
    json_decref(header);
    return status;
}
