// Memory: what is resident whatever the rows are, what is left for them, and what a row takes.
//
// There is one count of a row, cull_live_floats: the plan's peak rests on it, and so does what a
// block reserves.
#ifndef CULL_ENGINE_MEMORY_H
#define CULL_ENGINE_MEMORY_H

#include "engine/engine.h"

// What is resident whatever the rows are: the program, the embedding's table as far as so many
// different ids touch it, and the largest layer or the head, mapped as a whole: both, where a pass
// goes through layers again after a head, or the backend cannot let the head go when a pass is
// over. The next layer is read ahead into the page cache, but not mapped yet.
uint64_t cull_memory_fixed(const cull_open_model *m, double ids, bool again);
// Of these, pages of the checkpoint that are mapped at least: ranks of a node share them.
uint64_t cull_memory_mapped(const cull_open_model *m);

// Ranks of a node, which share the pages of a model's checkpoint.
typedef struct cull_neighbours {
    size_t ranks;
    double pages; // bytes
} cull_neighbours;
cull_neighbours cull_neighbours_of(const cull_open_model *m, size_t ranks);
// What one of them may have resident where `memory` is the node's: all the pages, and its part of
// the rest. 0 (no limit): 0.
uint64_t cull_memory_of_rank(uint64_t memory, const cull_neighbours *node);
// The same of the option's memory, while this model is computed. 0: no limit.
uint64_t cull_memory_share(const cull_open_model *m, const cull_engine_options *options);

// Bytes that a pass may take for activations and scratch: what the option leaves beside the above,
// or half of what is free.
uint64_t cull_memory_limit(const cull_open_model *m, const cull_engine_options *options);

// How many of n things of so many bytes fit half of it together: the first ones, at least one.
size_t cull_memory_wave(const cull_open_model *m, const cull_engine_options *options, size_t n,
                        const uint64_t *bytes);

// Bytes of a calibration's hidden states that stay from layer to layer, of so many rows: once, of
// all earlier layers for LAYER_COSINES; `again`, where later layers see what is decided, also a
// copy to decide from, and for DENSE_SAMPLE the model before along with it.
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

// How many of n lanes of a block, with their hidden states, fit half of it together; at least one.
size_t cull_lanes_at_once(const cull_open_model *m, const cull_engine_options *options, size_t rows,
                          size_t n);

// Of a row within attention, where most is alive at once: what enters the sub-layer and runs beside
// it, the normalised input, queries, keys, values, what was attended to and its projection; and of
// the histories before it what their experts are going to need.
double cull_live_floats(const cull_model_facts *f, const cull_layer_facts *layer, double histories);
// What a row's block reserves in a layer: that of one history, and routing and the experts'
// outputs, which come after attention and of which a wave holds a part.
double cull_reserved_floats(const cull_model_facts *f, const cull_layer_facts *layer);

#endif
