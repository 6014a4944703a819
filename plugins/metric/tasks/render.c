// A document's prompt and choices from its fields.
#include "render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value at "a.b" or "a.0"; NULL: there is none.
static json_t *at_path(json_t *doc, span path)
{
    while (doc && path.n > 0) {
        const size_t dot = span_find(path, span_of("."), 0);
        const size_t n = dot == SIZE_MAX ? path.n : dot;
        const bool number = n > 0 && strspn(path.s, "0123456789") >= n;
        doc = number && json_is_array(doc) ? json_array_get(doc, strtoull(path.s, NULL, 10))
                                           : json_object_getn(doc, path.s, n);
        path = n == path.n ? (span){ path.s, 0 } : (span){ path.s + n + 1, path.n - n - 1 };
    }
    return doc;
}

// ---- templates ----

#define TRIM "|trim"

// What stands in the braces at `open`; the template goes on at *after, SIZE_MAX: they do not end.
static span field_at(span template, size_t open, bool *trim, size_t *after)
{
    const size_t close = span_find(template, span_of("}}"), open);
    const size_t n = close == SIZE_MAX ? 0 : close - open - 2;
    span path = py_strip((span){ template.s + open + 2, n });

    *after = close == SIZE_MAX ? SIZE_MAX : close + 2;
    *trim =
        path.n >= strlen(TRIM) && memcmp(path.s + path.n - strlen(TRIM), TRIM, strlen(TRIM)) == 0;
    return *trim ? py_strip((span){ path.s, path.n - strlen(TRIM) }) : path;
}

cull_status template_check(cull_ctx *ctx, const char *place, const char *template)
{
    const span text = span_of(template);

    if (strstr(template, "{%") || strstr(template, "{#"))
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: a template has fields, \"{{name}}\", and no "
                               "other commands",
                               place);
    for (size_t at = 0, after; (at = span_find(text, span_of("{{"), at)) != SIZE_MAX; at = after) {
        bool trim;
        const span path = field_at(text, at, &trim, &after);
        if (after == SIZE_MAX)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"{{\" without \"}}\"", place);
        for (size_t i = 0; i < path.n; i++)
            if (strchr(" |()[]'\"{}+,:", path.s[i]))
                return ctx->host->fail(ctx, CULL_EFORMAT,
                                       "%s: \"%.*s\" is no field: {{name}}, {{list.0}}, "
                                       "{{name|trim}} are",
                                       place, (int)path.n, path.s);
        if (path.n == 0)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"{{}}\" names no field", place);
    }
    return CULL_OK;
}

static cull_status text_at(cull_ctx *ctx, const char *place, json_t *doc, span path, span *out)
{
    json_t *value = at_path(doc, path);
    char what[80], digits[24];

    if (json_is_integer(value)) {
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return span_copy(ctx, span_of(digits), out);
    }
    snprintf(what, sizeof what, "\"%.*s\"", (int)path.n, path.s);
    return json_text(ctx, place, value, what, out);
}

cull_status render(cull_ctx *ctx, const char *place, const char *template, json_t *doc, span *out)
{
    const span text = span_of(template);
    size_t most = 1, n = 0, open, after;

    for (size_t at = 0; (at = span_find(text, span_of("{{"), at)) != SIZE_MAX; at += 2)
        most += 2;
    span *part = ctx->host->scratch(ctx, most, sizeof *part);
    if (!part)
        return CULL_ENOMEM;
    for (size_t at = 0; at != text.n; at = after) {
        bool trim;
        open = span_find(text, span_of("{{"), at);
        after = open == SIZE_MAX ? text.n : open;
        part[n++] = (span){ text.s + at, after - at };
        if (open == SIZE_MAX)
            break;
        const span path = field_at(text, open, &trim, &after);
        CULL_TRY(text_at(ctx, place, doc, path, &part[n]));
        if (trim)
            part[n] = py_strip(part[n]);
        n++;
    }
    return span_join(ctx, n, part, out);
}

cull_status render_list(cull_ctx *ctx, const char *place, const char *path, json_t *doc, size_t *n,
                        const span **out)
{
    json_t *list = at_path(doc, span_of(path));

    *n = json_array_size(list);
    if (*n == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is %s, not a list of texts", place,
                               path, json_is_array(list) ? "empty" : json_kind(list));
    span *text = ctx->host->alloc(ctx, *n, sizeof *text);
    if (!text)
        return CULL_ENOMEM;
    *out = text;
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < *n; i++) {
        char what[80];
        snprintf(what, sizeof what, "entry %zu of \"%.32s\"", i, path);
        status = json_text(ctx, place, json_array_get(list, i), what, &text[i]);
    }
    return status;
}

