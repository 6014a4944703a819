// A JSON object edited as text: what is not changed stays byte for byte.
#include "save/json_text.h"

#include <string.h>

#include "common/text/json_dumped.h"
#include "model.h"

// The quote that ends the string which begins here.
static const char *end_of_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at;
}

// The first character that is no part of the value which begins here, blanks after it included.
static const char *skip_value(const char *at)
{
    int depth = 0;

    for (; *at; at++) {
        if (*at == '"')
            at = end_of_string(at);
        else if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && depth-- == 0)
            return at;
        else if (*at == ',' && depth == 0)
            return at;
    }
    return at;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

bool hf_json_find(const char *text, const char *key, hf_json_member *out)
{
    const size_t n = strlen(key);
    const char *at = skip_blanks(skip_blanks(text) + 1);

    while (*at == '"') {
        const char *begin = at, *end = end_of_string(at);
        const char *value = skip_blanks(strchr(end, ':') + 1), *after = skip_value(value);
        if ((size_t)(end - begin) == n + 1 && memcmp(begin + 1, key, n) == 0) {
            *out = (hf_json_member){ begin, value, after };
            while (strchr(" \t\r\n", out->end[-1]))
                out->end--;
            return true;
        }
        at = *after == ',' ? skip_blanks(after + 1) : after;
    }
    return false;
}

char *hf_json_set(cull_ctx *ctx, const char *text, const char *key, const char *value)
{
    hf_json_member m;

    if (hf_json_find(text, key, &m))
        return hf_text(ctx, "%.*s%s%s", (int)(m.value - text), text, value, m.end);
    const char *inside = strchr(text, '{') + 1;
    return hf_text(ctx, "%.*s\n  \"%s\": %s,%s", (int)(inside - text), text, key, value, inside);
}

char *hf_json_remove(cull_ctx *ctx, const char *text, const char *key)
{
    hf_json_member m;

    if (!hf_json_find(text, key, &m))
        return hf_text(ctx, "%s", text);
    const char *end = skip_blanks(m.end);
    if (*end == ',')
        return hf_text(ctx, "%.*s%s", (int)(m.begin - text), text, skip_blanks(end + 1));
    const char *begin = m.begin; // the last one: the comma before it goes
    while (begin > text && begin[-1] != ',' && begin[-1] != '{')
        begin--;
    begin -= begin > text && begin[-1] == ',';
    return hf_text(ctx, "%.*s\n%s", (int)(begin - text), text, end);
}

json_t *hf_json_value(const char *text, const char *key)
{
    hf_json_member m;

    return hf_json_find(text, key, &m)
               ? json_loadb(m.value, (size_t)(m.end - m.value), JSON_DECODE_ANY, NULL)
               : NULL;
}

char *hf_json_put(cull_ctx *ctx, const char *text, const char *key, json_t *value)
{
    char *as_text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    char *out = as_text ? hf_json_set(ctx, text, key, as_text) : NULL;

    json_free_dumped(as_text);
    json_decref(value);
    return out;
}
