// A pattern in the dialect of Rust's regexes into PCRE2's.
#include "translate.h"

#include <stdio.h>
#include <string.h>

enum { MOST_DEPTH = 64 };

static void puts_to(tk_text *out, const char *s)
{
    tk_text_add(out, s, strlen(s));
}

typedef struct tk_atom { // the last thing written, which a quantifier would repeat
    size_t start;        // in the output, SIZE_MAX: none
    bool repeated;       // it has a quantifier already
} tk_atom;

// Put "(?:" before the atom and ")" after it.
static void wrap(tk_text *out, const tk_atom *atom)
{
    puts_to(out, "(?:)"); // room for three, and the end
    if (out->failed)
        return;
    memmove(out->s + atom->start + 3, out->s + atom->start, out->n - 4 - atom->start);
    memcpy(out->s + atom->start, "(?:", 3);
    out->s[out->n - 1] = ')';
}

// {n}, {n,}, {,m} or {n,m}. *found is false, and nothing is taken, when it is none of these.
static bool interval(tk_scan *scan, unsigned *low, unsigned *high, bool *open)
{
    size_t i = scan->at + 1;
    unsigned value[2] = { 0, 0 };
    size_t digits[2] = { 0, 0 }, k = 0;

    for (; i < scan->regex.n && scan->regex.s[i] != '}'; i++) {
        const char c = scan->regex.s[i];
        if (c == ',' && k == 0)
            k = 1;
        else if (c >= '0' && c <= '9' && digits[k]++ < 5)
            value[k] = 10 * value[k] + (unsigned)(c - '0');
        else
            return false;
    }
    if (i >= scan->regex.n || digits[0] + digits[1] == 0)
        return false;
    *low = value[0];
    *high = k ? value[1] : value[0];
    *open = k && digits[1] == 0;
    scan->at = i + 1;
    return true;
}

static cull_status quantify_interval(tk_scan *scan, tk_text *out, tk_atom *atom, bool *taken)
{
    unsigned low, high;
    bool open;

    *taken = interval(scan, &low, &high, &open);
    if (!*taken)
        return CULL_OK;
    if (atom->repeated)
        wrap(out, atom);
    char text[40];
    const bool swapped = !open && low > high; // {3,1} is {1,3}, possessive
    if (open)
        snprintf(text, sizeof text, "{%u,}", low);
    else
        snprintf(text, sizeof text, "{%u,%u}%s", swapped ? high : low, swapped ? low : high,
                 swapped ? "+" : "");
    puts_to(out, text);
    atom->repeated = true;
    if (!swapped && (open || low != high) && tk_scan_take(scan, "?"))
        puts_to(out, "?"); // after {n} a ? repeats what stands before, none or once
    return CULL_OK;
}

// Quantifiers after an atom. A possessive + exists after *, + and ?; after an interval it repeats.
static cull_status quantify(tk_scan *scan, tk_text *out, tk_atom *atom, bool *taken)
{
    const char c = tk_scan_peek(scan);

    *taken = c == '*' || c == '+' || c == '?' || c == '{';
    if (!*taken)
        return CULL_OK;
    if (c == '{' && atom->start == SIZE_MAX) {
        *taken = false;
        return CULL_OK;
    }
    if (atom->start == SIZE_MAX)
        return tk_scan_refuse(scan, "there is nothing to repeat");
    if (c == '{')
        return quantify_interval(scan, out, atom, taken);
    if (atom->repeated)
        wrap(out, atom);
    tk_text_add(out, &c, 1);
    scan->at++;
    atom->repeated = true;
    if (tk_scan_take(scan, "?"))
        puts_to(out, "?");
    else if (tk_scan_take(scan, "+"))
        puts_to(out, "+");
    return CULL_OK;
}

// A set outside a class. \w and \W see Latin-1 as ISO 8859-1 does, where ²³¹¼½¾ are of words.
static void put_set(tk_text *out, const tk_text *set, bool negated)
{
    puts_to(out, negated ? "[^" : "[");
    tk_text_add(out, set->s, set->n);
    puts_to(out, "]");
}

static void put_boundary(tk_text *out, bool inside, const tk_text *word)
{
    const char *looks[] = { "(?<=[", "])(?![", "])|(?<![", "])(?=[", "])" };

    puts_to(out, inside ? "(?!(?:" : "(?:");
    for (size_t i = 0; i < 5; i++) {
        puts_to(out, looks[i]);
        if (i < 4)
            tk_text_add(out, word->s, word->n);
    }
    puts_to(out, inside ? "))" : ")");
}

// Escapes that are neither a character nor a set.
static cull_status other_escape(tk_scan *scan, tk_text *out)
{
    static const struct {
        const char *onig, *pcre;
    } escapes[] = {
        { "A", "\\A" },    { "z", "\\z" },
        { "Z", "\\Z" },    { "N", "[^\\n]" },
        { "O", "(?s:.)" }, { "R", "(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])" },
        { "X", "\\X" },
    };

    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (tk_scan_take(scan, escapes[i].onig)) {
            puts_to(out, escapes[i].pcre);
            return CULL_OK;
        }
    }
    const char c = tk_scan_peek(scan);
    if (c == 'b' || c == 'B') {
        scan->at++;
        tk_text word = { 0 };
        tk_property(tk_cstr("latinword"), &word);
        put_boundary(out, c == 'B', &word);
        out->failed = out->failed || word.failed;
        tk_text_free(&word);
        return CULL_OK;
    }
    if (c >= '1' && c <= '9') {
        const char reference[] = { '\\', 'g', '{', c, '}' };
        scan->at++;
        if (tk_scan_peek(scan) >= '0' && tk_scan_peek(scan) <= '9')
            return tk_scan_refuse(scan, "references go to 9");
        tk_text_add(out, reference, sizeof reference);
        return CULL_OK;
    }
    return tk_scan_refuse(scan, "this escape is not supported");
}