cull_status render_choices(cull_ctx *ctx, const char *place, const task_spec *spec, json_t *doc,
                           size_t *n, const span **out)
{
    if (spec->choices)
        return render_list(ctx, place, spec->choices, doc, n, out);
    span *text = ctx->host->alloc(ctx, spec->n_choices, sizeof *text);
    if (!text)
        return CULL_ENOMEM;
    for (size_t i = 0; i < spec->n_choices; i++)
        CULL_TRY(render(ctx, place, spec->choice[i], doc, &text[i]));
    *n = spec->n_choices;
    *out = text;
    return CULL_OK;
}

static cull_status gold_by_label(cull_ctx *ctx, const char *place, const task_spec *spec,
                                 json_t *doc, int64_t *out)
{
    span key;
    const span *label;
    size_t n;
    cull_status status = json_get_text(ctx, place, doc, spec->gold, &key);

    if (status == CULL_OK)
        status = render_list(ctx, place, spec->labels, doc, &n, &label);
    if (status != CULL_OK)
        return status;
    while (key.n > 0 && key.s[0] == ' ') // openbookqa: answerKey.lstrip()
        key = (span){ key.s + 1, key.n - 1 };
    for (size_t i = 0; i < n; i++)
        if (span_equal(label[i], key)) {
            *out = (int64_t)i;
            return CULL_OK;
        }
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is \"%s\", which is none of %s", place,
                           spec->gold, key.s, spec->labels);
}

// −1: the text is no number.
static int64_t number_of(const char *text)
{
    char *end;
    const long long number = strtoll(text, &end, 10);

    return *end || number < 0 ? -1 : number;
}

cull_status find_gold(cull_ctx *ctx, const char *place, const task_spec *spec, json_t *doc,
                      size_t n, int64_t *out)
{
    cull_status status = CULL_OK;
    const json_t *value = json_object_get(doc, spec->gold);

    if (spec->gold_rule == GOLD_LABEL)
        status = gold_by_label(ctx, place, spec, doc, out);
    else if (json_is_string(value) && json_string_length(value) > 0)
        *out = number_of(json_string_value(value));
    else
        status = json_get_int(ctx, place, doc, spec->gold, out);
    if (status != CULL_OK)
        return status;
    *out -= spec->gold_rule == GOLD_COUNT;
    if (*out >= 0 && (size_t)*out < n)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" names none of the %zu choices", place,
                           spec->gold, n);
}

// Question and answer of a shot. lm_eval/api/task.py, build_qa_turn.
static cull_status shot_parts(cull_ctx *ctx, const char *place, const task_spec *spec, json_t *doc,
                              span *question, span *answer)
{
    const span *text;
    size_t n;
    int64_t gold;
    cull_status status = CULL_OK;

    if (spec->question)
        status = render(ctx, place, spec->question, doc, question);
    if (status == CULL_OK && spec->answer)
        status = render(ctx, place, spec->answer, doc, answer);
    if (status != CULL_OK || spec->kind == TASK_GENERATE)
        return status;
    status = spec->contexts ? render_list(ctx, place, spec->contexts, doc, &n, &text)
                            : render_choices(ctx, place, spec, doc, &n, &text);
    if (status == CULL_OK)
        status = find_gold(ctx, place, spec, doc, n, &gold);
    if (status == CULL_OK)
        *(spec->contexts ? question : answer) = text[gold];
    return status;
}

cull_status render_shot(cull_ctx *ctx, const char *place, const task_spec *spec, json_t *doc,
                        span *out)
{
    span question = { "", 0 }, answer = { "", 0 };
    const cull_status status = shot_parts(ctx, place, spec, doc, &question, &answer);

    if (status != CULL_OK)
        return status;
    // An answer that is an empty text, not the number of a choice, leaves out delimiter and blank
    // line.
    const bool none = answer.n == 0 && spec->answer;
    return span_join(ctx, none ? 1 : 4, (span[]){ question, span_of(" "), answer, span_of("\n\n") },
                     out);
}
