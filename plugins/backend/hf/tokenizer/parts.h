// The whole of an open tokenizer. Everything but the compiled patterns lives in alloc memory.
#ifndef HF_TOKENIZER_PARTS_H
#define HF_TOKENIZER_PARTS_H

#include "added.h"
#include "bpe/bpe.h"
#include "decode.h"
#include "normalize.h"
#include "post.h"
#include "split.h"
#include "tokenizer.h"

struct hf_tokenizer {
    tk_pattern *patterns;
    tk_bpe bpe;
    tk_added *added; // (n_added) with the ids that they really have
    size_t n_added;
    bool own_ids;      // added tokens have the ids that they are given with, with or without gaps
    tk_vocab contents; // to places in added
    size_t size;       // one more than the greatest id
    tk_str *name;      // (size) what decoding sees; s is NULL where there is none
    uint8_t *special;  // (size)
    tk_trie raw;       // added tokens that are looked for in the text as it is
    tk_trie rewritten; // … in the normalised text, by their normalised content
    tk_normalizers normalizers;
    bool whole; // the text is normalised as a whole, before added tokens are looked for
    tk_steps steps;
    tk_post post;
    bool has_decoder;
    tk_decoders decoders;
    int32_t bos, eos;
    char decoding[33]; // hash of what decoding goes by
};

// What tokenizer_config.json and special_tokens_map.json say; neither needs to be there.
typedef struct tk_config {
    tk_str bos, eos;  // s is NULL: none
    tk_added *tokens; // (n_tokens) to be added
    size_t n_tokens;
    size_t n_explicit; // so many come first, from added_tokens_decoder, or added_tokens.json
    bool by_file;   // from the latter: an id that tokenizer.json has for an added token is its own
    size_t n_named; // up to here, tokens with a role or a key of their own
} tk_config;

cull_status tk_config_read(cull_ctx *ctx, const char *folder, tk_config *config);

// After bpe and normalizers: give the tokens ids, and make all that finds and writes them.
cull_status tk_added_enter(const tk_node *root, hf_tokenizer *tk, const tk_added *tokens, size_t n,
                           const tk_config *config);
int32_t tk_token_id(const hf_tokenizer *tk, tk_str token); // −1: none, or token.s is NULL

// Normalizer, pre-tokenizer, post-processor and decoder of a tokenizer.json's root.
cull_status tk_components_read(const tk_node *root, hf_tokenizer *tk);

// ---- tiktoken.c ----
// The folder's file of ranks; path is "" where there is none.
cull_status tk_find_ranks(cull_ctx *ctx, const char *folder, char path[4096]);
cull_status tk_tiktoken_open(cull_ctx *ctx, const char *folder, const char *path, hf_tokenizer *tk);

// The bytes of a file, parsed. *root is NULL when there is no such file.
cull_status tk_read_file(const tk_file *file, size_t flags, json_t **root);

#endif
