// Texts in windows of ids, as perplexity asks them.
#include "common/text/windows.h"

#include <stdio.h>

#include "common/python/sha256.h"

static cull_status file_windows(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                                const text_file *file, text_rows *out)
{
    const cull_status status = text_rows_make(ctx, text, file, want->seqlen, want->bos, out);
    if (status != CULL_OK)
        return status;
    const size_t least = want->rows_per_file ? want->rows_per_file : 1;
    if (out->n < least)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s has %zu tokens, %zu windows of %zu; %zu are wanted", file->path,
                               out->tokens, out->n, want->seqlen, least);
    if (want->rows_per_file)
        out->n = want->rows_per_file;
    return CULL_OK;
}

static cull_status gather(cull_ctx *ctx, const windows_wanted *want, const text_file *file,
                          const text_rows *rows, windows *state, cull_requests *out)
{
    const size_t length = want->seqlen;
    windows_of *of = ctx->host->alloc(ctx, state->n, sizeof *of);
    sha256 h;
    sha256_init(&h);
    size_t all = 0;
    for (size_t f = 0; f < state->n; f++)
        all += rows[f].n;
    out->at = ctx->host->alloc(ctx, all, sizeof *out->at);
    if (!of || !out->at)
        return CULL_ENOMEM;
    for (size_t f = 0; f < state->n; f++) {
        of[f] = (windows_of){ .name = file[f].name, .first = out->n, .n = rows[f].n };
        for (size_t r = 0; r < rows[f].n; r++) {
            const int32_t *ids = rows[f].ids + r * length;
            sha256_add(&h, ids, length * sizeof *ids);
            out->at[out->n++] = (cull_request){ .size = sizeof(cull_request),
                                                .kind = CULL_SCORE,
                                                .wants = want->wants,
                                                .ids = ids,
                                                .n = length,
                                                .scored = length - 1 };
        }
    }
    sha256_hex(&h, state->hash);
    state->file = of;
    out->state = state;
    return CULL_OK;
}

cull_status windows_prepare(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                            cull_requests *out)
{
    text_file *file;
    if (want->seqlen - 1 > text->max_positions)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "seqlen %zu is more than the model's %zu positions", want->seqlen,
                               text->max_positions);
    cull_status status = text_files_read(ctx, want->files, &want->reading, &file);
    if (status != CULL_OK)
        return status;
    windows *state = ctx->host->alloc(ctx, 1, sizeof *state);
    text_rows *rows = ctx->host->alloc(ctx, want->files.n + 1, sizeof *rows);
    if (!state || !rows)
        return CULL_ENOMEM;
    state->n = want->files.n;
    state->seqlen = want->seqlen;
    state->bos = text_bos_names[want->bos];
    for (size_t f = 0; status == CULL_OK && f < state->n; f++)
        status = file_windows(ctx, text, want, &file[f], &rows[f]);
    return status == CULL_OK ? gather(ctx, want, file, rows, state, out) : status;
}

cull_status windows_attributes(cull_ctx *ctx, const windows *w, const char *name, cull_report *out)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", w->seqlen);
    const char *const pairs[][2] = { { "protocol", "windows" },
                                     { "bos", w->bos },
                                     { "length", length },
                                     { "requests_hash", w->hash } };
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < sizeof pairs / sizeof *pairs; i++)
        status = out->attribute(ctx, out, name, pairs[i][0], pairs[i][1]);
    return status;
}
