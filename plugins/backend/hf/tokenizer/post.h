// Post-processors: the ids that go before and after a text's own.
#ifndef HF_TOKENIZER_POST_H
#define HF_TOKENIZER_POST_H

#include "json.h"

typedef struct tk_post {
    int32_t *before, *after;
    size_t n_before, n_after;
} tk_post;

// null: nothing is added.
cull_status tk_post_read(const tk_node *node, tk_post *post);

#endif
