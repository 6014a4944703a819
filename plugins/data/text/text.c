// Rows of running text: the calibration data of most papers.
#include <cull/cull.h>

#include <string.h>

#include "common/text/text_file.h"
#include "common/text/two_bos.h"

enum take { TAKE_HEAD, TAKE_SAMPLE };
static const char *const takes[] = { "head", "sample", NULL };

struct settings {
    cull_texts files;
    int64_t documents, take, length, rows_per_file, rows, first;
    const char *field, *join;
    bool bos, whole;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, files, CULL_REQUIRED,
                 "text files or globs: .txt, or .jsonl with a text a line; .gz is unpacked"),
    CULL_P_CHOICE(struct settings, documents, TEXT_FILE, text_documents_names,
                  "what a document is: a file, or each line that is not blank; no row crosses two"),
    CULL_P_INT(struct settings, length, 2048, 2, 1 << 20, "token ids in a row"),
    CULL_P_INT(struct settings, rows_per_file, 0, 0, 1 << 30,
               "rows of each file; 0: all that it has; fewer than asked for is an error"),
    CULL_P_INT(struct settings, rows, 0, 0, 1 << 30,
               "rows in all; 0: all; fewer than asked for is an error"),
    CULL_P_CHOICE(struct settings, take, TAKE_HEAD, takes,
                  "which rows, when there are more: the first, or a sample drawn by the seed"),
    CULL_P_BOOL(struct settings, bos, true,
                "each row is BOS and length - 1 ids of the text; false: length ids of the text"),
    CULL_P_BOOL(struct settings, whole, false,
                "a row is a document from its beginning, of at most length ids, however short"),
    CULL_P_TEXT(struct settings, field, "text", 0, "the field of a jsonl line that holds the text"),
    CULL_P_TEXT(struct settings, join, "\n\n", 0,
                "what stands between the texts of a jsonl file that is one document"),
    CULL_P_INT(struct settings, first, 0, 0, 1 << 30, "documents read of each file; 0: all"),
};

// Of all rows there is no sample.
static bool random(const void *settings)
{
    const struct settings *set = settings;

    return set->take == TAKE_SAMPLE && (set->rows || set->rows_per_file);
}

// The chosen `want` of n numbers, ascending: the first, or a sample without repetition.
static cull_status choose(cull_ctx *ctx, enum take take, cull_rng *rng, size_t n, size_t want,
                          size_t *out)
{
    for (size_t i = 0; i < want; i++)
        out[i] = i;
    if (take == TAKE_HEAD || want == n)
        return CULL_OK;
    // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): ascending as it goes.
    for (size_t i = 0, chosen = 0; chosen < want; i++)
        if (ctx->host->below(rng, n - i) < want - chosen)
            out[chosen++] = i;
    return CULL_OK;
}

typedef struct pool { // rows to choose from, as sequences
    size_t n;
    cull_sequence *at; // (n)
} pool;

// Keep `want` of the pool's rows; 0: all.
static cull_status keep(cull_ctx *ctx, const struct settings *set, const char *stream, size_t want,
                        pool *p)
{
    if (want == 0 || want == p->n)
        return CULL_OK;
    size_t *index = ctx->host->scratch(ctx, want, sizeof *index);
    cull_rng *rng = set->take == TAKE_SAMPLE ? ctx->host->rng(ctx, stream) : NULL;
    if (!index || (set->take == TAKE_SAMPLE && !rng))
        return CULL_ENOMEM;
    const cull_status status = choose(ctx, (enum take)set->take, rng, p->n, want, index);
    for (size_t i = 0; status == CULL_OK && i < want; i++)
        p->at[i] = p->at[index[i]];
    p->n = want;
    return status;
}

static const char *template_of(const text_file *file, size_t document)
{
    return file->chat_template ? file->chat_template[document] : NULL;
}

// Rows of `length` ids each.
static cull_status fixed_rows(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                              const text_file *file, pool *out, size_t *tokens)
{
    text_rows rows;
    const size_t length = (size_t)set->length;
    const cull_status status =
        text_rows_make(ctx, text, file, length, set->bos ? TEXT_BOS_ROW : TEXT_BOS_NONE, &rows);

    if (status != CULL_OK)
        return status;
    *tokens = rows.tokens;
    out->n = rows.n;
    out->at = ctx->host->alloc(ctx, rows.n + 1, sizeof *out->at);
    if (!out->at)
        return CULL_ENOMEM;
    for (size_t r = 0; r < rows.n; r++)
        out->at[r] = (cull_sequence){ .size = sizeof(cull_sequence),
                                      .ids = rows.ids + r * length,
                                      .n = length,
                                      .source = file->name,
                                      .ordinal = r,
                                      .chat_template = template_of(file, rows.within[r]) };
    return CULL_OK;
}

