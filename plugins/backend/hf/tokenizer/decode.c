// Ids into text.
#include "decode.h"
#include "letters.h"

#include <stdlib.h>
#include <string.h>

static tk_str token_at(const tk_tokens *tokens, size_t i)
{
    const tk_span span = tokens->span.v[i];

    return (tk_str){ tk_text_str(&tokens->text).s + span.start, span.end - span.start };
}

// Everything since `start` is one token.
static void end_token(tk_tokens *tokens, size_t start)
{
    tk_spans_add(&tokens->span, start, tokens->text.n);
}

void tk_tokens_add(tk_tokens *tokens, tk_str token)
{
    const size_t start = tokens->text.n;

    tk_text_add(&tokens->text, token.s, token.n);
    end_token(tokens, start);
}

// The bytes of a token of byte-level letters; one that has another character stands for itself.
static void add_unlettered(tk_text *out, tk_str token)
{
    const size_t before = out->n;

    for (size_t i = 0; i < token.n; i += tk_char_length(token.s[i])) {
        const int byte = tk_letter_byte(tk_char(token.s + i));
        if (byte < 0) {
            out->n = before;
            tk_text_add(out, token.s, token.n);
            return;
        }
        tk_text_add(out, (const char[]){ (char)byte }, 1);
    }
}

