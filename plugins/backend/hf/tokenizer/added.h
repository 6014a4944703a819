// Added tokens: strings that are found in the text before anything else looks at it, leftmost
// first, the longest where several begin at one place.
#ifndef HF_TOKENIZER_ADDED_H
#define HF_TOKENIZER_ADDED_H

#include "bpe/vocab.h"

typedef struct tk_added {
    tk_str content;
    tk_str form;    // what decoding sees, and what is looked for where `normalized` says so
    bool rewritten; // form is the normalised content
    int32_t id;
    bool special, normalized;
    bool single_word;    // not next to a word character
    bool lstrip, rstrip; // takes the white space before, after, with it
} tk_added;

typedef struct tk_trie_node {
    int32_t child, sibling; // −1: none
    int32_t token;          // of the added tokens, −1: none ends here
    unsigned char byte;
} tk_trie_node;

typedef struct tk_trie {
    int32_t root[256]; // first node by first byte, −1: none
    tk_trie_node *node;
    size_t n, room;
} tk_trie;

// A text is cut into segments; token −1: text between tokens.
typedef struct tk_segment {
    size_t start, end;
    int32_t token;
} tk_segment;

typedef struct tk_segments {
    tk_segment *v;
    size_t n, room;
    bool failed;
} tk_segments;

// single_word, lstrip, rstrip, normalized.
cull_status tk_added_options(const tk_node *node, bool normalized, tk_added *token);
cull_status tk_added_read(const tk_node *node, tk_added **added, size_t *n);

// room: bytes of all tokens that will be entered.
cull_status tk_trie_init(cull_ctx *ctx, tk_trie *trie, size_t room);
// The first of several tokens with one content stays.
void tk_trie_enter(tk_trie *trie, tk_str content, size_t token);
// Append the segments of s; they cover it.
void tk_trie_cut(const tk_trie *trie, const tk_added *added, tk_str s, tk_segments *out);

#endif
