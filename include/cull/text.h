// The tokenizer of a trial's model, as data readers and metrics see it.
#ifndef CULL_TEXT_H
#define CULL_TEXT_H

#include <cull/host.h>

enum {
    CULL_SPECIAL = 1u, // encode: what the post-processor adds; decode: keep special tokens
    CULL_KNOWN = 2u,   // decode: an id without a token is refused, not left out
};

typedef struct cull_text {
    uint32_t size;
    int32_t bos, eos;     // −1: none
    bool adds_bos;        // encode with CULL_SPECIAL puts BOS in front
    size_t max_positions; // the model's
    // [any] ids and text live as the context's alloc memory.
    cull_status (*encode)(cull_ctx *, const struct cull_text *, const char *text, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n);
    cull_status (*decode)(cull_ctx *, const struct cull_text *, const int32_t *ids, size_t n,
                          uint32_t flags, char **text, size_t *len);
    void *core;
    size_t max_new; // facts.max_new of the model
} cull_text;

#endif
