// A reader of Hugging Face tokenizers: the folder's tokenizer.json, with what tokenizer_config.json
// and special_tokens_map.json say about BOS and EOS; or a file of ranks as tiktoken has it, with
// the pattern of the class that tokenizer_config.json names.
//
// It follows the library `tokenizers` (0.23) exactly, in both directions, for BPE models and the
// components named in the files beside this one; a component or option that it does not know is
// refused by name.
//
// Invariants: an open tokenizer never changes, and any number of threads may use it at once. Ids
// are those of the vocabulary, 0 ≤ id < hf_tokenizer_size. Text is UTF-8; encode refuses anything
// else.
#ifndef HF_TOKENIZER_H
#define HF_TOKENIZER_H

#include <cull/text.h>

typedef struct hf_tokenizer hf_tokenizer;

// [call] Read a folder. ENOTSUP: a component or class that is not known, or SentencePiece; EFORMAT:
// a file that is not what it claims to be; EIO: nothing to read. What the tokenizer holds lives in
// the context's alloc memory; close lets go of the rest, and takes NULL.
cull_status hf_tokenizer_open(cull_ctx *ctx, const char *folder, hf_tokenizer **out);
void hf_tokenizer_close(hf_tokenizer *tokenizer);

int32_t hf_tokenizer_bos(const hf_tokenizer *tokenizer); // −1: none
int32_t hf_tokenizer_eos(const hf_tokenizer *tokenizer);
bool hf_tokenizer_adds_bos(
    const hf_tokenizer *tokenizer); // encode with CULL_SPECIAL puts BOS in front
size_t hf_tokenizer_size(const hf_tokenizer *tokenizer); // one more than the greatest id
// The token of an id as the vocabulary writes it, `n` bytes; NULL where there is none.
const char *hf_tokenizer_token(const hf_tokenizer *tokenizer, int32_t id, size_t *n);

// XXH3-128 of what decode goes by, 32 hex digits.
const char *hf_tokenizer_decoding(const hf_tokenizer *tokenizer);

// [any] With CULL_SPECIAL, encode adds what the post-processor adds, and decode keeps special
// tokens. Added tokens are found in the text either way. Ids without a token are left out of the
// decoded text, or with CULL_KNOWN refused, CULL_EFORMAT. ids and text live in the context's alloc
// memory; the text is ended by a NUL that `len` does not count.
cull_status hf_tokenizer_encode(cull_ctx *ctx, const hf_tokenizer *tokenizer, const char *text,
                                size_t len, uint32_t flags, int32_t **ids, size_t *n);
cull_status hf_tokenizer_decode(cull_ctx *ctx, const hf_tokenizer *tokenizer, const int32_t *ids,
                                size_t n, uint32_t flags, char **text, size_t *len);

#endif
