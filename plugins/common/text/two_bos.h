// A second BOS in front of what a model is fed: a text or a template that brings its own meets the
// one that is put there. Published protocols have it now and then, so it is fed, counted and told:
// the numbers are right for it, but it is hardly what was meant.
#ifndef COMMON_TWO_BOS_H
#define COMMON_TWO_BOS_H

#include <cull/cull.h>

typedef struct two_bos {
    int32_t bos;  // −1: the tokenizer has none
    size_t n, of; // inputs that begin with two, of how many
} two_bos;

static inline void two_bos_look(two_bos *seen, const int32_t *ids, size_t n)
{
    seen->of++;
    seen->n += seen->bos >= 0 && n > 1 && ids[0] == seen->bos && ids[1] == seen->bos;
}

// what: the inputs, in the plural; key and word: the setting under which they came by it.
static inline void two_bos_warn(cull_ctx *ctx, const two_bos *seen, const char *what,
                                const char *key, const char *word)
{
    if (seen->n > 0)
        ctx->host->log(ctx, CULL_WARN, "%zu of %zu %s begin with two BOS (%s: %s)", seen->n,
                       seen->of, what, key, word);
}

#endif
