// Reading a pattern from left to right, and writing its characters.
#include "scan.h"

#include <stdio.h>
#include <string.h>

bool tk_scan_at(const tk_scan *scan, const char *word)
{
    const size_t n = strlen(word);

    return n <= scan->regex.n - scan->at && memcmp(scan->regex.s + scan->at, word, n) == 0;
}

bool tk_scan_take(tk_scan *scan, const char *word)
{
    const bool there = tk_scan_at(scan, word);

    scan->at += there ? strlen(word) : 0;
    return there;
}

cull_status tk_scan_refuse(const tk_scan *scan, const char *what)
{
    const tk_str s = scan->regex;
    const size_t rest = s.n - scan->at < 24 ? s.n - scan->at : 24;

    return tk_wrong(scan->node, CULL_ENOTSUP,
                    "the pattern is not understood at byte %zu, \"%.*s\": %s", scan->at, (int)rest,
                    s.s + scan->at, what);
}

void tk_put_code(tk_text *out, uint32_t code)
{
    char text[16];
    const bool plain = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
                       (code >= 'A' && code <= 'Z');
    const int n = plain ? snprintf(text, sizeof text, "%c", (int)code)
                        : snprintf(text, sizeof text, "\\x{%X}", (unsigned)code);

    tk_text_add(out, text, (size_t)n);
}
