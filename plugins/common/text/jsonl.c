// Files of a JSON value a line.
#include "common/text/jsonl.h"

#include <stdio.h>
#include <string.h>

#include "common/text/json_at.h"
#include "common/text/json_dumped.h"

enum { FLAGS = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY };

static size_t count_lines(const char *bytes, size_t n)
{
    size_t lines = 1;

    for (size_t i = 0; i < n; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static bool blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
            return false;
    return true;
}

cull_status jsonl_read(cull_ctx *ctx, const char *path, size_t limit, jsonl *out)
{
    const char *bytes;
    size_t n;

    *out = (jsonl){ .path = path };
    cull_status status = ctx->host->read_file(ctx, path, &bytes, &n);
    if (status != CULL_OK)
        return status;
    const size_t lines = count_lines(bytes, n);
    size_t *line = ctx->host->alloc(ctx, lines, sizeof *line);
    json_t **value = ctx->host->alloc(ctx, lines, sizeof *value);
    if (!line || !value)
        return CULL_ENOMEM;
    out->value = value;
    out->line = line;
    for (size_t at = 0, number = 1; at < n && (limit == 0 || out->n < limit); number++) {
        const char *end = memchr(bytes + at, '\n', n - at);
        const size_t length = end ? (size_t)(end - (bytes + at)) : n - at;
        if (!blank(bytes + at, length)) {
            line[out->n] = number;
            status = json_at(ctx, path, bytes, at, at + length, FLAGS, NULL, &value[out->n]);
            if (status != CULL_OK) {
                jsonl_free(out);
                return status;
            }
            out->n++;
        }
        at += length + 1;
    }
    if (out->n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: the file holds no documents", path);
    return CULL_OK;
}

void jsonl_free(jsonl *file)
{
    for (size_t i = 0; i < file->n; i++)
        json_decref(file->value[i]);
    file->n = 0;
}

const char *jsonl_place(cull_ctx *ctx, const jsonl *file, size_t i)
{
    const size_t room = strlen(file->path) + 24;
    char *place = ctx->host->alloc(ctx, room, 1);

    if (place)
        snprintf(place, room, "%s:%zu", file->path, file->line[i]);
    return place;
}

cull_status json_read(cull_ctx *ctx, const char *path, json_t **out)
{
    const char *bytes;
    size_t n;

    *out = NULL;
    CULL_TRY(ctx->host->read_file(ctx, path, &bytes, &n));
    return json_at(ctx, path, bytes, 0, n, FLAGS, NULL, out);
}

const char *json_kind(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "nothing";
    }
}

static cull_status wrong(cull_ctx *ctx, const char *place, const json_t *object, const char *key,
                         const char *want)
{
    if (!json_is_object(object))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: this is %s, not an object", place,
                               json_kind(object));
    const json_t *value = json_object_get(object, key);
    if (!value)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: there is no \"%s\"", place, key);
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is %s, not %s", place, key,
                           json_kind(value), want);
}

static cull_status copy(cull_ctx *ctx, const json_t *text, span *out)
{
    return span_copy(ctx, (span){ json_string_value(text), json_string_length(text) }, out);
}

cull_status json_text(cull_ctx *ctx, const char *place, json_t *value, const char *what, span *out)
{
    if (!json_is_string(value))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %s is %s, not a text", place, what,
                               json_kind(value));
    return copy(ctx, value, out);
}

cull_status json_get_text(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                          span *out)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? copy(ctx, value, out) : wrong(ctx, place, object, key, "a text");
}

cull_status json_get_int(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                         int64_t *out)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        return wrong(ctx, place, object, key, "a whole number");
    *out = json_integer_value(value);
    return CULL_OK;
}

cull_status json_get_list(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                          json_t **out)
{
    *out = json_object_get(object, key);
    if (!json_is_array(*out))
        return wrong(ctx, place, object, key, "a list");
    if (json_array_size(*out) == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is empty", place, key);
    return CULL_OK;
}

cull_status json_get_texts(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                           size_t *n, const span **out)
{
    json_t *list = json_object_get(object, key);
    const bool one = json_is_string(list);
    cull_status status = one ? CULL_OK : json_get_list(ctx, place, object, key, &list);

    if (status != CULL_OK)
        return status;
    *n = one ? 1 : json_array_size(list);
    span *text = ctx->host->alloc(ctx, *n, sizeof *text);
    if (!text)
        return CULL_ENOMEM;
    *out = text;
    for (size_t i = 0; status == CULL_OK && i < *n; i++) {
        char what[80];
        snprintf(what, sizeof what, "entry %zu of \"%.32s\"", i, key);
        status = json_text(ctx, place, one ? list : json_array_get(list, i), what, &text[i]);
    }
    return status;
}

cull_status json_get_strings(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                             size_t *n, const char *const **out)
{
    const span *text;
    const cull_status status = json_get_texts(ctx, place, object, key, n, &text);
    const char **string = status == CULL_OK ? ctx->host->alloc(ctx, *n, sizeof *string) : NULL;

    if (!string)
        return status == CULL_OK ? CULL_ENOMEM : status;
    for (size_t i = 0; i < *n; i++)
        string[i] = text[i].s;
    *out = string;
    return CULL_OK;
}

cull_status json_get_lengths(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                             size_t n, const int64_t **out)
{
    json_t *list = json_object_get(object, key);

    *out = NULL;
    if (!list || json_is_null(list))
        return CULL_OK;
    if (!json_is_array(list))
        return wrong(ctx, place, object, key, "a list of whole numbers");
    if (json_array_size(list) != n)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" has %zu entries for %zu requests",
                               place, key, json_array_size(list), n);
    int64_t *length = ctx->host->alloc(ctx, n, sizeof *length);
    if (!length)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: entry %zu of \"%s\" is not a length",
                                   place, i, key);
        length[i] = json_integer_value(value);
    }
    *out = length;
    return CULL_OK;
}

cull_status json_get_optional(cull_ctx *ctx, const char *place, json_t *object, const char *key,
                              const char **out)
{
    const json_t *value = json_object_get(object, key);
    span text;

    *out = NULL;
    if (!value || json_is_null(value))
        return CULL_OK;
    const cull_status status = json_get_text(ctx, place, object, key, &text);
    if (status == CULL_OK)
        *out = text.s;
    return status;
}

cull_status json_keep(cull_ctx *ctx, const json_t *value, size_t flags, const char **out)
{
    span copy;
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY);

    if (!text)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    const cull_status status = span_copy(ctx, span_of(text), &copy);
    json_free_dumped(text);
    *out = copy.s;
    return status;
}
