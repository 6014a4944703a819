// The candidates of a search, kept in the results folder from generation to generation.
#ifndef CULL_FLOW_SEARCH_HISTORY_H
#define CULL_FLOW_SEARCH_HISTORY_H

#include "flow/search/candidates.h"

// <folder>/calibration/<key>.search.safetensors; NULL: no memory, reported.
const char *cull_search_history_path(cull_ctx *ctx, const char *folder, const char *key);

// Replaces the file as a whole.
cull_status cull_search_history_save(cull_ctx *ctx, const char *path,
                                     const cull_candidates *scored) CULL_MUST_CHECK;

// Into *out, whose L is known, in the alloc arena: none where there is no file, or one that is
// damaged, which is a warning.
cull_status cull_search_history_load(cull_ctx *ctx, const char *path,
                                     cull_candidates *out) CULL_MUST_CHECK;

#endif
