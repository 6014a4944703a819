// What rank 0 orders the other ranks to do, and the cuts that it is to be done with.
#ifndef CULL_FLOW_RANKS_ORDER_H
#define CULL_FLOW_RANKS_ORDER_H

#include "flow/sandbox/stage_result.h"
#include "plan/inputs.h"
#include "ranks/ranks.h"

typedef enum cull_order_kind {
    CULL_ORDER_END, // nothing more
    CULL_ORDER_CALIBRATE,
    CULL_ORDER_EVALUATE,
    CULL_ORDER_SELECT, // while a layer is decided about (share_selection.h)
} cull_order_kind;

typedef struct cull_order {
    uint32_t kind;
    size_t model;
    size_t n;          // calibrations, or metrics
    size_t n_variants; // that are evaluated
} cull_order;

// A meeting: rank 0's order becomes everybody's. Nothing is done alone.
cull_status cull_order_give(cull_ctx *ctx, cull_order *order) CULL_MUST_CHECK;

// A meeting: on rank 0 *out is a file in `folder` with the bytes of rank `from`'s, or NULL where
// that has none. The caller's, also after a failure. *failed: rank 0's; where it is OK before, what
// came of making the file, which the other ranks know nothing of; else no file is made.
cull_status cull_order_file(cull_ctx *ctx, const char *folder, size_t from, FILE *file, FILE **out,
                            cull_status *failed) CULL_MUST_CHECK;

// A meeting: what rank 0 has of *cut, its overlays from `first` on, becomes everybody's. On the
// others result->cut is what it is based on; with `only` < L that layer alone is changed. It lives
// in a file in `folder` until cull_stage_result_release.
cull_status cull_order_cut(cull_ctx *ctx, const char *folder, size_t first, size_t only,
                           cull_stage_result *result) CULL_MUST_CHECK;

#endif
