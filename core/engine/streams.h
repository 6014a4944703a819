// Streams: rows with one history of cuts. They part where their variants' cuts first differ.
#ifndef CULL_ENGINE_STREAMS_H
#define CULL_ENGINE_STREAMS_H

#include "engine/blocks.h"

typedef struct cull_stream {
    cull_states states; // (n_rows, D)
    size_t n_variants;
    const size_t *variant; // which variants share this history
} cull_stream;

typedef struct cull_streams {
    size_t n_variants, L;
    const char *spill;          // the folder for their states; NULL: memory
    const cull_cut *const *cut; // (n_variants)
    cull_key *key;              // (n_variants, L) of each layer's cut; equal keys, equal cuts
    size_t n, most;             // streams now, and at the end
    cull_stream *stream;
} cull_streams;

// Keys of all cuts, and how many histories there will be. In the context's scratch arena.
cull_status cull_streams_init(cull_ctx *ctx, size_t L, size_t n_variants,
                              const cull_cut *const *cut, cull_streams *out) CULL_MUST_CHECK;

// One stream of all variants, with states (n_rows, D) not yet filled; then layer by layer through
// rows [tree first, n trees) of the forest. The states are released by cull_streams_clear.
cull_status cull_streams_begin(cull_run *run, cull_streams *s, size_t n_rows) CULL_MUST_CHECK;
cull_status cull_streams_layer(cull_run *run, cull_streams *s, size_t l, const cull_forest *f,
                               size_t first_tree, size_t n_trees,
                               const cull_engine_options *options) CULL_MUST_CHECK;
void cull_streams_clear(cull_streams *s);

// The stream that variant v is in.
size_t cull_stream_of(const cull_streams *s, size_t v);

#endif