static void byte_level(const tk_decoder *step, tk_decoding *work)
{
    (void)step;
    tk_text bytes = { 0 };
    for (size_t i = 0; i < work->in->span.n; i++)
        add_unlettered(&bytes, token_at(work->in, i));
    tk_text_add_lossy(&work->out->text, bytes.s, bytes.n);
    end_token(work->out, 0);
    work->failed = work->failed || bytes.failed;
    tk_text_free(&bytes);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// The byte that <0xHH> names, −1: it is another token. Rust's number reader takes "+H" as well.
static int named_byte(tk_str token)
{
    if (token.n != 6 || memcmp(token.s, "<0x", 3) != 0 || token.s[5] != '>')
        return -1;
    const int high = token.s[3] == '+' ? 0 : hex(token.s[3]), low = hex(token.s[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

// A run of bytes is one token when it is valid, else as many U+FFFD as it has bytes.
static void end_bytes(tk_text *bytes, tk_tokens *out)
{
    if (bytes->n > 0 && tk_valid_prefix(bytes->s, bytes->n) == bytes->n) {
        tk_tokens_add(out, (tk_str){ bytes->s, bytes->n });
    } else {
        for (size_t i = 0; i < bytes->n; i++)
            tk_tokens_add(out, tk_cstr("\xef\xbf\xbd"));
    }
    bytes->n = 0;
}

static void byte_fallback(const tk_decoder *step, tk_decoding *work)
{
    (void)step;
    tk_text bytes = { 0 };
    for (size_t i = 0; i < work->in->span.n; i++) {
        const tk_str token = token_at(work->in, i);
        const int byte = named_byte(token);
        if (byte >= 0) {
            tk_text_add(&bytes, (const char[]){ (char)byte }, 1);
            continue;
        }
        end_bytes(&bytes, work->out);
        tk_tokens_add(work->out, token);
    }
    end_bytes(&bytes, work->out);
    work->failed = work->failed || bytes.failed;
    tk_text_free(&bytes);
}

static void fuse(const tk_decoder *step, tk_decoding *work)
{
    (void)step;
    for (size_t i = 0; i < work->in->span.n; i++) {
        const tk_str token = token_at(work->in, i);
        tk_text_add(&work->out->text, token.s, token.n);
    }
    end_token(work->out, 0);
}

static void strip(const tk_decoder *step, tk_decoding *work)
{
    const tk_str c = step->text;

    for (size_t i = 0; i < work->in->span.n; i++) {
        tk_str token = token_at(work->in, i);
        for (size_t k = 0; k < step->start && token.n >= c.n && memcmp(token.s, c.s, c.n) == 0; k++)
            token = (tk_str){ token.s + c.n, token.n - c.n };
        for (size_t k = 0;
             k < step->stop && token.n >= c.n && memcmp(token.s + token.n - c.n, c.s, c.n) == 0;
             k++)
            token.n -= c.n;
        tk_tokens_add(work->out, token);
    }
}

static void add_replaced(const tk_decoder *step, tk_decoding *work, tk_str token, tk_str content)
{
    const size_t start = work->out->text.n;
    tk_search search = tk_search_begin(step->pattern, work->matcher, token);
    tk_span match;
    size_t from = 0;

    while (token.n > 0 && tk_search_next(&search, &match)) {
        tk_text_add(&work->out->text, token.s + from, match.start - from);
        tk_text_add(&work->out->text, content.s, content.n);
        from = match.end;
    }
    tk_text_add(&work->out->text, token.s + from, token.n - from);
    end_token(work->out, start);
}

static void replace(const tk_decoder *step, tk_decoding *work)
{
    for (size_t i = 0; i < work->in->span.n; i++)
        add_replaced(step, work, token_at(work->in, i), step->text);
}

// Marks become blanks; those of the first token go when one is put there on encoding.
static void metaspace(const tk_decoder *step, tk_decoding *work)
{
    for (size_t i = 0; i < work->in->span.n; i++)
        add_replaced(step, work, token_at(work->in, i),
                     tk_cstr(i == 0 && step->scheme != TK_NEVER ? "" : " "));
}

// The suffix of a word's last token is a blank, but not at the text's end.
static void suffix(const tk_decoder *step, tk_decoding *work)
{
    for (size_t i = 0; i < work->in->span.n; i++)
        add_replaced(step, work, token_at(work->in, i),
                     tk_cstr(i + 1 == work->in->span.n ? "" : " "));
}

tk_str tk_decode(const tk_decoders *steps, tk_decoding *work)
{
    work->in = &work->list[0];
    for (size_t i = 0; i < steps->n; i++) {
        work->out = &work->list[work->in == &work->list[0]];
        work->out->text.n = work->out->span.n = 0;
        steps->step[i].apply(&steps->step[i], work);
        work->failed = work->failed || work->out->text.failed || work->out->span.failed;
        work->in = work->out;
    }
    return tk_text_str(&work->in->text);
}

void tk_decoding_release(tk_decoding *work)
{
    for (size_t i = 0; i < 2; i++) {
        tk_text_free(&work->list[i].text);
        free(work->list[i].span.v);
    }
}

// How tokenizer.json says it.

static cull_status read_strip(const tk_node *node, tk_pattern **list, tk_decoder *step)
{
    (void)list;
    const tk_node content = tk_field(node, "content");
    const tk_node start = tk_field(node, "start"), stop = tk_field(node, "stop");
    CULL_TRY(tk_get_char(&content, &step->text));
    CULL_TRY(tk_get_count(&start, SIZE_MAX / 2, &step->start));
    return tk_get_count(&stop, SIZE_MAX / 2, &step->stop);
}

static cull_status read_replace(const tk_node *node, tk_pattern **list, tk_decoder *step)
{
    const tk_node pattern = tk_field(node, "pattern"), content = tk_field(node, "content");

    CULL_TRY(tk_get_string(&content, &step->text));
    return tk_pattern_read(&pattern, list, &step->pattern);
}

static cull_status read_metaspace(const tk_node *node, tk_pattern **list, tk_decoder *step)
{
    const tk_node replacement = tk_field(node, "replacement");
    tk_str mark;

    CULL_TRY(tk_get_char(&replacement, &mark));
    CULL_TRY(tk_get_scheme(node, &step->scheme));
    return tk_pattern_literal(&replacement, mark, list, &step->pattern);
}

static cull_status read_suffix(const tk_node *node, tk_pattern **list, tk_decoder *step)
{
    const tk_node text = tk_field(node, "suffix");
    tk_str mark;

    CULL_TRY(tk_get_string(&text, &mark));
    return tk_pattern_literal(&text, mark, list, &step->pattern);
}

static const struct {
    tk_kind kind;
    void (*apply)(const tk_decoder *, tk_decoding *);
    cull_status (*read)(const tk_node *, tk_pattern **, tk_decoder *); // NULL: no options
} kinds[] = {
    { { "Sequence", "type decoders" }, NULL, NULL },
    { { "BPEDecoder", "type suffix" }, suffix, read_suffix },
    { { "ByteFallback", "type" }, byte_fallback, NULL },
    { { "ByteLevel", "type add_prefix_space trim_offsets use_regex" }, byte_level, NULL },
    { { "Fuse", "type" }, fuse, NULL },
    { { "Metaspace", "type replacement prepend_scheme split add_prefix_space str_rep" },
      metaspace,
      read_metaspace },
    { { "Replace", "type pattern content" }, replace, read_replace },
    { { "Strip", "type content start stop" }, strip, read_strip },
};

static cull_status read_one(const tk_node *node, tk_pattern **list, tk_decoders *steps)
{
    const tk_node all = tk_field(node, "decoders");
    size_t kind, n = 0;

    CULL_TRY(tk_get_kind(node, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &kind));
    if (kinds[kind].apply) {
        if (steps->n == TK_MOST_DECODERS)
            return tk_wrong(node, CULL_ENOTSUP, "more than %d decoders", TK_MOST_DECODERS);
        tk_decoder *step = &steps->step[steps->n++];
        *step = (tk_decoder){ .apply = kinds[kind].apply };
        return kinds[kind].read ? kinds[kind].read(node, list, step) : CULL_OK;
    }
    CULL_TRY(tk_get_array(&all, &n));
    for (size_t i = 0; i < n; i++) {
        const tk_node item = tk_item(&all, i);
        CULL_TRY(read_one(&item, list, steps));
    }
    return CULL_OK;
}

cull_status tk_decoders_read(const tk_node *node, tk_pattern **list, tk_decoders *steps)
{
    steps->n = 0;
    return tk_absent(node) ? CULL_OK : read_one(node, list, steps);
}
