// Blocks of whole trees: what is computed at once within a layer.
#ifndef CULL_ENGINE_BLOCKS_H
#define CULL_ENGINE_BLOCKS_H

#include "engine/forest.h"
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

// What is resident whatever the rows are: the program, the embedding's table as far as so many rows
// touch it, and the largest layer, mapped as a whole. The next one is read ahead into the page
// cache, but not mapped yet.
uint64_t cull_memory_fixed(const cull_open_model *m, double rows);
// Bytes that a pass may take for activations and scratch: what the option leaves beside the above,
// or half of what is free.
uint64_t cull_memory_limit(const cull_open_model *m, const cull_engine_options *options);

// How many of n things of so many bytes fit half of it together: the first ones, at least one.
size_t cull_memory_wave(const cull_open_model *m, const cull_engine_options *options, size_t n,
                        const uint64_t *bytes);

// Bytes of a calibration's hidden states that stay from layer to layer, of so many rows: once, of
// all earlier layers for K; `again`, where later layers see what is decided, also a copy to decide
// from, and for J the model before along with it.
uint64_t cull_calibrating_bytes(const cull_open_model *m, uint64_t rows, uint32_t groups,
                                bool again);

// Where hidden states of so many bytes stay from layer to layer. What does not fit half of the
// limit is taken in passes of a part of the rows each, which read the weights again, or kept in a
// file that is read and written once a layer: whichever moves fewer bytes. `whole`: not in parts.
typedef struct cull_keeping {
    size_t passes;
    bool spilled;
} cull_keeping;
cull_keeping cull_keep_states(const cull_open_model *m, const cull_engine_options *options,
                              uint64_t bytes, bool whole);

// Rows of one block so that n_lanes lanes of them fit a quarter of the limit.
size_t cull_block_rows(const cull_open_model *m, const cull_engine_options *options,
                       size_t n_lanes);

// Embeddings of rows [0, n) into h (n, D).
cull_status cull_embed_rows(cull_run *run, size_t n, const int32_t *ids, float *h) CULL_MUST_CHECK;
cull_status cull_embed_states(cull_run *run, size_t n, const int32_t *ids,
                              const cull_states *states) CULL_MUST_CHECK;
// The final norm of n rows.
cull_status cull_norm_rows(cull_run *run, size_t n, const float *h, float *hn) CULL_MUST_CHECK;

// Before and after a layer is visited: pages come and go, bytes are counted.
void cull_layer_enter(cull_run *run, size_t l);
void cull_layer_leave(cull_run *run, size_t l);

// A pass's progress, counted in tokens: begin, tell (`part` of it is done, 0 … 1), end. tell gives
// CULL_ECANCELED when the user wants to stop.
void cull_pass_begin(cull_run *run, const char *phase, size_t tokens);
cull_status cull_pass_tell(cull_run *run, double part) CULL_MUST_CHECK;
void cull_pass_end(cull_run *run);

#endif
