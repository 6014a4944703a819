// Rows of token ids that somebody else has made: jsonl, or NumPy's .npy.
#include "common/text/id_rows.h"

#include <string.h>

#include "common/text/jsonl.h"
#include "common/text/npy.h"

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

// What a line's attention mask says is padding goes: from the ends, since what lies between would
// move up to other positions.
static cull_status unmask(cull_ctx *ctx, const char *place, const json_t *line, int32_t *ids,
                          size_t *n)
{
    const json_t *mask = json_object_get(line, "attention_mask");
    size_t kept = 0, first = 0;

    if (!mask)
        return CULL_OK;
    if (json_array_size(mask) != *n)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: \"attention_mask\" has %zu entries for %zu ids", place,
                               json_array_size(mask), *n);
    for (size_t i = 0; i < *n; i++) {
        const json_t *entry = json_array_get(mask, i);
        const json_int_t is = json_is_integer(entry) ? json_integer_value(entry) : -1;
        if (is != 0 && is != 1)
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: entry %zu of \"attention_mask\" is neither 0 nor 1", place,
                                   i);
        if (is == 1 && kept > 0 && kept < i - first)
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: \"attention_mask\" leaves out ids between others (entry "
                                   "%zu is 1 again), which is no padding",
                                   place, i);
        if (is == 1 && kept == 0)
            first = i;
        if (is == 1)
            ids[kept++] = ids[i];
    }
    *n = kept;
    return CULL_OK;
}

static cull_status read_line(cull_ctx *ctx, const char *place, json_t *line, cull_sequence *out)
{
    json_t *list = json_is_object(line) ? json_object_get(line, "ids") : line;
    const size_t n = json_array_size(list);

    if (n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: the line is neither [ID, …] nor {\"ids\": [ID, …]}", place);
    int32_t *ids = ctx->host->alloc(ctx, n, sizeof *ids);
    if (!ids)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: entry %zu is no token id", place, i);
        ids[i] = (int32_t)json_integer_value(id);
    }
    out->ids = ids;
    out->n = n;
    if (!json_is_object(line))
        return CULL_OK;
    const cull_status status = unmask(ctx, place, line, ids, &out->n);
    return status == CULL_OK ? json_get_optional(ctx, place, line, "template", &out->chat_template)
                             : status;
}

static cull_status read_jsonl(cull_ctx *ctx, const char *path, cull_sequences *out)
{
    jsonl file;
    cull_status status = jsonl_read(ctx, path, 0, &file);

    if (status != CULL_OK)
        return status;
    out->n = file.n;
    out->at = ctx->host->alloc(ctx, file.n, sizeof *out->at);
    if (!out->at)
        status = CULL_ENOMEM;
    for (size_t i = 0; status == CULL_OK && i < file.n; i++) {
        const char *place = jsonl_place(ctx, &file, i);
        out->at[i].size = sizeof out->at[i];
        status = place ? read_line(ctx, place, file.value[i], &out->at[i]) : CULL_ENOMEM;
    }
    jsonl_free(&file);
    return status;
}

static cull_status read_npy(cull_ctx *ctx, const char *path, cull_sequences *out)
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

cull_status id_rows_read(cull_ctx *ctx, const char *path, cull_sequences *out)
{
    const size_t n = strlen(path);

    *out = (cull_sequences){ .size = sizeof *out };
    const bool is_npy = n > 4 && strcmp(path + n - 4, ".npy") == 0;
    const cull_status status = is_npy ? read_npy(ctx, path, out) : read_jsonl(ctx, path, out);
    for (size_t r = 0; status == CULL_OK && r < out->n; r++) {
        out->at[r].source = name_of(path);
        out->at[r].ordinal = r;
    }
    return status;
}
