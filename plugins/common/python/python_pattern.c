// Python's regular expressions in PCRE2's dialect.
#include "common/python/python_pattern.h"

#include <stdbool.h>
#include <string.h>

// str.isspace, and what it is not: PCRE2's \s has U+180E, and lacks U+001C to U+001F.
static const char spaces[] =
    "\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
    "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
static const char others[] =
    "\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{"
    "10ffff}";

typedef struct reader {
    const char *at; // in the pattern
    char *out;      // or NULL
    size_t used;
    bool in_class, verbose;
} reader;

static void put(reader *r, const char *s, size_t n)
{
    if (r->out)
        memcpy(r->out + r->used, s, n);
    r->used += n;
}

static void put_text(reader *r, const char *text)
{
    put(r, text, strlen(text));
}

static void copy(reader *r, size_t n)
{
    put(r, r->at, n);
    r->at += n;
}

// An open comment is left for PCRE2 to refuse.
static void skip_comment(reader *r)
{
    const char *end = strchr(r->at, ')');

    if (end)
        r->at = end + 1;
    else
        copy(r, strlen(r->at));
}

static void read_escape(reader *r)
{
    const char c = r->at[1];

    if (c == 's' || c == 'S') {
        const bool negated = c == 'S';
        put_text(r, r->in_class ? "" : negated ? "[^" : "[");
        put_text(r, r->in_class && negated ? others : spaces);
        put_text(r, r->in_class ? "" : "]");
        r->at += 2;
    } else if (c == 'Z' && !r->in_class) {
        put_text(r, "\\z"); // not before a last line's end
        r->at += 2;
    } else {
        copy(r, c ? 2 : 1);
    }
}

// "{,3}" is text to PCRE2 before 10.43.
static void read_brace(reader *r)
{
    const char *const comma = r->at + 1;

    copy(r, 1);
    if (*comma == ',' && comma[1 + strspn(comma + 1, "0123456789")] == '}')
        put_text(r, "0");
}

// "[" or "[^"; what comes first is itself, be it "]" or the ":", "." or "=" of POSIX's classes.
static void open_class(reader *r)
{
    r->in_class = true;
    copy(r, r->at[1] == '^' ? 2 : 1);
    if (*r->at && strchr("]:.=", *r->at)) {
        put_text(r, "\\");
        copy(r, 1);
    }
}

static void read_item(reader *r)
{
    if (*r->at == '\\') {
        read_escape(r);
    } else if (r->in_class) {
        if (*r->at == '[') // of "[:alpha:]", too, which is nothing special
            put_text(r, "\\");
        r->in_class = *r->at != ']';
        copy(r, 1);
    } else if (*r->at == '[') {
        open_class(r);
    } else if (*r->at == '{') {
        read_brace(r);
    } else if (strncmp(r->at, "(?#", 3) == 0) {
        skip_comment(r); // a quantifier may follow that is of what stands before it
    } else if (*r->at == '#' && r->verbose) {
        copy(r, strcspn(r->at, "\n"));
    } else {
        copy(r, 1);
    }
}

// "(?x)", among other flags: those of a whole pattern stand at its beginning.
static bool is_verbose(const char *pattern)
{
    if (strncmp(pattern, "(?", 2) != 0)
        return false;
    const size_t n = strspn(pattern + 2, "aiLmsux");

    return pattern[2 + n] == ')' && memchr(pattern + 2, 'x', n);
}

size_t python_pattern(const char *pattern, size_t most, char *out, size_t *used)
{
    reader r = { .at = pattern, .out = out, .verbose = is_verbose(pattern) };
    while (*r.at && r.used < most)
        read_item(&r);

    if (out)
        out[r.used] = 0;
    *used = r.used;
    return (size_t)(r.at - pattern);
}
