// Normalizers: what becomes of a text before it is split.
#include "normalize.h"
#include "letters.h"
#include "unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

static void put(tk_text *out, uint32_t code)
{
    char s[4];

    tk_text_add(out, s, tk_char_put(s, code));
}

// The end of the run of s that begins at `from` and is not all ASCII. It ends before two ASCII
// characters, as the first of the two is a starter that nothing before it changes, and before what
// the normal form leaves alone; nothing composes or is reordered across its ends.
static size_t run_end(tk_str s, size_t from)
{
    size_t end = from;
    bool ascii = false;

    while (end < s.n) {
        const bool now = (unsigned char)s.s[end] < 0x80;
        if ((now && ascii) || (!now && tk_is_newer(tk_char(s.s + end))))
            break;
        ascii = now;
        end += tk_char_length(s.s[end]);
    }
    return end;
}

static void normalize_run(const tk_normalizer *step, tk_rewriting *work, tk_str run)
{
    utf8proc_option_t options = step->compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;

    if (step->compatible)
        options |= UTF8PROC_COMPAT;
    for (;;) {
        utf8proc_ssize_t n =
            utf8proc_decompose((const utf8proc_uint8_t *)run.s, (utf8proc_ssize_t)run.n,
                               work->codes, (utf8proc_ssize_t)work->room, options);
        if (n < 0)
            break;
        if ((size_t)n <= work->room) {
            n = utf8proc_normalize_utf32(work->codes, n, options | UTF8PROC_STABLE);
            for (utf8proc_ssize_t i = 0; i < n; i++)
                put(work->out, (uint32_t)work->codes[i]);
            return;
        }
        if (!tk_grow(&work->codes, 0, &work->room, (size_t)n, sizeof *work->codes))
            break;
    }
    work->failed = true;
}

static void put_normal(const tk_normalizer *step, tk_rewriting *work, tk_str s)
{
    size_t from = 0;

    while (from < s.n) {
        size_t plain = from; // up to the first character that is not ASCII
        while (plain < s.n && (unsigned char)s.s[plain] < 0x80)
            plain++;
        const size_t start = plain < s.n && plain > from ? plain - 1 : plain;
        tk_text_add(work->out, s.s + from, start - from);
        from = run_end(s, plain);
        if (from > start)
            normalize_run(step, work, (tk_str){ s.s + start, from - start });
        while (from < s.n && (unsigned char)s.s[from] >= 0x80 && tk_is_newer(tk_char(s.s + from))) {
            tk_text_add(work->out, s.s + from, tk_char_length(s.s[from]));
            from += tk_char_length(s.s[from]);
        }
    }
}

static void normal_form(const tk_normalizer *step, tk_rewriting *work)
{
    put_normal(step, work, (tk_str){ work->in.s, work->head });
    work->head = work->out->n;
    work->out->n = 0;
    put_normal(step, work, work->in);
}

static void prepend(const tk_normalizer *step, tk_rewriting *work)
{
    if (work->in.n > 0)
        tk_text_add(work->out, step->text.s, step->text.n);
    if (work->head > 0)
        work->head += work->out->n;
    tk_text_add(work->out, work->in.s, work->in.n);
}

static void replace(const tk_normalizer *step, tk_rewriting *work)
{
    const tk_str s = work->in;
    tk_search search = tk_search_begin(step->pattern, work->matcher, s);
    tk_span match;
    size_t from = 0;

    while (s.n > 0 && tk_search_next(&search, &match)) {
        tk_text_add(work->out, s.s + from, match.start - from);
        tk_text_add(work->out, step->text.s, step->text.n);
        from = match.end;
        if (match.start < work->head && from > 0)
            work->head = work->out->n;
    }
    tk_text_add(work->out, s.s + from, s.n - from);
}

static void lowercase(const tk_normalizer *step, tk_rewriting *work)
{
    (void)step;
    const tk_str s = work->in;
    size_t head = 0;
    for (size_t i = 0; i < s.n; i += tk_char_length(s.s[i])) {
        const uint32_t code = tk_char(s.s + i);
        if (code == 0x130) // İ is the one letter that becomes two
            tk_text_add(work->out, "i\xcc\x87", 3);
        else
            put(work->out, tk_lower(code));
        if (i < work->head)
            head = work->out->n;
    }
    work->head = head;
}

static void strip(const tk_normalizer *step, tk_rewriting *work)
{
    tk_str s = work->in;

    while (step->left && s.n > 0 && tk_is_space(tk_char(s.s))) {
        const size_t n = tk_char_length(*s.s);
        s = (tk_str){ s.s + n, s.n - n };
        work->head -= work->head < n ? work->head : n;
    }
    while (step->right && s.n > 0 && tk_is_space(tk_char(s.s + tk_char_start(s.s, s.n))))
        s.n = tk_char_start(s.s, s.n);
    work->head = work->head < s.n ? work->head : s.n;
    tk_text_add(work->out, s.s, s.n);
}

