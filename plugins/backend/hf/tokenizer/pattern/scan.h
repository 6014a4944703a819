// A pattern while it is read.
#ifndef HF_TOKENIZER_SCAN_H
#define HF_TOKENIZER_SCAN_H

#include "pattern.h"

typedef struct tk_scan { // the pattern being read
    const tk_node *node;
    tk_str regex;
    size_t at;
} tk_scan;

static inline bool tk_scan_more(const tk_scan *scan)
{
    return scan->at < scan->regex.n;
}
static inline char tk_scan_peek(const tk_scan *scan)
{
    return tk_scan_more(scan) ? scan->regex.s[scan->at] : '\0';
}
bool tk_scan_take(tk_scan *scan, const char *word); // if it stands here, go past it
bool tk_scan_at(const tk_scan *scan, const char *word);
cull_status tk_scan_refuse(const tk_scan *scan, const char *what);

void tk_put_code(tk_text *out, uint32_t code); // a literal character, in a class or outside

#endif
