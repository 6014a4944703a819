// Strings with a length, growing arrays and UTF-8.
//
// Growing arrays are malloc'ed and belong to one call. On lack of memory `failed` stays set,
// appends do nothing, and the caller looks once, at the end.
#ifndef HF_TOKENIZER_TEXT_H
#define HF_TOKENIZER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tk_str { // may hold NULs; not owned
    const char *s;
    size_t n;
} tk_str;

typedef struct tk_span { // bytes [start, end) of some text
    size_t start, end;
} tk_span;

typedef struct tk_text {
    char *s;
    size_t n, room;
    bool failed;
} tk_text;

typedef struct tk_spans {
    tk_span *v;
    size_t n, room;
    bool failed;
} tk_spans;

typedef struct tk_ids {
    int32_t *v;
    size_t n, room;
    bool failed;
} tk_ids;

// *items: `room` items of `size` bytes, of which n are used; make room for one more block of
// `more`.
bool tk_grow(void *items, size_t n, size_t *room, size_t more, size_t size);

void tk_text_free(tk_text *text);
void tk_ids_free(tk_ids *ids);
void tk_text_add(tk_text *text, const char *s, size_t n);
bool tk_spans_more(tk_spans *spans); // room for one more, or failed is set
bool tk_ids_more(tk_ids *ids);

static inline void tk_spans_add(tk_spans *spans, size_t start, size_t end)
{
    if (spans->n < spans->room || tk_spans_more(spans))
        spans->v[spans->n++] = (tk_span){ start, end };
}

static inline void tk_ids_add(tk_ids *ids, int32_t id)
{
    if (ids->n < ids->room || tk_ids_more(ids))
        ids->v[ids->n++] = id;
}

bool tk_equal(tk_str a, tk_str b);
tk_str tk_cstr(const char *s);
// Where `needle` (not empty) first stands in s[from, n), or SIZE_MAX.
size_t tk_find(tk_str s, size_t from, tk_str needle);

// What a text holds, which is never NULL.
static inline tk_str tk_text_str(const tk_text *text)
{
    return (tk_str){ text->s ? text->s : "", text->n };
}

// Length of the character that begins with this byte; the text is valid.
static inline size_t tk_char_length(char c)
{
    const unsigned char b = (unsigned char)c;

    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}
uint32_t tk_char(const char *s);                // the character that begins at s; valid text
size_t tk_char_put(char out[4], uint32_t code); // its length in bytes
size_t tk_char_start(const char *s,
                     size_t end); // where the character that ends at `end` begins; end > 0
// The length of the longest valid prefix: n when all of it is UTF-8.
size_t tk_valid_prefix(const char *s, size_t n);
// Append s with every maximal ill-formed part replaced by U+FFFD (Unicode, section 3.9; Rust's
// from_utf8_lossy).
void tk_text_add_lossy(tk_text *text, const char *s, size_t n);

#endif
