// Cuts in the core: make, copy, add to, and look up (cull/cut.h says what they hold).
//
// Every cut of the core comes from cull_cut_new or cull_cut_copy, which keep more than the public
// struct shows: room to grow and an index of overlays by matrix. All memory is the context's alloc
// arena, but for large overlays where the context has pages: these are in files, and only a layer
// of what is being made is resident. Several overlays may name one matrix, as when two stages touch
// it. What then holds: the last MATRIX, in place of the base's, of all the MASKs and CHANNELS
// together whatever each of them keeps, and the sum of all BIASes.
#ifndef CULL_CUT_CUT_H
#define CULL_CUT_CUT_H

#include <cull/cut.h>

#include "base/context.h"

// Every expert BASE, its own target, constants zero; nothing skipped, no overlays. experts: (L).
// NULL, with the failure reported, when there is no memory.
cull_cut *cull_cut_new(cull_ctx *ctx, size_t L, size_t D, const size_t *experts);

// The copy has its own slot tables and list; it shares the overlays' data, which must outlive it.
cull_cut *cull_cut_copy(cull_ctx *ctx, const cull_cut *from);

// Bytes of an overlay's data: (rows, cols) bits or floats. SIZE_MAX when that overflows.
size_t cull_overlay_bytes(uint32_t kind, size_t rows, size_t cols);

// May an overlay of this kind, with so many rows, stand on this matrix?
bool cull_overlay_fits(uint32_t kind, cull_matrix_id where, size_t rows);

// Enter an overlay with zeroed room for its data (host->overlay), or with data of the caller's that
// lives as long as the cut. NULL, reported, when it cannot be.
void *cull_cut_overlay(cull_ctx *ctx, cull_cut *cut, cull_matrix_id where, uint32_t kind,
                       size_t rows, size_t cols);
// Enter an overlay whose data are in a shared mapping of a file, and may be let go page by page.
cull_status cull_cut_add_paged(cull_ctx *ctx, cull_cut *cut,
                               const cull_overlay *overlay) CULL_MUST_CHECK;

// May overlay i's data leave memory? [any]
bool cull_cut_is_paged(const cull_cut *cut, size_t i);

// The overlays' data (of a layer; of one matrix) are not needed for a while: what stands in files
// need not stay resident. Their numbers are as before. [any]
void cull_cut_leave(const cull_cut *cut, size_t layer);
void cull_cut_leave_matrix(const cull_cut *cut, cull_matrix_id where);

// Index of the first overlay of `where`, and of the next one after overlay i; SIZE_MAX: none. [any]
size_t cull_cut_first(const cull_cut *cut, cull_matrix_id where);
size_t cull_cut_next(const cull_cut *cut, size_t i);

// Is layer l, or its MoE sub-layer, passed over, so that its experts have gone? NULL: no. [any]
bool cull_cut_passes(const cull_cut *cut, size_t l);

// Does the cut change anything of layer l before the router (attention, shared or dense parts)?
// NULL: no. [any]
bool cull_cut_before_router(const cull_cut *cut, size_t l);

#endif
