// Scans along the forest: what a path leaves behind is taken on row by row, and a child begins from
// its parent's end.
//
// A state falls into parts that know nothing of each other (blocks of a head's columns, of
// channels). An item is (tree, part): its spans are taken in order, which is depth first, so that
// few states are alive at once. The last child of a span goes on in its parent's slot, earlier ones
// in copies: while scoring a tree needs no more slots than its deepest fork, and generation one a
// sequence.
#ifndef CULL_ENGINE_SCAN_H
#define CULL_ENGINE_SCAN_H

#include "engine/kv.h"
#include "engine/run.h"

typedef struct cull_scan {
    size_t parts, floats; // of a state, and floats of a part
    size_t at;            // where the first part stands among the layer's state_width floats
    // Take one part's state through rows [first, first + n) of the pass; any thread.
    cull_status (*run)(void *arg, size_t part, size_t first, size_t n, float *state,
                       cull_arena *arena);
    void *arg;
} cull_scan;

// Over all spans of the piece's paths; states begin as zeros at a root.
cull_status cull_scan_rows(cull_piece *piece, const cull_scan *scan) CULL_MUST_CHECK;

// The services of include/cull/backend.h, in recurrence.c and convolution.c.
cull_status cull_recur_rows(cull_pass *pass, const cull_recurrence *r, const float *q,
                            const float *k, const float *v, const float *g, const float *beta,
                            float *out) CULL_MUST_CHECK;
cull_status cull_convolve_rows(cull_pass *pass, const cull_convolution *c, const float *x,
                               float *out) CULL_MUST_CHECK;

// Slots for n nodes that stand behind their parents (CULL_ROOT: none), so that a node's last child
// has its own; `keep`: no slot is used again when its node has no children. Returns how many. In
// the arena's memory.
cull_status cull_scan_slots(cull_ctx *ctx, cull_arena *arena, size_t n, const size_t *parent,
                            bool keep, size_t *slot, size_t *n_slots) CULL_MUST_CHECK;

#endif
