// The whole of an open tokenizer. Everything but the compiled patterns lives in alloc memory.
#ifndef HF_TOKENIZER_PARTS_H
#define HF_TOKENIZER_PARTS_H

#include "added.h"
#include "bpe.h"
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
    uint8_t *special;  // (bpe.vocab.size) by id
    tk_trie raw;       // added tokens that are looked for in the text as it is
    tk_trie rewritten; // … in the normalised text, by their normalised content
    tk_normalizers normalizers;
    tk_steps steps;
    tk_post post;
    bool has_decoder;
    tk_decoders decoders;
    int32_t bos, eos;
};

// tokenizer_config.json and special_tokens_map.json, which need not be there: which tokens are BOS
// and EOS, and whether they are added whatever the post-processor says.
typedef struct tk_config {
    tk_str bos, eos; // s is NULL: none
    bool add_bos, add_eos;
    bool rebuild; // the post-processor: add_bos and add_eos are said explicitly
} tk_config;

cull_status tk_config_read(cull_ctx *ctx, const char *folder, tk_config *config);

// The bytes of folder/name, parsed. *root is NULL when there is no such file.
cull_status tk_read_file(const tk_file *file, size_t flags, json_t **root);

#endif
