// Token sequences as a forest of segments, so that what sequences share is computed once.
//
// Rows stand in the order of segments, segments in the order of trees; a tree's rows are
// contiguous, and no attention crosses trees. Prefixes shorter than CULL_SHARE_LEAST are not shared
// (every sequence begins with BOS, and one tree of everything could not be processed in blocks).
#ifndef CULL_ENGINE_FOREST_H
#define CULL_ENGINE_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "engine/kv.h"

enum { CULL_SHARE_LEAST = 8, CULL_TREE_ROWS = 1 << 15 };

typedef struct cull_segment {
    size_t parent; // or CULL_ROOT
    size_t pos;    // of its first row
    size_t first, n;
} cull_segment;

typedef struct cull_tree {
    size_t first_segment, n_segments;
    size_t first_row, n_rows;
    bool beyond; // its sequences are longer than the rope switch
} cull_tree;

typedef struct cull_forest {
    size_t n_rows, n_segments, n_trees;
    int32_t *ids, *pos; // (n_rows)
    cull_segment *segment;
    cull_tree *tree;
} cull_forest;

typedef struct cull_ids {
    const int32_t *ids;
    size_t n;
} cull_ids;

// A forest of n sequences (n_i > 0); end[i] is the segment at which sequence i ends. share: merge
// equal prefixes. rope_switch as in the model's facts. Lives in the context's alloc arena.
cull_status cull_forest_build(cull_ctx *ctx, size_t n, const cull_ids *seq, bool share,
                              size_t rope_switch, cull_forest *out, size_t *end) CULL_MUST_CHECK;

// Rows of the path that ends with segment `end`: row[p] for p in [0, length of the path).
void cull_forest_path(const cull_forest *f, size_t end, size_t *row);

// The spans of trees [first, first + n), rows counted from the first tree's first row; `span` has
// room for their segments. Returns how many.
size_t cull_forest_spans(const cull_forest *f, size_t first, size_t n, cull_span *span);

#endif
