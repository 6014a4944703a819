// What a stage decided, on disk: which cut, and the scores that it rests on.
//
// <folder>/steps/<key of the step>.safetensors, sealed: __metadata__ has `cut`, the name of a file
// in cuts/; "layer.score" F64 (L) or "layer.<l>.expert.score" F64 (E) are there where the criterion
// scores layers or experts; "active_kept" F64 (1) is what cannot be told from the cut alone, since
// it rests on what was routed where. Cuts stand under the names of their content, so that steps and
// trials that decide the same name the same file.
#ifndef CULL_RECORD_STEP_FILE_H
#define CULL_RECORD_STEP_FILE_H

#include "base/context.h"
#include "cut/cut_file.h"

typedef struct cull_step_scores {
    double *layer;         // (L), or NULL
    double *const *expert; // [l] → (E), or NULL
    double *active;        // (1) the active parameters that its variant keeps, or NULL
} cull_step_scores;

// E: (L) experts.
cull_status cull_step_save(cull_ctx *ctx, const char *path, const char *cut, size_t L,
                           const size_t *E, const cull_step_scores *scores) CULL_MUST_CHECK;
// Memory is the alloc arena's. CULL_EFORMAT: damaged, or of another shape.
cull_status cull_step_load(cull_ctx *ctx, const char *path, size_t L, const size_t *E,
                           cull_cut_name *cut, cull_step_scores *scores) CULL_MUST_CHECK;
// Only the name of the cut.
cull_status cull_step_cut(cull_ctx *ctx, const char *path, cull_cut_name *cut) CULL_MUST_CHECK;

#endif
