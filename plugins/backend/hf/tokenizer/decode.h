// Decoders: a list of tokens becomes text, by steps that rewrite the list.
#ifndef HF_TOKENIZER_DECODE_H
#define HF_TOKENIZER_DECODE_H

#include "split.h"

struct tk_decoding;

typedef struct tk_decoder {
    void (*apply)(const struct tk_decoder *, struct tk_decoding *);
    tk_str text;               // what comes in a match's place, or is stripped, or replaced
    const tk_pattern *pattern; // what is replaced
    size_t start, stop;        // how many are stripped at most
    tk_scheme scheme;
} tk_decoder;

enum { TK_MOST_DECODERS = 64 };

typedef struct tk_decoders {
    tk_decoder step[TK_MOST_DECODERS];
    size_t n;
} tk_decoders;

// null: no step; the tokens are joined by blanks.
cull_status tk_decoders_read(const tk_node *node, tk_pattern **list, tk_decoders *steps);

typedef struct tk_tokens { // a list of strings, one behind the other
    tk_text text;
    tk_spans span;
} tk_tokens;

// The working memory of one call; zero to begin with.
typedef struct tk_decoding {
    tk_matcher *matcher;
    tk_tokens list[2], *in, *out;
    bool failed;
} tk_decoding;

void tk_tokens_add(tk_tokens *tokens, tk_str token);
// What work->list[0] holds, decoded; it lives as long as the work.
tk_str tk_decode(const tk_decoders *steps, tk_decoding *work);
void tk_decoding_release(tk_decoding *work);

#endif