static void strip_accents(const tk_normalizer *step, tk_rewriting *work)
{
    (void)step;
    const tk_str s = work->in;
    size_t head = 0;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = tk_char_length(s.s[i]);
        if (tk_is_mark(tk_char(s.s + i)))
            continue;
        tk_text_add(work->out, s.s + i, n);
        if (i < work->head)
            head = work->out->n;
    }
    work->head = head;
}

static void letters(const tk_normalizer *step, tk_rewriting *work)
{
    (void)step;
    const size_t head = work->head;
    tk_text_add_letters(work->out, work->in.s, head);
    work->head = work->out->n;
    tk_text_add_letters(work->out, work->in.s + head, work->in.n - head);
}

tk_str tk_normalize(const tk_normalizers *steps, tk_rewriting *work, tk_str segment, size_t *head)
{
    work->in = segment;
    work->head = *head;
    for (size_t i = 0; i < steps->n && !work->failed; i++) {
        work->out = &work->text[i % 2];
        work->out->n = 0;
        steps->step[i].apply(&steps->step[i], work);
        work->failed = work->failed || work->out->failed;
        work->in = tk_text_str(work->out);
    }
    *head = work->head;
    return work->in;
}

void tk_rewriting_release(tk_rewriting *work)
{
    tk_text_free(&work->text[0]);
    tk_text_free(&work->text[1]);
    free(work->codes);
}

// How tokenizer.json says it.

static cull_status read_prepend(const tk_node *node, tk_pattern **list, tk_normalizer *step)
{
    (void)list;
    const tk_node text = tk_field(node, "prepend");
    return tk_get_string(&text, &step->text);
}

static cull_status read_replace(const tk_node *node, tk_pattern **list, tk_normalizer *step)
{
    const tk_node pattern = tk_field(node, "pattern"), content = tk_field(node, "content");

    CULL_TRY(tk_get_string(&content, &step->text));
    CULL_TRY(tk_pattern_read(&pattern, list, &step->pattern));
    if (tk_pattern_matches_empty(step->pattern)) // what the library then does is not what it says
        return tk_wrong(&pattern, CULL_ENOTSUP, "a pattern that matches the empty text");
    return CULL_OK;
}

static cull_status read_strip(const tk_node *node, tk_pattern **list, tk_normalizer *step)
{
    (void)list;
    const tk_node left = tk_field(node, "strip_left"), right = tk_field(node, "strip_right");
    CULL_TRY(tk_get_bool(&left, true, &step->left));
    return tk_get_bool(&right, true, &step->right);
}

static const struct {
    tk_kind kind;
    tk_normalizer step;
    cull_status (*read)(const tk_node *, tk_pattern **, tk_normalizer *); // NULL: no options
} kinds[] = {
    { { "Sequence", "type normalizers" }, { 0 }, NULL },
    { { "NFC", "type" }, { .apply = normal_form, .compose = true }, NULL },
    { { "NFD", "type" }, { .apply = normal_form }, NULL },
    { { "NFKC", "type" }, { .apply = normal_form, .compose = true, .compatible = true }, NULL },
    { { "NFKD", "type" }, { .apply = normal_form, .compatible = true }, NULL },
    { { "ByteLevel", "type" }, { .apply = letters }, NULL },
    { { "Lowercase", "type" }, { .apply = lowercase }, NULL },
    { { "Prepend", "type prepend" }, { .apply = prepend }, read_prepend },
    { { "Replace", "type pattern content" }, { .apply = replace }, read_replace },
    { { "Strip", "type strip_left strip_right" }, { .apply = strip }, read_strip },
    { { "StripAccents", "type" }, { .apply = strip_accents }, NULL },
};

static cull_status read_one(const tk_node *node, tk_pattern **list, tk_normalizers *steps)
{
    const tk_node all = tk_field(node, "normalizers");
    size_t kind, n = 0;

    CULL_TRY(tk_get_kind(node, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &kind));
    if (kinds[kind].step.apply) {
        if (steps->n == TK_MOST_NORMALIZERS)
            return tk_wrong(node, CULL_ENOTSUP, "more than %d normalizers", TK_MOST_NORMALIZERS);
        tk_normalizer *step = &steps->step[steps->n++];
        *step = kinds[kind].step;
        return kinds[kind].read ? kinds[kind].read(node, list, step) : CULL_OK;
    }
    CULL_TRY(tk_get_array(&all, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(&all, i);
        CULL_TRY(read_one(&item, list, steps));
    }
    return CULL_OK;
}

cull_status tk_normalizers_read(const tk_node *node, tk_pattern **list, tk_normalizers *steps)
{
    steps->n = 0;
    return tk_absent(node) ? CULL_OK : read_one(node, list, steps);
}
