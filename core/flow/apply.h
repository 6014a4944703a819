// apply: a cut and a model → a variant.
//
// A variant is what an evaluation runs and a recipe stores: a cut that is known to fit its model,
// with its novices and rewritten matrices rounded to what `store` holds, and measured.
#ifndef CULL_FLOW_APPLY_H
#define CULL_FLOW_APPLY_H

#include "cut/cut_size.h"
#include "plan/inputs.h"

typedef struct cull_variant {
    const cull_cut *cut; // NULL: the dense model
    cull_cut_size size;
} cull_variant;

// `cut` is rounded in place. frozen: (L) the layers that may not be cut. Overlays and slots that do
// not fit the model are CULL_EPLUGIN.
cull_status cull_apply(cull_ctx *ctx, const cull_prepared_model *prepared, const uint8_t *frozen,
                       const char *store, cull_cut *cut, cull_routing_counts usage,
                       cull_variant *out) CULL_MUST_CHECK;

// An empty cut of the model: every expert as it is.
cull_cut *cull_empty_cut(cull_ctx *ctx, const cull_prepared_model *prepared);

#endif
