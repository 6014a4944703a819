// A document's prompt and choices from its fields.
#include "render.h"

#include <stdio.h>
#include <string.h>

// The value at "a.b" or "a.0"; NULL: there is none.
static json_t *at_path(json_t *doc, span path)
{
    while (doc && path.n > 0) {
        const size_t dot = span_find(path, span_of("."), 0);
        const size_t n = dot == SIZE_MAX ? path.n : dot;
        char key[64];
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path.s, n);
        key[n] = '\0';
        const bool number = key[0] >= '0' && key[0] <= '9';
        doc = number ? json_array_get(doc, (size_t)(key[0] - '0')) : json_object_get(doc, key);
        path = n == path.n ? (span){ path.s, 0 } : (span){ path.s + n + 1, path.n - n - 1 };
    }
    return doc;
}

static cull_status text_at(cull_ctx *ctx, const char *place, json_t *doc, span path, span *out)
{
    char what[80];
    snprintf(what, sizeof what, "\"%.*s\"", (int)path.n, path.s);
    return json_text(ctx, place, at_path(doc, path), what, out);
}

cull_status render(cull_ctx *ctx, const char *place, const char *template, json_t *doc, span *out)
{
    enum { MOST = 24 }; // pieces of the longest template
    span part[MOST];
    size_t n = 0;
    for (span rest = span_of(template); rest.n > 0 && n + 2 <= MOST;) {
        const size_t open = span_find(rest, span_of("{"), 0);
        part[n++] = (span){ rest.s, open == SIZE_MAX ? rest.n : open };
        if (open == SIZE_MAX)
            break;
        const size_t close = span_find(rest, span_of("}"), open);
        span path = { rest.s + open + 1, close - open - 1 };
        const size_t bar = span_find(path, span_of("|strip"), 0);
        if (bar != SIZE_MAX)
            path.n = bar;
        const cull_status status = text_at(ctx, place, doc, path, &part[n]);
        if (status != CULL_OK)
            return status;
        if (bar != SIZE_MAX)
            part[n] = py_strip(part[n]);
        n++;
        rest = (span){ rest.s + close + 1, rest.n - close - 1 };
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
    enum { MOST = 8 };
    if (!strchr(spec->choices, '|'))
        return render_list(ctx, place, spec->choices, doc, n, out);
    span *text = ctx->host->alloc(ctx, MOST, sizeof *text);
    if (!text)
        return CULL_ENOMEM;
    *out = text;
    *n = 0;
    for (span rest = span_of(spec->choices); rest.n > 0 && *n < MOST; ++*n) {
        const size_t bar = span_find(rest, span_of("|"), 0);
        span one;
        cull_status status = span_copy(ctx, (span){ rest.s, bar }, &one);
        if (status == CULL_OK)
            status = render(ctx, place, one.s, doc, &text[*n]);
        if (status != CULL_OK)
            return status;
        rest = (span){ rest.s + bar + 1, rest.n - bar - 1 };
    }
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
        status = render_list(ctx, place, "choices.label", doc, &n, &label);
    if (status != CULL_OK)
        return status;
    while (key.n > 0 && key.s[0] == ' ') // openbookqa: answerKey.lstrip()
        key = (span){ key.s + 1, key.n - 1 };
    for (size_t i = 0; i < n; i++)
        if (span_equal(label[i], key)) {
            *out = (int64_t)i;
            return CULL_OK;
        }
    return ctx->host->fail(ctx, CULL_EFORMAT,
                           "%s: \"%s\" is \"%s\", which is none of choices.label", place,
                           spec->gold, key.s);
}

cull_status find_gold(cull_ctx *ctx, const char *place, const task_spec *spec, json_t *doc,
                      size_t n, int64_t *out)
{
    cull_status status = CULL_OK;
    const json_t *value = json_object_get(doc, spec->gold);
    if (spec->gold_rule == GOLD_LABEL)
        status = gold_by_label(ctx, place, spec, doc, out);
    else if (json_is_string(value) && json_string_length(value) == 1)
        *out = json_string_value(value)[0] - '0';
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