// A document from its beginning, BOS in front of it where it is asked for.
static cull_status whole_row(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                             span document, cull_sequence *out, size_t *tokens)
{
    const size_t bos = set->bos, most = (size_t)set->length - bos;
    int32_t *ids;
    size_t n;
    const cull_status status = text->encode(ctx, text, document.s, document.n, 0, &ids, &n);

    if (status != CULL_OK)
        return status;
    *tokens += n;
    out->n = bos + (n < most ? n : most);
    int32_t *row = ctx->host->alloc(ctx, out->n + 1, sizeof *row);
    if (!row)
        return CULL_ENOMEM;
    if (bos)
        row[0] = text->bos;
    memcpy(row + bos, ids, (out->n - bos) * sizeof *row);
    out->ids = row;
    return CULL_OK;
}

static cull_status whole_rows(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                              const text_file *file, pool *out, size_t *tokens)
{
    if (set->bos && text->bos < 0)
        return ctx->host->fail(ctx, CULL_ENOTSUP,
                               "rows are to begin with BOS, but the tokenizer has none");
    out->at = ctx->host->alloc(ctx, file->n + 1, sizeof *out->at);
    if (!out->at)
        return CULL_ENOMEM;
    for (size_t d = 0; d < file->n; d++) {
        cull_sequence *row = &out->at[out->n];
        *row = (cull_sequence){ .size = sizeof *row,
                                .source = file->name,
                                .ordinal = d,
                                .chat_template = template_of(file, d) };
        const cull_status status = whole_row(ctx, set, text, file->document[d], row, tokens);
        if (status != CULL_OK)
            return status;
        out->n += row->n > 0;
    }
    return CULL_OK;
}

static cull_status file_rows(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                             const text_file *file, pool *out)
{
    const size_t want = (size_t)set->rows_per_file;
    size_t tokens = 0;
    const cull_status status = set->whole ? whole_rows(ctx, set, text, file, out, &tokens)
                                          : fixed_rows(ctx, set, text, file, out, &tokens);

    if (status != CULL_OK)
        return status;
    if (out->n < want || out->n == 0)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s has %zu tokens in %zu documents, %zu rows of %lld; %zu are "
                               "wanted",
                               file->path, tokens, file->n, out->n, (long long)set->length,
                               want ? want : 1);
    return keep(ctx, set, file->name, want, out);
}

static void warn_of_two_bos(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                            const cull_sequences *rows)
{
    two_bos seen = { .bos = text->bos };

    for (size_t r = 0; r < rows->n; r++)
        two_bos_look(&seen, rows->at[r].ids, rows->at[r].n);
    two_bos_warn(ctx, &seen, "calibration rows", "bos", set->bos ? "true" : "false");
}

static cull_status load(cull_ctx *ctx, const void *settings, const cull_text *text,
                        cull_sequences *out)
{
    const struct settings *set = settings;
    const text_reading how = { .documents = (enum text_documents)set->documents,
                               .field = set->field,
                               .join = set->join,
                               .first = (size_t)set->first };
    text_file *file;
    pool all = { 0 };
    cull_status status = text_files_read(ctx, set->files, &how, &file);
    pool *of = status == CULL_OK ? ctx->host->alloc(ctx, set->files.n + 1, sizeof *of) : NULL;

    if (!of)
        return status == CULL_OK ? CULL_ENOMEM : status;
    for (size_t f = 0; f < set->files.n; f++) {
        status = file_rows(ctx, set, text, &file[f], &of[f]);
        if (status != CULL_OK)
            return status;
        all.n += of[f].n;
    }
    if (all.n < (size_t)set->rows)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "the %zu files have %zu rows of %lld; %lld are wanted", set->files.n,
                               all.n, (long long)set->length, (long long)set->rows);
    if (!(all.at = ctx->host->alloc(ctx, all.n + 1, sizeof *all.at)))
        return CULL_ENOMEM;
    for (size_t f = 0, at = 0; f < set->files.n; at += of[f++].n)
        for (size_t r = 0; r < of[f].n; r++)
            all.at[at + r] = of[f].at[r];
    status = keep(ctx, set, "rows", (size_t)set->rows, &all);
    out->n = all.n;
    out->at = all.at;
    if (status == CULL_OK)
        warn_of_two_bos(ctx, set, text, out);
    return status;
}

static const cull_data text = { .size = sizeof text, .random = random, .load = load };

CULL_PLUGIN(
    DATA, text, "1.1", "rows of running text, of a fixed number of tokens",
    .doc = "Each document is encoded once as a whole, without special tokens, and cut into "
           "consecutive disjoint rows of `length` ids, each with BOS in front unless `bos: "
           "false`; a last partial row is dropped, and no row crosses two documents. Of more rows "
           "than are wanted it takes the first, or with `take: sample` a sample without "
           "repetition that the seed draws, in their order.\n"
           "\n"
           "Conversations that were rendered through a chat template (tools/render_chat.py) are "
           "lines of jsonl: `documents: line`, `whole: true`, and `bos: false` where the template "
           "writes BOS itself. What a line says in \"template\", the template's hash, is kept in "
           "the trial's record.",
    .cite =
        "The calibration sets of Wanda (Sun et al., ICLR 2024, section 4) and SparseGPT (Frantar "
        "and Alistarh, ICML 2023, section 4) are such rows of C4: `documents: line`, `take: "
        "sample`, `rows: 128`, `bos: false`.",
    CULL_SETTINGS(params, struct settings));
