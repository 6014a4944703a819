// Rows of token ids that somebody else has made.
#include <cull/cull.h>

#include <string.h>

#include "common/text/id_rows.h"
#include "common/text/two_bos.h"

struct settings {
    cull_texts files;
    int64_t rows, pad;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, files, CULL_REQUIRED,
                 "files or globs: .jsonl with [ID, …] or {\"ids\": [ID, …]} a line, or .npy of "
                 "two dimensions, int32 or int64"),
    CULL_P_INT(struct settings, rows, 0, 0, 1 << 30,
               "rows in all, from the first on; 0: all; fewer than asked for is an error"),
    CULL_P_INT(struct settings, pad, -1, -1, INT32_MAX,
               "the id that rows are filled up with at either end, which is left out; -1: none is"),
};

// Whatever fills a row up at its ends goes.
static cull_status unpad(cull_ctx *ctx, const char *path, int64_t pad, size_t r, cull_sequence *row)
{
    while (row->n > 0 && row->ids[row->n - 1] == pad)
        row->n--;
    for (; row->n > 0 && row->ids[0] == pad; row->n--)
        row->ids++;
    return row->n > 0 ? CULL_OK
                      : ctx->host->fail(ctx, CULL_EFORMAT, "%s: row %zu is padding alone", path, r);
}

static cull_status load(cull_ctx *ctx, const void *settings, const cull_text *text,
                        cull_sequences *out)
{
    const struct settings *set = settings;
    two_bos seen = { .bos = text->bos };
    cull_sequences *of = ctx->host->alloc(ctx, set->files.n + 1, sizeof *of);
    size_t all = 0;
    if (!of)
        return CULL_ENOMEM;
    for (size_t f = 0; f < set->files.n; f++) {
        cull_status status = id_rows_read(ctx, set->files.at[f], &of[f]);
        for (size_t r = 0; status == CULL_OK && r < of[f].n; r++)
            status = unpad(ctx, set->files.at[f], set->pad, r, &of[f].at[r]);
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
    for (size_t r = 0; r < want; r++)
        two_bos_look(&seen, out->at[r].ids, out->at[r].n);
    two_bos_warn(ctx, &seen, "calibration rows", "bos", "as given");
    return CULL_OK;
}

static const cull_data ids = { .size = sizeof ids, .load = load };

CULL_PLUGIN(
    DATA, ids, "1.1", "rows of token ids from jsonl or npy files",
    .doc =
        "Each row is taken as it is: BOS, if there is to be one, must be among the ids. Rows may "
        "differ in length. Padding is no text and is not counted: where rows were filled up to one "
        "length, `pad` names the id that goes from their ends, or a line's \"attention_mask\" has "
        "0 "
        "for each id that goes. What a line says in \"template\", the hash of the chat template "
        "that it was rendered through (tools/render_chat.py), is kept in the trial's record.",
    .cite = "NumPy's format: numpy.lib.format, version 1 to 3.",
    CULL_SETTINGS(params, struct settings));
