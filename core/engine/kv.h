// Where attention finds its keys: spans of K/V rows that form a forest.
//
// A span is a run of consecutive positions. Its context is its ancestors, root first, and itself;
// the rows of a pass are the last n_rows of a span. While scoring, K/V live for one layer and are
// the pass's own rows; while generating they are kept in a store, one per layer. So is the state
// that other layers have in place of K/V: each span's at its end, in the slot that the span names.
#ifndef CULL_ENGINE_KV_H
#define CULL_ENGINE_KV_H

#include <stddef.h>

#define CULL_ROOT SIZE_MAX

typedef struct cull_span {
    size_t parent;            // index of an earlier span, or CULL_ROOT
    size_t pos;               // position of its first row
    size_t kv_first, n_kv;    // its rows of K/V, the new ones included
    size_t row_first, n_rows; // its rows in the pass
    size_t slot;              // of its state in the store
} cull_span;

typedef struct cull_kv {
    size_t n_spans;
    const cull_span *span;
    float *store; // (store_rows, KV·qk_width), then (store_rows, KV·v_width); NULL: the rows given
                  // are it
    size_t store_rows;
    float *states; // (slots, the layer's state_width), or NULL: they live for the call
} cull_kv;

#endif
