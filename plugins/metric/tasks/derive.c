// What lm-evaluation-harness does to documents in Python before it renders them.
#include <stdlib.h>
#include <string.h>

#include "common/python/regex.h"
#include "task_spec.h"

static json_t *json_of(span text)
{
    return json_stringn(text.s, text.n);
}

static cull_status set(cull_ctx *ctx, json_t *doc, const char *key, json_t *value)
{
    if (value && json_object_set_new(doc, key, value) == 0)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
}

static cull_status set_list(cull_ctx *ctx, json_t *doc, const char *key, size_t n, const span *text)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_of(text[i]));
    return set(ctx, doc, key, list);
}

// ---- hellaswag: tasks/hellaswag/utils.py ----

static cull_status clean(cull_ctx *ctx, const regex *brackets, span text, span *out)
{
    cull_status status = py_replace(ctx, py_strip(text), " [title]", ". ", out);

    if (status == CULL_OK)
        status = regex_replace(ctx, brackets, *out, "", out);
    return status == CULL_OK ? py_replace(ctx, *out, "  ", " ", out) : status;
}

static cull_status hellaswag(cull_ctx *ctx, const char *place, json_t *doc, const regex *brackets)
{
    span label, a, b, query;
    const span *ending;
    size_t n;
    cull_status status = json_get_text(ctx, place, doc, "activity_label", &label);

    if (status == CULL_OK)
        status = json_get_text(ctx, place, doc, "ctx_a", &a);
    if (status == CULL_OK)
        status = json_get_text(ctx, place, doc, "ctx_b", &b);
    if (status == CULL_OK)
        status = json_get_texts(ctx, place, doc, "endings", &n, &ending);
    if (status == CULL_OK)
        status = py_capitalize(ctx, b, &b);
    if (status == CULL_OK)
        status = span_join(ctx, 5, (span[]){ label, span_of(": "), a, span_of(" "), b }, &query);
    if (status == CULL_OK)
        status = clean(ctx, brackets, query, &query);
    if (status == CULL_OK)
        status = set(ctx, doc, "query", json_of(query));
    span *choice = status == CULL_OK ? ctx->host->alloc(ctx, n, sizeof *choice) : NULL;
    if (!choice)
        return status == CULL_OK ? CULL_ENOMEM : status;
    for (size_t i = 0; status == CULL_OK && i < n; i++)
        status = clean(ctx, brackets, ending[i], &choice[i]);
    if (status == CULL_OK)
        status = set_list(ctx, doc, "choices", n, choice);
    const char *right = json_string_value(json_object_get(doc, "label"));
    return status == CULL_OK && right && *right
               ? set(ctx, doc, "gold", json_integer(strtoll(right, NULL, 10)))
               : status;
}

cull_status derive_hellaswag(cull_ctx *ctx, const char *place, json_t *doc)
{
    regex *brackets;
    cull_status status = regex_new(ctx, place, "\\[.*?\\]", &brackets);

    if (status == CULL_OK)
        status = hellaswag(ctx, place, doc, brackets);
    regex_free(brackets);
    return status;
}

// ---- copa: tasks/super_glue/copa/utils.py ----

// The premise without its full stop, and how the choice follows from it.
static cull_status copa_context(cull_ctx *ctx, const char *place, json_t *doc)
{
    span premise, question, context;
    cull_status status = json_get_text(ctx, place, doc, "premise", &premise);

    if (status == CULL_OK)
        status = json_get_text(ctx, place, doc, "question", &question);
    if (status != CULL_OK)
        return status;
    const bool cause = span_equal(question, span_of("cause"));
    if (!cause && !span_equal(question, span_of("effect")))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"question\" is \"%s\", not cause or effect",
                               place, question.s);
    premise = py_strip(premise);
    while (premise.n > 0 && ((unsigned char)premise.s[premise.n - 1] & 0xc0) == 0x80)
        premise.n--;
    premise.n -= premise.n > 0;
    status = span_join(ctx, 2, (span[]){ premise, span_of(cause ? " because" : " therefore") },
                       &context);
    return status == CULL_OK ? set(ctx, doc, "context", json_of(context)) : status;
}

