// Growing texts and lists of ids.
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool tk_grow(void *items, size_t n, size_t *room, size_t more, size_t size)
{
    if (more <= *room - n)
        return true;
    size_t want = *room ? *room : 16;
    while (want - n < more) {
        if (want > SIZE_MAX / 2 / size)
            return false;
        want *= 2;
    }
    void *old;
    memcpy(&old, items, sizeof old);
    void *grown = realloc(old, want * size);
    if (!grown)
        return false;
    memcpy(items, &grown, sizeof grown);
    *room = want;
    return true;
}

void tk_text_free(tk_text *text)
{
    free(text->s);
}

void tk_ids_free(tk_ids *ids)
{
    free(ids->v);
}

void tk_text_add(tk_text *text, const char *s, size_t n)
{
    if (n == 0 || text->failed)
        return;
    if (!tk_grow(&text->s, text->n, &text->room, n, 1)) {
        text->failed = true;
        return;
    }
    memcpy(text->s + text->n, s, n);
    text->n += n;
}

bool tk_spans_more(tk_spans *spans)
{
    spans->failed =
        spans->failed || !tk_grow(&spans->v, spans->n, &spans->room, 1, sizeof *spans->v);
    return !spans->failed;
}

bool tk_ids_more(tk_ids *ids)
{
    ids->failed = ids->failed || !tk_grow(&ids->v, ids->n, &ids->room, 1, sizeof *ids->v);
    return !ids->failed;
}

bool tk_equal(tk_str a, tk_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

tk_str tk_cstr(const char *s)
{
    return (tk_str){ s, strlen(s) };
}

size_t tk_find(tk_str s, size_t from, tk_str needle)
{
    while (from + needle.n <= s.n) {
        const char *hit = memchr(s.s + from, needle.s[0], s.n - from - needle.n + 1);
        if (!hit)
            return SIZE_MAX;
        from = (size_t)(hit - s.s);
        if (memcmp(hit, needle.s, needle.n) == 0)
            return from;
        from++;
    }
    return SIZE_MAX;
}

// Without utf8proc_iterate's checks: the text is known to be valid, and this is called for every
// character.
uint32_t tk_char(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    switch (tk_char_length(*s)) {
    case 1:
        return u[0];
    case 2:
        return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    case 3:
        return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    default:
        return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
               (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
    }
}

size_t tk_char_put(char out[4], uint32_t code)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
}

size_t tk_char_start(const char *s, size_t end)
{
    do {
        end--;
    } while (end > 0 && ((unsigned char)s[end] & 0xc0) == 0x80);
    return end;
}

// The bytes of the character at s that are well formed: `*whole` says whether they are all of it.
// Otherwise they are its maximal ill-formed part, at least one byte.
static size_t well_formed(const unsigned char *s, size_t n, bool *whole)
{
    const unsigned char b = s[0];

    *whole = b < 0x80;
    if (b < 0xc2 || b > 0xf4)
        return 1;
    const size_t length = tk_char_length((char)b);
    // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
    unsigned char low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
    unsigned char high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    size_t i = 1;
    while (i < length && i < n && s[i] >= low && s[i] <= high) {
        low = 0x80, high = 0xbf;
        i++;
    }
    *whole = i == length;
    return i;
}

size_t tk_valid_prefix(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t i = 0;

    while (i < n) {
        uint64_t eight;
        if (n - i >= 8 && (memcpy(&eight, u + i, 8), (eight & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        bool whole;
        const size_t length = well_formed(u + i, n - i, &whole);
        if (!whole)
            return i;
        i += length;
    }
    return n;
}

void tk_text_add_lossy(tk_text *text, const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        const size_t good = tk_valid_prefix(s + i, n - i);
        tk_text_add(text, s + i, good);
        i += good;
        if (i == n)
            return;
        bool whole;
        tk_text_add(text, "\xef\xbf\xbd", 3);
        i += well_formed((const unsigned char *)s + i, n - i, &whole);
    }
}
