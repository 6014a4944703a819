// Files of text: plain, or fields of JSON lines.
#include "common/text/text_file.h"

#include <string.h>

#include "common/text/jsonl.h"

static bool ends(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);

    return n >= m && strcmp(path + n - m, ending) == 0;
}

static bool is_jsonl(const char *path)
{
    return ends(path, ".jsonl") || ends(path, ".json") || ends(path, ".jsonl.gz") ||
           ends(path, ".json.gz");
}

cull_status text_file_name(cull_ctx *ctx, const char *path, const char **out)
{
    const char *slash = strrchr(path, '/');
    span name = span_of(slash ? slash + 1 : path), copy;

    if (name.n > 3 && ends(name.s, ".gz"))
        name.n -= 3;
    for (size_t i = name.n; i-- > 1;)
        if (name.s[i] == '.') {
            name.n = i;
            break;
        }
    const cull_status status = span_copy(ctx, name, &copy);
    *out = copy.s;
    return status;
}

static cull_status read_jsonl(cull_ctx *ctx, const text_reading *how, text_file *out)
{
    jsonl file;
    cull_status status = jsonl_read(ctx, out->path, how->first, &file);

    if (status != CULL_OK)
        return status;
    // With TEXT_FILE the documents and what stands between them become one.
    const bool whole = how->documents == TEXT_FILE;
    const size_t step = whole ? 2 : 1;
    span *part = ctx->host->alloc(ctx, file.n * step, sizeof *part);
    out->chat_template = ctx->host->alloc(ctx, file.n, sizeof *out->chat_template);
    status = part && out->chat_template ? CULL_OK : CULL_ENOMEM;
    for (size_t i = 0; status == CULL_OK && i < file.n; i++) {
        const char *place = jsonl_place(ctx, &file, i);
        status = place ? json_get_text(ctx, place, file.value[i], how->field, &part[i * step])
                       : CULL_ENOMEM;
        if (status == CULL_OK)
            status =
                json_get_optional(ctx, place, file.value[i], "template", &out->chat_template[i]);
        if (whole)
            part[2 * i + 1] = span_of(how->join);
    }
    out->n = whole ? 1 : file.n;
    out->document = part;
    if (status == CULL_OK && whole)
        status = span_join(ctx, 2 * file.n - 1, part, part);
    jsonl_free(&file);
    return status;
}

static cull_status split_lines(cull_ctx *ctx, span text, size_t most, text_file *out)
{
    size_t lines = 1;

    for (size_t i = 0; i < text.n; i++)
        lines += text.s[i] == '\n';
    span *document = ctx->host->alloc(ctx, lines, sizeof *document);
    if (!document)
        return CULL_ENOMEM;
    for (size_t at = 0; at < text.n && (most == 0 || out->n < most);) {
        const size_t newline = span_find(text, span_of("\n"), at);
        const size_t end = newline == SIZE_MAX ? text.n : newline;
        const span line = { text.s + at, end - at };
        if (py_strip(line).n > 0)
            document[out->n++] = line;
        at = end + 1;
    }
    out->document = document;
    return CULL_OK;
}

static cull_status read_file(cull_ctx *ctx, const char *path, const text_reading *how,
                             text_file *out)
{
    const char *bytes;
    size_t n;

    *out = (text_file){ .path = path };
    cull_status status = text_file_name(ctx, path, &out->name);
    if (status == CULL_OK && is_jsonl(path))
        return read_jsonl(ctx, how, out);
    if (status == CULL_OK)
        status = ctx->host->read_file(ctx, path, &bytes, &n);
    if (status != CULL_OK)
        return status;
    const span text = { bytes, n };
    if (!span_valid(text))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the file is not UTF-8", path);
    if (how->documents == TEXT_LINE)
        status = split_lines(ctx, text, how->first, out);
    else if (n > 0) {
        span *whole = ctx->host->alloc(ctx, 1, sizeof *whole);
        if (!whole)
            return CULL_ENOMEM;
        *whole = text;
        out->n = 1;
        out->document = whole;
    }
    if (status == CULL_OK && out->n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the file holds no text", path);
    return status;
}

cull_status text_files_read(cull_ctx *ctx, cull_texts paths, const text_reading *how,
                            text_file **out)
{
    text_file *file = ctx->host->alloc(ctx, paths.n + 1, sizeof *file);

    if (!file)
        return CULL_ENOMEM;
    for (size_t f = 0; f < paths.n; f++) {
        const cull_status status = read_file(ctx, paths.at[f], how, &file[f]);
        if (status != CULL_OK)
            return status;
        for (size_t i = 0; i < f; i++)
            if (strcmp(file[i].name, file[f].name) == 0)
                return ctx->host->fail(ctx, CULL_EINVAL, "%s and %s would both be called \"%s\"",
                                       paths.at[i], paths.at[f], file[f].name);
    }
    *out = file;
    return CULL_OK;
}

typedef struct encoded { // a document
    int32_t *ids;
    size_t n;
} encoded;

static cull_status encode_all(cull_ctx *ctx, const cull_text *text, const text_file *file,
                              uint32_t flags, encoded *out)
{
    for (size_t d = 0; d < file->n; d++) {
        const span s = file->document[d];
        const cull_status status = text->encode(ctx, text, s.s, s.n, flags, &out[d].ids, &out[d].n);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

cull_status text_rows_make(cull_ctx *ctx, const cull_text *text, const text_file *file,
                           size_t length, enum text_bos bos, text_rows *out)
{
    const size_t body = bos == TEXT_BOS_ROW ? length - 1 : length; // ids of the text in a row

    if (bos == TEXT_BOS_ROW && text->bos < 0)
        return ctx->host->fail(ctx, CULL_ENOTSUP,
                               "rows are to begin with BOS, but the tokenizer has none");
    encoded *doc = ctx->host->alloc(ctx, file->n, sizeof *doc);
    if (!doc)
        return CULL_ENOMEM;
    const cull_status status =
        encode_all(ctx, text, file, bos == TEXT_BOS_ONCE ? CULL_SPECIAL : 0, doc);
    if (status != CULL_OK)
        return status;
    *out = (text_rows){ .length = length };
    for (size_t d = 0; d < file->n; d++) {
        out->n += doc[d].n / body;
        out->tokens += doc[d].n;
    }
    int32_t *ids = ctx->host->alloc(ctx, out->n * length + 1, sizeof *ids);
    size_t *within = ctx->host->alloc(ctx, out->n + 1, sizeof *within);
    if (!ids || !within)
        return CULL_ENOMEM;
    out->ids = ids;
    out->within = within;
    for (size_t d = 0; d < file->n; d++)
        for (size_t i = 0; i + body <= doc[d].n; i += body) {
            if (bos == TEXT_BOS_ROW)
                *ids++ = text->bos;
            memcpy(ids, doc[d].ids + i, body * sizeof *ids);
            ids += body;
            *within++ = d;
        }
    return CULL_OK;
}
