// Text: the nearest known word, growing buffers, UTF-8.
#ifndef CULL_BASE_TEXT_H
#define CULL_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A growing text; s is always ended by a NUL. On lack of memory `failed` stays set and appends do
// nothing.
typedef struct cull_buf {
    char *s;
    size_t n, room;
    bool failed;
} cull_buf;

#define CULL_BUF_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }
void cull_buf_release(cull_buf *buf);
void cull_buf_clear(cull_buf *buf);
void cull_buf_cut(cull_buf *buf, size_t n); // to its first n ≤ buf->n bytes
void cull_buf_add(cull_buf *buf, const void *bytes, size_t n);
void cull_buf_puts(cull_buf *buf, const char *text);
void cull_buf_printf(cull_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The text as a pattern for glob() that only it matches.
void cull_buf_glob(cull_buf *buf, const char *text, size_t n);
// Bytes of the control character that a text begins with: C0, C1, or one that turns the direction
// of what follows; 0: none.
size_t cull_control_at(const char *text);
// The text as a terminal may show it: control characters as "\x1b" or "\u202e", but for ends of
// lines and tabs.
void cull_buf_visible(cull_buf *buf, const char *text);
// "…", escaped as JSON; of what is no UTF-8 every byte beyond ASCII is shown as U+FFFD.
void cull_buf_json(cull_buf *buf, const char *text, size_t n);

// The candidate nearest to `word` (edit distance at most a third of the longer one's length, at
// least 1), or NULL.
const char *cull_nearest(const char *word, const char *const *candidates); // NULL-terminated

// Of two elements of an array of texts, for qsort and bsearch: ascending bytes.
int cull_by_text(const void *a, const void *b);

bool cull_utf8_valid(const char *s, size_t n);
size_t cull_utf8_length(const char *s, size_t n); // code points; s is valid

// A size: digits with a point, and a unit of 1024 (k, M, G, T, P, each also with B or iB). false:
// it is none.
bool cull_parse_bytes(const char *text, uint64_t *out);

// File names. join: "dir/name", or a copy of an absolute name; in `buf`.
void cull_path_join(cull_buf *buf, const char *dir, const char *name);

#endif
