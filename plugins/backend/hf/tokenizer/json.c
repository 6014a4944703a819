// tokenizer.json as nodes that know their names.
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text/json_at.h"

cull_status tk_no_memory(cull_ctx *ctx)
{
    return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory in the tokenizer");
}

cull_status tk_parse(const tk_file *file, const char *bytes, size_t n, size_t flags, json_t **root)
{
    return json_at(file->ctx, file->name, bytes, 0, n,
                   flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL, root);
}

tk_node tk_root(const tk_file *file, json_t *json)
{
    return (tk_node){ .file = file, .json = json };
}

tk_node tk_field(const tk_node *up, const char *key)
{
    return (tk_node){ up->file, up, key, 0, json_object_get(up->json, key) };
}

tk_node tk_item(const tk_node *up, size_t index)
{
    return (tk_node){ up->file, up, NULL, index, json_array_get(up->json, index) };
}

// The path to a node, "a.b[3]", into buf; returns its length, which may be above `room`.
static size_t path(const tk_node *node, char *buf, size_t room)
{
    if (!node->up)
        return 0;
    const size_t at = path(node->up, buf, room);
    if (at >= room)
        return at;
    const int n = node->key ? snprintf(buf + at, room - at, "%s%s", at ? "." : "", node->key)
                            : snprintf(buf + at, room - at, "[%zu]", node->index);
    return at + (n > 0 ? (size_t)n : 0);
}

cull_status tk_wrong(const tk_node *node, cull_status status, const char *fmt, ...)
{
    char place[256] = "", sentence[512];

    path(node, place, sizeof place);
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    cull_ctx *ctx = node->file->ctx;
    return ctx->host->fail(ctx, status, "%s: %s%s%s", node->file->name, place, *place ? ": " : "",
                           sentence);
}

static cull_status expected(const tk_node *node, const char *what)
{
    return tk_wrong(node, CULL_EFORMAT, node->json ? "not %s" : "is missing; it should be %s",
                    what);
}

cull_status tk_get_string(const tk_node *node, tk_str *out)
{
    if (!json_is_string(node->json))
        return expected(node, "a string");
    const size_t n = json_string_length(node->json);
    cull_ctx *ctx = node->file->ctx;
    char *copy = ctx->host->alloc(ctx, n + 1, 1);
    if (!copy)
        return CULL_ENOMEM;
    memcpy(copy, json_string_value(node->json), n);
    *out = (tk_str){ copy, n };
    return CULL_OK;
}

cull_status tk_get_char(const tk_node *node, tk_str *out)
{
    CULL_TRY(tk_get_string(node, out));
    if (out->n == 0 || out->n != tk_char_length(out->s[0]))
        return expected(node, "a single character");
    return CULL_OK;
}

cull_status tk_get_bool(const tk_node *node, bool otherwise, bool *out)
{
    *out = otherwise;
    if (tk_absent(node))
        return CULL_OK;
    if (!json_is_boolean(node->json))
        return expected(node, "true or false");
    *out = json_is_true(node->json);
    return CULL_OK;
}

cull_status tk_get_count(const tk_node *node, size_t most, size_t *out)
{
    if (!json_is_integer(node->json))
        return expected(node, "a whole number");
    const json_int_t value = json_integer_value(node->json);
    if (value < 0 || (uintmax_t)value > most)
        return tk_wrong(node, CULL_EFORMAT, "%lld is not between 0 and %zu", (long long)value,
                        most);
    *out = (size_t)value;
    return CULL_OK;
}

cull_status tk_get_array(const tk_node *node, size_t *n)
{
    if (!json_is_array(node->json))
        return expected(node, "a list");
    *n = json_array_size(node->json);
    return CULL_OK;
}

cull_status tk_get_object(const tk_node *node)
{
    return json_is_object(node->json) ? CULL_OK : expected(node, "an object");
}

cull_status tk_get_word(const tk_node *node, const char *const *words, size_t *out)
{
    if (!json_is_string(node->json))
        return expected(node, "a word");
    const char *word = json_string_value(node->json);
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return CULL_OK;
        }
    }
    return tk_wrong(node, CULL_ENOTSUP, "\"%.80s\" is not known here", word);
}

static bool among(const char *word, const char *known)
{
    const size_t n = strlen(word);

    for (const char *at = known; *at;) {
        const size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, word, n) == 0)
            return true;
        at += length;
        at += *at == ' ';
    }
    return false;
}

cull_status tk_only(const tk_node *node, const char *known)
{
    CULL_TRY(tk_get_object(node));
    for (void *i = json_object_iter(node->json); i; i = json_object_iter_next(node->json, i)) {
        if (!among(json_object_iter_key(i), known)) {
            const tk_node field = tk_field(node, json_object_iter_key(i));
            return tk_wrong(&field, CULL_ENOTSUP, "this option is not known");
        }
    }
    return CULL_OK;
}

cull_status tk_get_kind(const tk_node *node, const void *rows, size_t n, size_t row_size,
                        size_t *found)
{
    CULL_TRY(tk_get_object(node));
    const tk_node type = tk_field(node, "type");
    if (!json_is_string(type.json))
        return expected(&type, "a word");
    for (*found = 0; *found < n; ++*found) {
        const tk_kind *kind = (const void *)((const char *)rows + *found * row_size);
        if (strcmp(kind->type, json_string_value(type.json)) == 0)
            return tk_only(node, kind->options);
    }
    return tk_wrong(&type, CULL_ENOTSUP, "\"%.80s\" is not known here",
                    json_string_value(type.json));
}
