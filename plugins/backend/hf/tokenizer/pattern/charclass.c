// Escapes and classes. A class becomes PCRE2's where it is a plain list, and a composition of
// look-aheads where it holds classes, intersections (&&) or negated sets.
#include "translate.h"

#include <string.h>

enum { MOST_NESTED = 16 };

static void puts_to(tk_text *out, const char *s)
{
    tk_text_add(out, s, strlen(s));
}

static int digit(char c, unsigned base)
{
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : 99;

    return value < (int)base ? value : -1;
}

static uint32_t number(tk_scan *scan, unsigned base, size_t most, size_t *digits)
{
    uint32_t code = 0;
    for (*digits = 0; *digits < most && digit(tk_scan_peek(scan), base) >= 0; ++*digits, scan->at++)
        code = code * base + (uint32_t)digit(tk_scan_peek(scan), base);

    return code;
}

// \x{H…}, \xHH, \uHHHH
static cull_status hexadecimal(tk_scan *scan, uint32_t *code)
{
    size_t digits;
    const bool long_form = tk_scan_take(scan, "u");
    const bool braced = !long_form && (tk_scan_take(scan, "x"), tk_scan_take(scan, "{"));

    *code = number(scan, 16, long_form ? 4 : braced ? 8 : 2, &digits);
    if (digits == 0 || (long_form && digits < 4) || (braced && !tk_scan_take(scan, "}")))
        return tk_scan_refuse(scan, "hexadecimal digits are missing");
    if (*code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ||
        (!long_form && !braced && *code > 0x7f))
        return tk_scan_refuse(scan, "this is no character");
    return CULL_OK;
}