static cull_status escape(tk_scan *scan, tk_text *out)
{
    uint32_t code;
    bool found, negated;

    scan->at++;
    CULL_TRY(tk_scan_escape(scan, &code, &found));
    if (found) {
        tk_put_code(out, code);
        return CULL_OK;
    }
    tk_text set = { 0 };
    const cull_status status = tk_scan_set(scan, false, &set, &found, &negated);
    if (status == CULL_OK && found)
        put_set(out, &set, negated);
    out->failed = out->failed || set.failed;
    tk_text_free(&set);
    return status != CULL_OK || found ? status : other_escape(scan, out);
}

// "(?imx-imx" up to ) or : as PCRE2's options. Oniguruma's m is PCRE2's s.
static cull_status options(tk_scan *scan, tk_text *out)
{
    puts_to(out, "(?");
    for (; tk_scan_more(scan) && tk_scan_peek(scan) != ')' && tk_scan_peek(scan) != ':';
         scan->at++) {
        const char c = tk_scan_peek(scan);
        if (c != 'i' && c != 'm' && c != '-')
            return tk_scan_refuse(scan, "this group is not supported");
        puts_to(out, c == 'm' ? "s" : c == 'i' ? "i" : "-");
    }
    puts_to(out, ":");
    return CULL_OK;
}

typedef struct tk_group { // an open group
    size_t start;         // in the output
    unsigned extra;       // groups opened by (?i), which last until this one ends
} tk_group;

// At "(": *opened is false for a comment, and for options that last until the group around them
// ends.
static cull_status open_group(tk_scan *scan, tk_text *out, tk_group *around, bool *opened)
{
    static const char *const openings[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>" };

    *opened = true;
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        if (tk_scan_take(scan, openings[i])) {
            puts_to(out, openings[i]);
            return CULL_OK;
        }
    }
    if (tk_scan_take(scan, "(?#")) {
        while (tk_scan_more(scan) && !tk_scan_at(scan, ")"))
            scan->at++;
        *opened = false;
        return tk_scan_take(scan, ")") ? CULL_OK
                                       : tk_scan_refuse(scan, "a comment that does not end");
    }
    if (tk_scan_at(scan, "(?<") || tk_scan_at(scan, "(?'"))
        return tk_scan_refuse(scan, "named groups are not supported");
    if (!tk_scan_take(scan, "(?")) {
        scan->at++;
        puts_to(out, "(");
        return CULL_OK;
    }
    CULL_TRY(options(scan, out));
    if (tk_scan_take(scan, ")")) {
        around->extra++;
        *opened = false;
        return CULL_OK;
    }
    return tk_scan_take(scan, ":") ? CULL_OK : tk_scan_refuse(scan, "a group that does not end");
}

typedef struct tk_translation {
    tk_scan scan;
    tk_text *out;
    tk_atom atom;
    tk_group group[MOST_DEPTH];
    size_t depth; // group[0] is the whole pattern
} tk_translation;

static void close_extra(tk_translation *t)
{
    for (tk_group *group = &t->group[t->depth]; group->extra > 0; group->extra--)
        puts_to(t->out, ")");
}

static cull_status parenthesis(tk_translation *t)
{
    const size_t start = t->out->n;

    if (tk_scan_peek(&t->scan) == ')') {
        if (t->depth == 0)
            return tk_scan_refuse(&t->scan, "no group is open");
        close_extra(t);
        tk_scan_take(&t->scan, ")");
        puts_to(t->out, ")");
        t->atom = (tk_atom){ t->group[t->depth--].start, false };
        return CULL_OK;
    }
    bool opened;
    CULL_TRY(open_group(&t->scan, t->out, &t->group[t->depth], &opened));
    if (opened && ++t->depth == MOST_DEPTH)
        return tk_scan_refuse(&t->scan, "groups are nested too deeply");
    if (opened)
        t->group[t->depth] = (tk_group){ start, 0 };
    t->atom.start = SIZE_MAX;
    return CULL_OK;
}

static cull_status translate_one(tk_translation *t)
{
    bool taken;

    CULL_TRY(quantify(&t->scan, t->out, &t->atom, &taken));
    if (taken)
        return CULL_OK;
    const char c = tk_scan_peek(&t->scan);
    if (c == '(' || c == ')')
        return parenthesis(t);
    t->atom = (tk_atom){ t->out->n, false };
    if (c == '[')
        return tk_scan_class(&t->scan, t->out);
    if (c == '\\')
        return escape(&t->scan, t->out);
    if (c == '|')
        t->atom.start = SIZE_MAX;
    if (c == '.' || c == '^' || c == '$' || c == '|')
        tk_text_add(t->out, &c, 1);
    else
        tk_put_code(t->out, tk_char(t->scan.regex.s + t->scan.at));
    t->scan.at += tk_char_length(c);
    return CULL_OK;
}

cull_status tk_translate(const tk_node *node, tk_str regex, tk_text *out)
{
    tk_translation t = { .scan = { node, regex, 0 }, .out = out, .atom = { SIZE_MAX, false } };

    while (tk_scan_more(&t.scan) && !out->failed)
        CULL_TRY(translate_one(&t));
    if (t.depth > 0)
        return tk_scan_refuse(&t.scan, "a group that does not end");
    close_extra(&t);
    return CULL_OK;
}
