// Python's str methods on UTF-8.
#include "common/python/python_text.h"

#include <string.h>

#include <utf8proc.h>

#include "common/python/python_case.h"

bool span_equal(span a, span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

bool span_starts(span text, span prefix)
{
    return prefix.n <= text.n && span_equal((span){ text.s, prefix.n }, prefix);
}

size_t span_find(span text, span what, size_t from)
{
    for (size_t i = from; what.n <= text.n && i <= text.n - what.n; i++)
        if (memcmp(text.s + i, what.s, what.n) == 0)
            return i;
    return SIZE_MAX;
}

int32_t span_char(span text, size_t i, size_t *step)
{
    utf8proc_int32_t c = 0;
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text.s + i, (utf8proc_ssize_t)(text.n - i), &c);

    *step = n > 0 ? (size_t)n : 0;
    return n > 0 ? c : -1;
}

bool span_valid(span text)
{
    size_t step = 0;

    for (size_t i = 0; i < text.n; i += step)
        if (span_char(text, i, &step) < 0)
            return false;
    return true;
}

bool py_isspace(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t py_len(span text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.s[i] & 0xc0) != 0x80;
    return n;
}

// First byte of the character that ends before byte i > 0.
static size_t before(span text, size_t i)
{
    do
        i--;
    while (i > 0 && ((unsigned char)text.s[i] & 0xc0) == 0x80);
    return i;
}

span py_rstrip(span text)
{
    size_t step = 0;

    while (text.n > 0) {
        const size_t last = before(text, text.n);
        if (!py_isspace(span_char(text, last, &step)))
            break;
        text.n = last;
    }
    return text;
}

span py_strip(span text)
{
    text = py_rstrip(text);
    size_t step = 0;
    while (text.n > 0 && py_isspace(span_char(text, 0, &step))) {
        text.s += step;
        text.n -= step;
    }
    return text;
}

size_t py_words(span text)
{
    size_t words = 1, step = 1;
    bool inside = false; // of a run of white space

    for (size_t i = 0; i < text.n && step > 0; i += step) {
        const bool space = py_isspace(span_char(text, i, &step));
        words += space && !inside;
        inside = space;
    }
    return words;
}

cull_status span_copy(cull_ctx *ctx, span text, span *out)
{
    return span_join(ctx, 1, &text, out);
}

cull_status span_join(cull_ctx *ctx, size_t n, const span *parts, span *out)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += parts[i].n;
    char *s = ctx->host->alloc(ctx, bytes + 1, 1);
    if (!s)
        return CULL_ENOMEM;
    for (size_t i = 0, at = 0; i < n; at += parts[i++].n)
        if (parts[i].n)
            memcpy(s + at, parts[i].s, parts[i].n);
    *out = (span){ s, bytes };
    return CULL_OK;
}

cull_status py_replace(cull_ctx *ctx, span text, const char *old, const char *new_, span *out)
{
    const span from = span_of(old), to = span_of(new_);
    size_t n = 0;

    for (size_t i = span_find(text, from, 0); i != SIZE_MAX; i = span_find(text, from, i + from.n))
        n++;
    char *s = ctx->host->alloc(ctx, text.n + n * to.n + 1, 1);
    if (!s)
        return CULL_ENOMEM;
    size_t at = 0, used = 0;
    for (size_t i; (i = span_find(text, from, at)) != SIZE_MAX; at = i + from.n) {
        memcpy(s + used, text.s + at, i - at);
        used += i - at;
        memcpy(s + used, to.s, to.n);
        used += to.n;
    }
    if (text.n > at)
        memcpy(s + used, text.s + at, text.n - at);
    *out = (span){ s, used + text.n - at };
    return CULL_OK;
}

// ---- case ----
//
// Simple mappings and categories are utf8proc's; what Unicode adds to them for single characters
// and for the final sigma, Python's only context, stands here and in python_case.h.

enum { DOTTED_I = 0x130, COMBINING_DOT = 0x307, SIGMA = 0x3a3, FINAL_SIGMA = 0x3c2 };

static bool in_ranges(int32_t c, size_t n, const int32_t ranges[][2])
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

// Unicode's Case_Ignorable: accents, modifiers and the marks inside words.
static bool is_ignorable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return in_ranges(c, sizeof ignorable_marks / sizeof *ignorable_marks, ignorable_marks);
    }
}

// Unicode's Cased, of what is not ignorable.
static bool is_cased(int32_t c)
{
    const utf8proc_category_t category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT ||
           in_ranges(c, sizeof cased_signs / sizeof *cased_signs, cased_signs);
}

static bool cased_before(span text, size_t i)
{
    size_t step = 0;

    while (i > 0) {
        i = before(text, i);
        const int32_t c = span_char(text, i, &step);
        if (!is_ignorable(c))
            return is_cased(c);
    }
    return false;
}

static bool cased_after(span text, size_t i)
{
    for (size_t step = 1; i < text.n && step > 0; i += step) {
        const int32_t c = span_char(text, i, &step);
        if (!is_ignorable(c))
            return is_cased(c);
    }
    return false;
}

static size_t put(char *s, int32_t c)
{
    return (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)s);
}

// Lower case of the character c that stands in bytes [i, next) of text; at most 4 bytes.
static size_t put_lower(char *s, span text, size_t i, size_t next, int32_t c)
{
    if (c == DOTTED_I) {
        const size_t n = put(s, 'i');
        return n + put(s + n, COMBINING_DOT);
    }
    if (c == SIGMA)
        return put(s, cased_before(text, i) && !cased_after(text, next) ? FINAL_SIGMA : SIGMA + 32);
    return put(s, utf8proc_tolower(c));
}

static size_t put_title(char *s, int32_t c)
{
    for (size_t i = 0; i < sizeof long_titles / sizeof *long_titles; i++)
        if (long_titles[i].from == c) {
            size_t n = 0;
            for (size_t k = 0; k < 3 && long_titles[i].to[k]; k++)
                n += put(s + n, long_titles[i].to[k]);
            return n;
        }
    return put(s, utf8proc_totitle(c));
}

enum first { FIRST_LOWER, FIRST_TITLE };

// The first character by `first`, the others lowered or not.
static cull_status change_case(cull_ctx *ctx, span text, enum first first, bool others, span *out)
{
    char *s =
        ctx->host->alloc(ctx, text.n * 2 + 5, 1); // a mapping never grows beyond twice its bytes

    if (!s)
        return CULL_ENOMEM;
    size_t used = 0, step = 0;
    for (size_t i = 0; i < text.n; i += step) {
        const int32_t c = span_char(text, i, &step);
        if (i == 0 && first == FIRST_TITLE)
            used += put_title(s, c);
        else if (i == 0 || others)
            used += put_lower(s + used, text, i, i + step, c);
        else
            used += put(s + used, c);
    }
    *out = (span){ s, used };
    return CULL_OK;
}

cull_status py_lower(cull_ctx *ctx, span text, span *out)
{
    return change_case(ctx, text, FIRST_LOWER, true, out);
}

cull_status py_capitalize(cull_ctx *ctx, span text, span *out)
{
    return change_case(ctx, text, FIRST_TITLE, true, out);
}

cull_status py_lower_first(cull_ctx *ctx, span text, span *out)
{
    // Of the first character alone: choice[0].lower(), in which no sigma is final.
    return change_case(ctx, text, FIRST_LOWER, false, out);
}