cull_status tk_scan_escape(tk_scan *scan, uint32_t *code, bool *found)
{
    static const char letters[] = "tvnrfae", controls[] = "\t\v\n\r\f\a\x1b";
    const char c = tk_scan_peek(scan);
    const char *letter = c ? strchr(letters, c) : NULL;

    *found = true;
    if (!tk_scan_more(scan))
        return tk_scan_refuse(scan, "the pattern ends in a backslash");
    if (letter) {
        *code = (uint32_t)controls[letter - letters];
        scan->at++;
        return CULL_OK;
    }
    if (c == 'x' || c == 'u')
        return hexadecimal(scan, code);
    if (c == '0') {
        size_t digits;
        *code = number(scan, 8, 3, &digits);
        return CULL_OK;
    }
    *found = !((c >= '1' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    if (*found) { // anything else stands for itself
        *code = tk_char(scan->regex.s + scan->at);
        scan->at += tk_char_length(c);
    }
    return CULL_OK;
}

// After \p or \P: {name} or {^name}
static cull_status property(tk_scan *scan, tk_text *set, bool *negated)
{
    if (!tk_scan_take(scan, "{"))
        return tk_scan_refuse(scan, "a property's name stands in braces");
    if (tk_scan_take(scan, "^"))
        *negated = !*negated;
    const char *name = scan->regex.s + scan->at;
    const char *end = memchr(name, '}', scan->regex.n - scan->at);
    if (!end || !tk_property((tk_str){ name, (size_t)(end - name) }, set))
        return tk_scan_refuse(scan, "there is no such property");
    scan->at += (size_t)(end - name) + 1;
    return CULL_OK;
}

cull_status tk_scan_set(tk_scan *scan, bool in_class, tk_text *set, bool *found, bool *negated)
{
    static const struct {
        char letter;
        const char *outside, *inside;
    } sets[] = {
        { 's', "space", "space" },
        { 'd', "digit", "digit" },
        { 'h', "xdigit", "xdigit" },
        { 'w', "latinword", "word" },
    };
    const char c = tk_scan_peek(scan);

    *found = true;
    *negated = c == 'P';
    if (c == 'p' || c == 'P') {
        scan->at++;
        return property(scan, set, negated);
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        *negated = c == sets[i].letter - 'a' + 'A';
        if (c == sets[i].letter || *negated) {
            scan->at++;
            tk_property(tk_cstr(in_class ? sets[i].inside : sets[i].outside), set);
            return CULL_OK;
        }
    }
    *found = false;
    return CULL_OK;
}

typedef struct tk_set { // one side of an intersection
    tk_text list;       // what can stand in a class of PCRE2
    tk_text other;      // alternatives that cannot, each after a |
} tk_set;

static void put_side(tk_text *out, const tk_set *set)
{
    const bool plain = set->other.n == 0;

    if (plain && set->list.n == 0) {
        puts_to(out, "(?!)");
        return;
    }
    puts_to(out, plain ? "[" : set->list.n ? "(?:[" : "(?:");
    tk_text_add(out, set->list.s, set->list.n);
    if (set->list.n)
        puts_to(out, "]");
    if (plain)
        return;
    const size_t skip = set->list.n ? 0 : 1;
    tk_text_add(out, set->other.s + skip, set->other.n - skip);
    puts_to(out, ")");
}

// [:name:] or [:^name:], if it stands here.
static cull_status bracket(tk_scan *scan, tk_set *set, bool *found)
{
    *found = tk_scan_at(scan, "[:");
    if (!*found)
        return CULL_OK;
    const size_t start = scan->at + 2;
    size_t end = start;
    while (end < scan->regex.n && scan->regex.s[end] != ':' && scan->regex.s[end] != ']')
        end++;
    *found = end + 1 < scan->regex.n && scan->regex.s[end] == ':' && scan->regex.s[end + 1] == ']';
    if (!*found)
        return CULL_OK;
    const bool negated = scan->regex.s[start] == '^';
    tk_text *out = negated ? &set->other : &set->list;
    puts_to(out, negated ? "|[^" : "");
    if (!tk_property((tk_str){ scan->regex.s + start + negated, end - start - negated }, out))
        return tk_scan_refuse(scan, "there is no such class");
    puts_to(out, negated ? "]" : "");
    scan->at = end + 2;
    return CULL_OK;
}

// One character of a class; *found is false, and nothing is taken, at a set.
static cull_status member(tk_scan *scan, uint32_t *code, bool *found)
{
    *found = true;
    if (tk_scan_take(scan, "\\b")) {
        *code = '\b';
        return CULL_OK;
    }
    if (tk_scan_take(scan, "\\")) {
        CULL_TRY(tk_scan_escape(scan, code, found));
        scan->at -= !*found;
        return CULL_OK;
    }
    *code = tk_char(scan->regex.s + scan->at);
    scan->at += tk_char_length(tk_scan_peek(scan));
    return CULL_OK;
}

static cull_status set_in_class(tk_scan *scan, tk_set *set)
{
    tk_text content = { 0 };
    bool found, negated;

    scan->at++;
    cull_status status = tk_scan_set(scan, true, &content, &found, &negated);
    if (status == CULL_OK && !found)
        status = tk_scan_refuse(scan, "this escape is not supported in a class");
    tk_text *out = negated ? &set->other : &set->list;
    puts_to(out, negated ? "|[^" : "");
    tk_text_add(out, content.s, content.n);
    puts_to(out, negated ? "]" : "");
    out->failed = out->failed || content.failed;
    tk_text_free(&content);
    if (status == CULL_OK && tk_scan_at(scan, "-") && !tk_scan_at(scan, "-]"))
        status = tk_scan_refuse(scan, "a set is no end of a range");
    return status;
}

static cull_status range(tk_scan *scan, tk_set *set)
{
    uint32_t low, high;
    bool found;

    CULL_TRY(member(scan, &low, &found));
    if (!found)
        return set_in_class(scan, set);
    tk_put_code(&set->list, low);
    if (!tk_scan_at(scan, "-") || tk_scan_at(scan, "-]") || tk_scan_at(scan, "-&&"))
        return CULL_OK;
    tk_scan_take(scan, "-");
    if (tk_scan_at(scan, "["))
        return tk_scan_refuse(scan, "a class is no end of a range");
    CULL_TRY(member(scan, &high, &found));
    if (!found || high < low)
        return tk_scan_refuse(scan, found ? "an empty range" : "a set is no end of a range");
    puts_to(&set->list, "-");
    tk_put_code(&set->list, high);
    return CULL_OK;
}

static cull_status class_at(tk_scan *scan, tk_text *out, unsigned depth);

// Up to the ] or && that ends this side.
static cull_status side(tk_scan *scan, tk_set *set, bool first, unsigned depth)
{
    for (;; first = false) {
        bool found;
        if (!tk_scan_more(scan))
            return tk_scan_refuse(scan, "a class that does not end");
        if (!first && tk_scan_at(scan, "]"))
            return CULL_OK;
        if (tk_scan_at(scan, "&&"))
            return CULL_OK;
        CULL_TRY(bracket(scan, set, &found));
        if (found)
            continue;
        if (tk_scan_at(scan, "[")) {
            puts_to(&set->other, "|");
            CULL_TRY(class_at(scan, &set->other, depth + 1));
        } else {
            CULL_TRY(range(scan, set));
        }
    }
}

// All sides but the last become look-aheads.
static cull_status sides(tk_scan *scan, tk_text *out, unsigned depth, bool *plain)
{
    for (bool first = true;; first = false) {
        tk_set set = { { 0 }, { 0 } };
        const cull_status status = side(scan, &set, first, depth);
        const bool more = status == CULL_OK && tk_scan_take(scan, "&&");
        *plain = first && !more && set.other.n == 0 && set.list.n > 0;
        puts_to(out, more ? "(?=" : "");
        put_side(out, &set);
        puts_to(out, more ? ")" : "");
        out->failed = out->failed || set.list.failed || set.other.failed;
        tk_text_free(&set.list);
        tk_text_free(&set.other);
        if (!more)
            return status;
    }
}

static cull_status class_at(tk_scan *scan, tk_text *out, unsigned depth)
{
    if (depth == MOST_NESTED)
        return tk_scan_refuse(scan, "classes are nested too deeply");
    tk_scan_take(scan, "[");
    const bool negated = tk_scan_take(scan, "^");
    if (tk_scan_at(scan, "]") &&
        !memchr(scan->regex.s + scan->at + 1, ']', scan->regex.n - scan->at - 1))
        return tk_scan_refuse(scan, "an empty class");
    tk_text content = { 0 };
    bool plain = false;
    const cull_status status = sides(scan, &content, depth, &plain);
    tk_scan_take(scan, "]");
    if (plain && negated) { // [list] to [^list]
        puts_to(out, "[^");
        tk_text_add(out, content.s + 1, content.n - 1);
    } else {
        puts_to(out, negated ? "(?:(?!" : plain ? "" : "(?:");
        tk_text_add(out, content.s, content.n);
        puts_to(out, negated ? ")(?s:.))" : plain ? "" : ")");
    }
    out->failed = out->failed || content.failed;
    tk_text_free(&content);
    return status;
}

cull_status tk_scan_class(tk_scan *scan, tk_text *out)
{
    return class_at(scan, out, 0);
}
