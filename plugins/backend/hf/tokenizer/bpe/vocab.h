// The model's vocabulary: strings to ids and back.
//
// Invariants: an id has at most one string and a string at most one id; ids may have gaps.
#ifndef HF_TOKENIZER_VOCAB_H
#define HF_TOKENIZER_VOCAB_H

#include "tokenizer/json.h"

enum { TK_MOST_IDS = 1 << 22 };

typedef struct tk_vocab {
    size_t n;      // tokens
    size_t size;   // one more than the greatest id
    tk_str *token; // (size) by id; s is NULL where there is none
    int32_t *slot; // (mask + 1) open addressing over the ids, −1: free
    size_t mask;
} tk_vocab;

// An empty one with room for n tokens, and for ids below `top`.
cull_status tk_vocab_init(cull_ctx *ctx, size_t n, size_t top, tk_vocab *vocab);
// {"token": id, …}
cull_status tk_vocab_read(const tk_node *node, tk_vocab *vocab);
int32_t tk_vocab_find(const tk_vocab *vocab, tk_str token); // −1: none
// `token` lives as long as the vocabulary; neither it nor the id is there yet.
void tk_vocab_add(tk_vocab *vocab, tk_str token, int32_t id);
static inline tk_str tk_vocab_token(const tk_vocab *vocab, int64_t id)
{
    return id >= 0 && (uint64_t)id < vocab->size ? vocab->token[id] : (tk_str){ NULL, 0 };
}

#endif