cull_status derive_copa(cull_ctx *ctx, const char *place, json_t *doc)
{
    static const char *const keys[] = { "choice1", "choice2" };
    span choice[2];
    cull_status status = copa_context(ctx, place, doc);

    for (size_t i = 0; status == CULL_OK && i < 2; i++) {
        status = json_get_text(ctx, place, doc, keys[i], &choice[i]);
        if (status == CULL_OK && choice[i].n == 0)
            status = ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is empty", place, keys[i]);
        if (status == CULL_OK)
            status = py_lower_first(ctx, choice[i], &choice[i]);
        if (status == CULL_OK)
            status = span_join(ctx, 2, (span[]){ span_of(" "), choice[i] }, &choice[i]);
    }
    return status == CULL_OK ? set_list(ctx, doc, "choices", 2, choice) : status;
}

// ---- winogrande: tasks/winogrande/preprocess_winogrande.py ----

cull_status derive_winogrande(cull_ctx *ctx, const char *place, json_t *doc)
{
    static const char *const keys[] = { "option1", "option2" };
    span sentence, option, context[2];
    cull_status status = json_get_text(ctx, place, doc, "sentence", &sentence);

    if (status != CULL_OK)
        return status;
    const size_t gap = span_find(sentence, span_of("_"), 0);
    if (gap == SIZE_MAX)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"sentence\" has no _", place);
    const span before = { sentence.s, gap }, after = { sentence.s + gap + 1, sentence.n - gap - 1 };
    for (size_t i = 0; status == CULL_OK && i < 2; i++) {
        status = json_get_text(ctx, place, doc, keys[i], &option);
        if (status == CULL_OK)
            status = span_join(ctx, 2, (span[]){ before, option }, &context[i]);
    }
    if (status == CULL_OK)
        status = set_list(ctx, doc, "contexts", 2, context);
    return status == CULL_OK ? set(ctx, doc, "target", json_of(py_strip(after))) : status;
}

// ---- gsm8k_cot: the number alone, where there is a worked answer ----

cull_status derive_gsm8k_cot(cull_ctx *ctx, const char *place, json_t *doc)
{
    span answer;

    if (!json_object_get(doc, "answer"))
        return CULL_OK; // a shot with its "target"
    const cull_status status = json_get_text(ctx, place, doc, "answer", &answer);
    if (status != CULL_OK)
        return status;
    for (size_t at; (at = span_find(answer, span_of("####"), 0)) != SIZE_MAX;)
        answer = (span){ answer.s + at + 4, answer.n - at - 4 };
    return set(ctx, doc, "target", json_of(py_strip(answer)));
}

// ---- wikitext: tasks/wikitext/preprocess_wikitext.py ----

typedef struct rewrite {
    const char *from, *to;
    bool pattern;
} rewrite;

// Python's \s, which PCRE2's differs from by U+001C to U+001F and U+180E.
#define S                                                                                          \
    "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{"     \
    "205f}\\x{3000}]*"

static const rewrite detokeniser[] = {
    { "s '", "s'", false },
    { "/' [0-9]/", "/'[0-9]/", true },
    { " @-@ ", "-", false },
    { " @,@ ", ",", false },
    { " @.@ ", ".", false },
    { " : ", ": ", false },
    { " ; ", "; ", false },
    { " . ", ". ", false },
    { " ! ", "! ", false },
    { " ? ", "? ", false },
    { " , ", ", ", false },
    { "\\(" S "([^\\)]*?)" S "\\)", "($1)", true },
    { "\\[" S "([^\\]]*?)" S "\\]", "[$1]", true },
    { "{" S "([^}]*?)" S "}", "{$1}", true },
    { "\"" S "([^\"]*?)" S "\"", "\"$1\"", true },
    { "'" S "([^']*?)" S "'", "'$1'", true },
    { "= = = =", "====", false },
    { "= = =", "===", false },
    { "= =", "==", false },
    { " \u00b0 ", "\u00b0", false },
    { " \n", "\n", false },
    { "\n ", "\n", false },
    { " N ", " 1 ", false },
    { " 's", "'s", false },
};
#undef S

cull_status derive_wikitext(cull_ctx *ctx, const char *place, json_t *doc)
{
    span text;
    cull_status status = json_get_text(ctx, place, doc, "page", &text);

    for (size_t i = 0; status == CULL_OK && i < sizeof detokeniser / sizeof *detokeniser; i++) {
        const rewrite *r = &detokeniser[i];
        regex *pattern = NULL;
        if (!r->pattern) {
            status = py_replace(ctx, text, r->from, r->to, &text);
            continue;
        }
        status = regex_new(ctx, place, r->from, &pattern);
        if (status == CULL_OK)
            status = regex_replace(ctx, pattern, text, r->to, &text);
        regex_free(pattern);
    }
    return status == CULL_OK ? set(ctx, doc, "text", json_of(text)) : status;
}
