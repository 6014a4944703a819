// Patterns of tokenizers as PCRE2 has them.
#include "pattern.h"

#include <string.h>

enum { JIT_STACK = 32 * 1024, JIT_STACK_MOST = 64 * 1024 * 1024, HEAP_MOST_KIB = 256 * 1024 };

static cull_status compile(const tk_node *node, tk_str regex, const tk_text *pcre,
                           pcre2_code **code)
{
    int error;
    size_t at;

    *code = pcre2_compile((PCRE2_SPTR)pcre->s, pcre->n, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                          &error, &at, NULL);
    if (!*code && error == PCRE2_ERROR_HEAP_FAILED)
        return tk_no_memory(node->file->ctx);
    if (!*code) {
        PCRE2_UCHAR text[160] = "";
        pcre2_get_error_message(error, text, sizeof text);
        return tk_wrong(node, CULL_EFORMAT, "the pattern %.*s: %s",
                        (int)(regex.n < 200 ? regex.n : 200), regex.s, (const char *)text);
    }
    pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); // without it matching only takes longer
    return CULL_OK;
}

static tk_pattern *enter(const tk_node *node, tk_pattern **list, const tk_pattern **out)
{
    cull_ctx *ctx = node->file->ctx;
    tk_pattern *pattern = ctx->host->alloc(ctx, 1, sizeof *pattern);

    if (pattern) {
        pattern->next = *list;
        *list = pattern;
    }
    *out = pattern;
    return pattern;
}

cull_status tk_pattern_regex(const tk_node *node, tk_str regex, tk_pattern **list,
                             const tk_pattern **out)
{
    tk_pattern *pattern = enter(node, list, out);

    if (!pattern)
        return CULL_ENOMEM;
    tk_text pcre = { 0 };
    cull_status status = tk_translate(node, regex, &pcre);
    if (status == CULL_OK && pcre.failed)
        status = tk_no_memory(node->file->ctx);
    if (status == CULL_OK)
        status = compile(node, regex, &pcre, &pattern->code);
    tk_text_free(&pcre);
    return status;
}

cull_status tk_pattern_literal(const tk_node *node, tk_str literal, tk_pattern **list,
                               const tk_pattern **out)
{
    if (literal.n == 0)
        return tk_wrong(node, CULL_ENOTSUP, "an empty pattern");
    tk_pattern *pattern = enter(node, list, out);
    if (!pattern)
        return CULL_ENOMEM;
    pattern->literal = literal;
    return CULL_OK;
}

cull_status tk_pattern_read(const tk_node *node, tk_pattern **list, const tk_pattern **out)
{
    tk_str text;

    if (json_is_string(node->json)) {
        CULL_TRY(tk_get_string(node, &text));
        return tk_pattern_literal(node, text, list, out);
    }
    CULL_TRY(tk_only(node, "String Regex"));
    const tk_node string = tk_field(node, "String"), regex = tk_field(node, "Regex");
    if (!string.json == !regex.json)
        return tk_wrong(node, CULL_EFORMAT, "a pattern is {\"String\": …} or {\"Regex\": …}");
    if (string.json) {
        CULL_TRY(tk_get_string(&string, &text));
        return tk_pattern_literal(&string, text, list, out);
    }
    CULL_TRY(tk_get_string(&regex, &text));
    return tk_pattern_regex(&regex, text, list, out);
}

bool tk_pattern_matches_empty(const tk_pattern *pattern)
{
    uint32_t empty = 0;

    return pattern->code && pcre2_pattern_info(pattern->code, PCRE2_INFO_MATCHEMPTY, &empty) == 0 &&
           empty;
}

void tk_patterns_free(tk_pattern *list)
{
    for (; list; list = list->next)
        pcre2_code_free(list->code);
}

bool tk_matcher_init(tk_matcher *matcher)
{
    *matcher = (tk_matcher){ .data = pcre2_match_data_create(1, NULL),
                             .context = pcre2_match_context_create(NULL),
                             .stack = pcre2_jit_stack_create(JIT_STACK, JIT_STACK_MOST, NULL) };
    if (!matcher->data || !matcher->context || !matcher->stack) {
        tk_matcher_release(matcher);
        return false;
    }
    pcre2_set_heap_limit(matcher->context, HEAP_MOST_KIB);
    pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return true;
}

void tk_matcher_release(tk_matcher *matcher)
{
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_context_free(matcher->context);
    pcre2_match_data_free(matcher->data);
    *matcher = (tk_matcher){ 0 };
}

tk_search tk_search_begin(const tk_pattern *pattern, tk_matcher *matcher, tk_str s)
{
    return (tk_search){ pattern, matcher, s, 0, SIZE_MAX };
}

static bool match_at(tk_search *search, tk_span *match)
{
    const int rc =
        pcre2_match(search->pattern->code, (PCRE2_SPTR)search->s.s, search->s.n, search->from,
                    PCRE2_NO_UTF_CHECK, search->matcher->data, search->matcher->context);

    if (rc < 0) {
        if (rc != PCRE2_ERROR_NOMATCH)
            search->matcher->error = rc;
        return false;
    }
    const size_t *ends = pcre2_get_ovector_pointer(search->matcher->data);
    *match = (tk_span){ ends[0], ends[1] };
    return true;
}

bool tk_search_next(tk_search *search, tk_span *match)
{
    if (!search->pattern->code) {
        const size_t at = tk_find(search->s, search->from, search->pattern->literal);
        if (at == SIZE_MAX)
            return false;
        *match = (tk_span){ at, at + search->pattern->literal.n };
        search->from = match->end;
        return true;
    }
    while (search->from <= search->s.n && !search->matcher->error && match_at(search, match)) {
        if (match->end > match->start || match->end != search->last) {
            search->from = search->last = match->end;
            return true;
        }
        search->from += search->from < search->s.n ? tk_char_length(search->s.s[search->from]) : 1;
    }
    return false;
}
