// Texts in windows of ids, or rows of ids, as perplexity asks them.
#include "common/text/windows.h"

#include <stdio.h>
#include <string.h>

#include "common/python/sha256.h"
#include "common/text/id_rows.h"
#include "common/text/two_bos.h"

cull_status windows_check(cull_ctx *ctx, const windows_wanted *want)
{
    if (!want->ids ||
        (want->seqlen == WINDOWS_LENGTH && want->bos == TEXT_BOS_ROW && want->reading.first == 0))
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "documents: ids are windows as they are: length, bos and first would "
                           "have no effect");
}

typedef struct rows_of { // a file's windows
    const char *name;
    size_t n;
    const cull_sequence *at; // (n)
} rows_of;

static cull_status text_windows(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                                const text_file *file, rows_of *out)
{
    text_rows rows;
    const cull_status status = text_rows_make(ctx, text, file, want->seqlen, want->bos, &rows);

    if (status != CULL_OK)
        return status;
    const size_t least = want->rows_per_file ? want->rows_per_file : 1;
    if (rows.n < least)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s has %zu tokens, %zu windows of %zu; %zu are wanted", file->path,
                               rows.tokens, rows.n, want->seqlen, least);
    rows.n = want->rows_per_file ? want->rows_per_file : rows.n;
    cull_sequence *at = ctx->host->alloc(ctx, rows.n, sizeof *at);
    if (!at)
        return CULL_ENOMEM;
    for (size_t r = 0; r < rows.n; r++)
        at[r] = (cull_sequence){ .size = sizeof *at,
                                 .ids = rows.ids + r * want->seqlen,
                                 .n = want->seqlen };
    *out = (rows_of){ .name = file->name, .n = rows.n, .at = at };
    return CULL_OK;
}

static cull_status read_texts(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                              rows_of *out)
{
    text_file *file;

    if (want->seqlen - 1 > text->max_positions)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "seqlen %zu is more than the model's %zu positions", want->seqlen,
                               text->max_positions);
    cull_status status = text_files_read(ctx, want->files, &want->reading, &file);
    for (size_t f = 0; status == CULL_OK && f < want->files.n; f++)
        status = text_windows(ctx, text, want, &file[f], &out[f]);
    return status;
}

static cull_status id_windows(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                              const char *path, rows_of *out)
{
    cull_sequences rows;
    const cull_status status = id_rows_read(ctx, path, &rows);

    if (status != CULL_OK)
        return status;
    const size_t least = want->rows_per_file ? want->rows_per_file : 1;
    if (rows.n < least)
        return ctx->host->fail(ctx, CULL_EINVAL, "%s has %zu rows; %zu are wanted", path, rows.n,
                               least);
    rows.n = want->rows_per_file ? want->rows_per_file : rows.n;
    for (size_t r = 0; r < rows.n; r++)
        if (rows.at[r].n < 2 || rows.at[r].n - 1 > text->max_positions)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "%s: row %zu has %zu ids, where 2 to the model's %zu positions "
                                   "and one more can be scored",
                                   path, r, rows.at[r].n, text->max_positions);
    *out = (rows_of){ .n = rows.n, .at = rows.at };
    return text_file_name(ctx, path, &out->name);
}

static cull_status read_ids(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                            rows_of *out)
{
    for (size_t f = 0; f < want->files.n; f++) {
        const cull_status status = id_windows(ctx, text, want, want->files.at[f], &out[f]);
        if (status != CULL_OK)
            return status;
        for (size_t i = 0; i < f; i++)
            if (strcmp(out[i].name, out[f].name) == 0)
                return ctx->host->fail(ctx, CULL_EINVAL, "%s and %s would both be called \"%s\"",
                                       want->files.at[i], want->files.at[f], out[f].name);
    }
    return CULL_OK;
}

static cull_status gather(cull_ctx *ctx, const windows_wanted *want, const rows_of *rows,
                          windows *state, cull_requests *out)
{
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
        of[f] = (windows_of){ .name = rows[f].name, .first = out->n, .n = rows[f].n };
        for (size_t r = 0; r < rows[f].n; r++) {
            const cull_sequence *row = &rows[f].at[r];
            sha256_add(&h, row->ids, row->n * sizeof *row->ids);
            out->at[out->n++] = (cull_request){ .size = sizeof(cull_request),
                                                .kind = CULL_SCORE,
                                                .wants = want->wants,
                                                .ids = row->ids,
                                                .n = row->n,
                                                .scored = row->n - 1 };
            state->seqlen = row->n > state->seqlen ? row->n : state->seqlen;
        }
    }
    sha256_hex(&h, state->hash);
    state->file = of;
    out->state = state;
    return CULL_OK;
}

static void warn_of_two_bos(cull_ctx *ctx, const cull_text *text, const windows *state,
                            const cull_requests *all)
{
    two_bos seen = { .bos = text->bos };

    for (size_t i = 0; i < all->n; i++)
        two_bos_look(&seen, all->at[i].ids, all->at[i].n);
    two_bos_warn(ctx, &seen, "windows", "bos", state->bos);
}

cull_status windows_prepare(cull_ctx *ctx, const cull_text *text, const windows_wanted *want,
                            cull_requests *out)
{
    windows *state = ctx->host->alloc(ctx, 1, sizeof *state);
    rows_of *rows = ctx->host->alloc(ctx, want->files.n + 1, sizeof *rows);

    if (!state || !rows)
        return CULL_ENOMEM;
    state->n = want->files.n;
    state->bos = want->ids ? "as given" : text_bos_names[want->bos];
    cull_status status =
        want->ids ? read_ids(ctx, text, want, rows) : read_texts(ctx, text, want, rows);
    if (status == CULL_OK)
        status = gather(ctx, want, rows, state, out);
    if (status == CULL_OK)
        warn_of_two_bos(ctx, text, state, out);
    return status;
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
