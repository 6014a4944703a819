// Rows of token ids that somebody else has made.
#include <cull/cull.h>

#include <string.h>

#include "common/text/id_rows.h"

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
        const cull_status status = id_rows_read(ctx, set->files.at[f], &of[f]);
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
