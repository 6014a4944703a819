// Matrices that are not exact in bf16: what bf16x2 multiplies as float32.
#ifndef CULL_ENGINE_EXACTNESS_H
#define CULL_ENGINE_EXACTNESS_H

#include "engine/engine.h"

// Of the variant (NULL: the model itself): stored as F32, F16 or with a scale, or rewritten.
cull_status cull_count_f32_matrices(cull_ctx *ctx, const cull_open_model *m, const cull_cut *cut,
                                    size_t *n) CULL_MUST_CHECK;

#endif
