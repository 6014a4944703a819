// Texts: growing buffers, the nearest known word, UTF-8.
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void cull_buf_release(cull_buf *buf)
{
    cull_free(buf->s);
    *buf = (cull_buf)CULL_BUF_INIT;
}

void cull_buf_clear(cull_buf *buf)
{
    buf->n = 0;
    buf->failed = false;
    if (buf->s)
        buf->s[0] = '\0';
}

void cull_buf_cut(cull_buf *buf, size_t n)
{
    buf->n = n;
    if (buf->s)
        buf->s[n] = '\0';
}

// Make room for n more bytes and a NUL.
static bool reserve(cull_buf *buf, size_t n)
{
    if (buf->failed)
        return false;
    if (n < buf->room - buf->n)
        return true;

    size_t room = buf->room ? buf->room : 64;
    while (room - buf->n <= n && room <= SIZE_MAX / 2)
        room *= 2;
    char *grown = room - buf->n > n ? cull_grow(buf->s, buf->n, room, 1) : NULL;
    if (!grown) {
        buf->failed = true;
        return false;
    }
    buf->s = grown;
    buf->room = room;
    return true;
}

void cull_buf_add(cull_buf *buf, const void *bytes, size_t n)
{
    if (!reserve(buf, n))
        return;
    if (n)
        memcpy(buf->s + buf->n, bytes, n);
    buf->n += n;
    buf->s[buf->n] = '\0';
}

void cull_buf_puts(cull_buf *buf, const char *text)
{
    cull_buf_add(buf, text, strlen(text));
}

void cull_buf_printf(cull_buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !reserve(buf, (size_t)n))
        return;

    va_start(args, fmt);
    vsnprintf(buf->s + buf->n, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->n += (size_t)n;
}

void cull_buf_glob(cull_buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] && strchr("*?[]\\", text[i]))
            cull_buf_puts(buf, "\\");
        cull_buf_add(buf, text + i, 1);
    }
}

size_t cull_control_at(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    if ((*s && *s < 0x20) || *s == 0x7f)
        return 1;
    if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
        return 2;
    const bool embeds = *s == 0xe2 && s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae;
    const bool isolates = *s == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
    return embeds || isolates ? 3 : 0;
}

void cull_buf_visible(cull_buf *buf, const char *text)
{
    for (const char *s = text; *s;) {
        const size_t n = *s == '\n' || *s == '\t' ? 0 : cull_control_at(s);
        const unsigned last = (unsigned char)s[n ? n - 1 : 0];
        if (n == 3)
            cull_buf_printf(buf, "\\u20%02x", s[1] == '\x80' ? last - 0x80 : last - 0x40);
        else if (n > 0)
            cull_buf_printf(buf, "\\x%02x", last);
        else
            cull_buf_add(buf, s, 1);
        s += n ? n : 1;
    }
}

void cull_buf_json(cull_buf *buf, const char *text, size_t n)
{
    const bool valid = cull_utf8_valid(text, n);

    cull_buf_puts(buf, "\"");
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            cull_buf_printf(buf, "\\%c", c);
        else if (c == '\n')
            cull_buf_puts(buf, "\\n");
        else if (c == '\t')
            cull_buf_puts(buf, "\\t");
        else if (c < 0x20 || c == 0x7f)
            cull_buf_printf(buf, "\\u%04x", c);
        else if (c >= 0x80 && !valid)
            cull_buf_puts(buf, "\ufffd");
        else
            cull_buf_add(buf, text + i, 1);
    }
    cull_buf_puts(buf, "\"");
}

enum { LONGEST_WORD = 64 };

// Edits (insert, delete, change, swap of neighbours) from a to b, both at most LONGEST_WORD long.
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][LONGEST_WORD + 1]; // of i − 2, i − 1, i

    for (size_t j = 0; j <= m; j++) // row i stands at (i + 1) % 3
        row[1][j] = j;
    for (size_t i = 1; i <= n; i++) {
        const size_t *two = row[(i + 2) % 3], *last = row[i % 3];
        size_t *now = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = two[j - 2] + 1 < best ? two[j - 2] + 1 : best;
            now[j] = best;
        }
    }
    return row[(n + 1) % 3][m];
}

const char *cull_nearest(const char *word, const char *const *candidates)
{
    const size_t n = strlen(word);
    const char *nearest = NULL;
    size_t least = SIZE_MAX;

    if (n > LONGEST_WORD)
        return NULL;
    for (; *candidates; candidates++) {
        const size_t m = strlen(*candidates);
        if (m > LONGEST_WORD)
            continue;
        const size_t d = distance(word, n, *candidates, m), third = (n > m ? n : m) / 3;
        if (d < least && d <= (third > 1 ? third : 1)) {
            least = d;
            nearest = *candidates;
        }
    }
    return nearest;
}

// Length of the well-formed sequence at s (Unicode, table 3-7), or 0.
static size_t utf8_step(const unsigned char *s, size_t n)
{
    const unsigned char c = s[0];
    const size_t length = c < 0x80   ? 1
                          : c < 0xc2 ? 0
                          : c < 0xe0 ? 2
                          : c < 0xf0 ? 3
                          : c < 0xf5 ? 4
                                     : 0;

    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f)) // overlong; surrogates
        return 0;
    if ((c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f)) // overlong; beyond U+10FFFF
        return 0;
    return length;
}

int cull_by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool cull_utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        const size_t step = utf8_step((const unsigned char *)s + i, n - i);
        if (!step)
            return false;
        i += step;
    }
    return true;
}

size_t cull_utf8_length(const char *s, size_t n)
{
    size_t length = 0;

    for (size_t i = 0; i < n; i++)
        length += ((unsigned char)s[i] & 0xc0) != 0x80;
    return length;
}

void cull_path_join(cull_buf *buf, const char *dir, const char *name)
{
    cull_buf_clear(buf);
    if (name[0] != '/') {
        const size_t n = strlen(dir);
        cull_buf_puts(buf, dir);
        if (n && dir[n - 1] != '/')
            cull_buf_puts(buf, "/");
    }
    cull_buf_puts(buf, name);
}

bool cull_parse_bytes(const char *text, uint64_t *out)
{
    static const char units[] = "kmgtp";
    char *end;

    const size_t plain = strspn(text, "0123456789.");
    const double value = strtod(text, &end);
    if (end == text || end != text + plain)
        return false;
    double scale = 1;
    if (*end && *end != 'B') {
        const char lower = (char)(*end | 0x20);
        const char *unit = strchr(units, lower);
        if (!unit)
            return false;
        scale = ldexp(1, 10 * (int)(unit - units + 1));
        end++;
        if (*end == 'i' && end[1] == 'B')
            end++;
    }
    if (*end == 'B')
        end++;
    if (*end || value * scale >= 0x1p63)
        return false;
    *out = (uint64_t)(value * scale);
    return true;
}
