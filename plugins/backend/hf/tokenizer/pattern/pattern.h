// Patterns: a literal string, or a regular expression in Oniguruma's syntax, run by PCRE2.
#ifndef HF_TOKENIZER_PATTERN_H
#define HF_TOKENIZER_PATTERN_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#    define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include "tokenizer/json.h"

typedef struct tk_pattern {
    tk_str literal;   // not empty, when code is NULL
    pcre2_code *code; // owned by the list of patterns
    struct tk_pattern *next;
} tk_pattern;

// {"String": "…"} or {"Regex": "…"}, or a bare string for the former. The pattern is entered into
// `list`, which tk_patterns_free lets go of.
cull_status tk_pattern_read(const tk_node *node, tk_pattern **list, const tk_pattern **out);
// `regex` is a pattern of our own, in Oniguruma's syntax; node says where failures are reported.
cull_status tk_pattern_regex(const tk_node *node, tk_str regex, tk_pattern **list,
                             const tk_pattern **out);
cull_status tk_pattern_literal(const tk_node *node, tk_str literal, tk_pattern **list,
                               const tk_pattern **out);
bool tk_pattern_matches_empty(const tk_pattern *pattern); // may it?
void tk_patterns_free(tk_pattern *list);

// The working memory of one call's matching.
typedef struct tk_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    int error; // a PCRE2 error code: no memory, or a limit was met
} tk_matcher;

bool tk_matcher_init(tk_matcher *matcher);
void tk_matcher_release(tk_matcher *matcher);

// The matches in s, one after another, each beginning at or after the last one's end. An empty
// match right at the end of the last match is passed over.
typedef struct tk_search {
    const tk_pattern *pattern;
    tk_matcher *matcher;
    tk_str s;
    size_t from, last; // last: end of the last match, SIZE_MAX: none yet
} tk_search;

tk_search tk_search_begin(const tk_pattern *pattern, tk_matcher *matcher, tk_str s);
bool tk_search_next(tk_search *search, tk_span *match);

// Oniguruma's pattern as PCRE2 (UTF, UCP, MULTILINE) understands it, appended to out.
cull_status tk_translate(const tk_node *node, tk_str regex, tk_text *out);

#endif
