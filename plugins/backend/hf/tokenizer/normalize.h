// Normalizers: steps that rewrite a segment of text.
#ifndef HF_TOKENIZER_NORMALIZE_H
#define HF_TOKENIZER_NORMALIZE_H

#include "pattern/pattern.h"

struct tk_rewriting;

typedef struct tk_normalizer {
    void (*apply)(const struct tk_normalizer *, struct tk_rewriting *);
    tk_str text;               // what is put in front, or in a match's place
    const tk_pattern *pattern; // what is replaced
    bool compose, compatible;  // NFC, NFKC; NFKC, NFKD
    bool left, right;          // which ends are stripped
} tk_normalizer;

enum { TK_MOST_NORMALIZERS = 64 };

typedef struct tk_normalizers {
    tk_normalizer step[TK_MOST_NORMALIZERS];
    size_t n;
} tk_normalizers;

cull_status tk_normalizers_read(const tk_node *node, tk_pattern **list, tk_normalizers *steps);

// The working memory of one call; zero to begin with.
typedef struct tk_rewriting {
    tk_matcher *matcher;
    tk_str in;
    tk_text *out; // one of `text`
    size_t head;  // so many bytes of in stem from the text's first character, or stand before it
    tk_text text[2];
    int32_t *codes; // of the run being normalised
    size_t room;
    bool failed;
} tk_rewriting;

// The rewritten segment, which lives until the next call. *head: the bytes that stem from the whole
// text's first character, before and after.
tk_str tk_normalize(const tk_normalizers *steps, tk_rewriting *work, tk_str segment, size_t *head);
void tk_rewriting_release(tk_rewriting *work);

#endif
