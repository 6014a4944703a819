// What a child found, as a file: the scores of a stage, and the cut it decided.
//
// Written by the child, whose memory a faulty plugin may have spoilt, and so checked by the reader:
// every length, action and target, and that all numbers are finite. Overlays' data are not copied
// but stay mapped, so that a cut of many rewritten matrices need not fit in memory twice.
#ifndef CULL_FLOW_SANDBOX_STAGE_RESULT_H
#define CULL_FLOW_SANDBOX_STAGE_RESULT_H

#include <stdio.h>

#include <cull/cull.h>

#include "base/context.h"

typedef struct cull_map { // behind overlays' data
    void *at;
    size_t bytes;
    struct cull_map *next;
} cull_map;

typedef struct cull_stage_result {
    cull_cut *cut;
    double *layer;                    // (L) scores of layers, or NULL
    double *const *expert;            // [l] → (E) scores of experts, or NULL
    double score_s, select_s;         // how long the run waited for them
    double score_all_s, select_all_s; // and what they took where several ranks were at it at once
    cull_map *maps;
} cull_stage_result;

// The slot tables of found->cut, its overlays from `first` on, scores of experts and layers, times.
cull_status cull_stage_result_write(cull_ctx *ctx, FILE *file, const cull_stage_result *found,
                                    size_t first) CULL_MUST_CHECK;

// Changes result->cut, which is as the child found it, to what the file says: all of it, or with
// `only` < L that layer, when a change to another is a failure. Memory is the context's alloc
// arena; maps live until cull_stage_result_release.
cull_status cull_stage_result_read(cull_ctx *ctx, FILE *file, size_t only,
                                   cull_stage_result *result) CULL_MUST_CHECK;
// Likewise of one layer, of which experts [first, end) alone were decided about: theirs is taken,
// and with the first expert what is of the layer as a whole.
cull_status cull_stage_result_read_experts(cull_ctx *ctx, FILE *file, size_t only, size_t first,
                                           size_t end, cull_stage_result *result) CULL_MUST_CHECK;
// As many as were written one after the other, all layers of each; what is mapped is results[0]'s.
cull_status cull_stage_results_read(cull_ctx *ctx, FILE *file, size_t n,
                                    cull_stage_result *results) CULL_MUST_CHECK;
void cull_stage_result_release(cull_stage_result *result);

#endif
