// Blocks of whole trees: what is computed at once within a layer.
#ifndef CULL_ENGINE_BLOCKS_H
#define CULL_ENGINE_BLOCKS_H

#include "engine/forest.h"
#include "engine/memory.h"
#include "engine/states.h"
#include "engine/visit.h"

typedef struct cull_block {
    size_t first_tree, n_trees;
    size_t first_row, n_rows; // in the forest
    bool beyond;              // of the rope switch; never mixed
    cull_kv kv;
} cull_block;

// Trees [first, first + n) in blocks of at most `most` rows (a larger tree is a block of its own).
// In `arena`.
cull_status cull_blocks_make(cull_ctx *ctx, cull_arena *arena, const cull_forest *f, size_t first,
                             size_t n, size_t most, size_t *n_blocks,
                             cull_block **blocks) CULL_MUST_CHECK;

// Embeddings of rows [0, n) into h (n, D).
cull_status cull_embed_rows(cull_run *run, size_t n, const int32_t *ids, float *h) CULL_MUST_CHECK;
cull_status cull_embed_states(cull_run *run, size_t n, const int32_t *ids,
                              const cull_states *states) CULL_MUST_CHECK;
// The final norm of n rows.
cull_status cull_norm_rows(cull_run *run, size_t n, const float *h, float *hn) CULL_MUST_CHECK;

// Before and after a layer is visited: pages come and go, bytes are counted.
void cull_layer_enter(cull_run *run, size_t l);
void cull_layer_leave(cull_run *run, size_t l);

#endif
