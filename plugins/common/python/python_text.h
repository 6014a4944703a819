// Text as Python's str sees it: what lm-evaluation-harness does to prompts, on UTF-8.
//
// A span borrows n bytes of valid UTF-8 that may hold NULs; it is ended by nothing.
#ifndef COMMON_PYTHON_TEXT_H
#define COMMON_PYTHON_TEXT_H

#include <cull/host.h>

typedef struct span {
    const char *s;
    size_t n; // bytes
} span;

static inline span span_of(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return (span){ text, n };
}

bool span_valid(span); // is it UTF-8?
bool span_equal(span, span);
bool span_starts(span, span prefix);
// Position of the first `what` at or after byte `from`; SIZE_MAX: none.
size_t span_find(span, span what, size_t from);

// The character at byte i and its length in *step; −1 and 0: there is none.
int32_t span_char(span, size_t i, size_t *step);

bool py_isspace(int32_t code_point); // str.isspace of one character
size_t py_len(span);                 // code points
span py_rstrip(span);
span py_strip(span);
size_t py_words(span); // len(re.split(r"\s+", text))

// These make new text in the context's alloc memory; `out` may be what is read. CULL_ENOMEM is
// their only failure.
cull_status span_copy(cull_ctx *, span, span *out); // ended by a NUL that n does not count
cull_status span_join(cull_ctx *, size_t n, const span *parts, span *out);
cull_status py_replace(cull_ctx *, span, const char *old, const char *new_, span *out);
cull_status py_lower(cull_ctx *, span, span *out);
cull_status py_capitalize(cull_ctx *, span,
                          span *out); // first character title case, the rest lower
// The first character lower case, the rest as it is.
cull_status py_lower_first(cull_ctx *, span, span *out);

#endif
