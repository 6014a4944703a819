// Rows of token ids that somebody else has made.
#include <cull/cull.h>

#include <stdio.h>
#include <string.h>

#include "common/text/jsonl.h"
#include "npy.h"

struct settings {
    cull_texts files;
    int64_t rows;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, files, CULL_REQUIRED,
                 "files or globs: .jsonl with [ID, …] or {\"ids\": [ID, …]} a line, or .npy of "
                 "two dimensions, int32 or int64"),
    CULL_P_INT(struct settings, rows, 0, 0, 1 << 30,
               "rows in all, from the first on; 0: all; fewer than asked for is an error"),
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
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
    return CULL_OK;
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

static cull_status read_file(cull_ctx *ctx, const char *path, cull_sequences *out)
{
    const size_t n = strlen(path);
    *out = (cull_sequences){ .size = sizeof *out };
    const bool npy = n > 4 && strcmp(path + n - 4, ".npy") == 0;
    const cull_status status = npy ? npy_read(ctx, path, out) : read_jsonl(ctx, path, out);
    for (size_t r = 0; status == CULL_OK && r < out->n; r++) {
        out->at[r].source = name_of(path);
        out->at[r].ordinal = r;
    }
    return status;
}

static cull_status load(cull_ctx *ctx, const void *settings, const cull_text *text,
                        cull_sequences *out)
{
    (void)text;
    const struct settings *set = settings;
    cull_sequences *of = ctx->host->alloc(ctx, set->files.n + 1, sizeof *of);
    size_t all = 0;
    if (!of)
        return CULL_ENOMEM;
    for (size_t f = 0; f < set->files.n; f++) {
        const cull_status status = read_file(ctx, set->files.at[f], &of[f]);
        if (status != CULL_OK)
            return status;
        all += of[f].n;
    }
    const size_t want = set->rows ? (size_t)set->rows : all;
    if (all < want)
        return ctx->host->fail(ctx, CULL_EINVAL, "the %zu files have %zu rows; %zu are wanted",
                               set->files.n, all, want);
    if (!(out->at = ctx->host->alloc(ctx, all + 1, sizeof *out->at)))
        return CULL_ENOMEM;
    for (size_t f = 0, at = 0; f < set->files.n; at += of[f++].n)
        memcpy(out->at + at, of[f].at, of[f].n * sizeof *out->at);
    out->n = want;
    return CULL_OK;
}

static const cull_data ids = { .size = sizeof ids, .load = load };

CULL_PLUGIN(
    DATA, ids, "1.0", "rows of token ids from jsonl or npy files",
    .doc =
        "Each row is taken as it is: BOS, if there is to be one, must be among the ids. Rows may "
        "differ in length.",
    .cite = "NumPy's format: numpy.lib.format, version 1 to 3.",
    CULL_SETTINGS(params, struct settings));
