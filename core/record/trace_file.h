// The HDF5 file of `cull trace`: what every layer computed.
//
// clang-format off
//   /tokens          i32  (sequence, position)
//   /logits          f32  (sequence, position, vocab)
//   /hidden          f32  (layer, sequence, position, width)  each layer's input, the last one after the final norm
//   /router/layer    i32  (moe_layer)
//   /router/logits   f32  (moe_layer, sequence, position, expert)
//   /router/index    i32  (moe_layer, sequence, position, choice)
//   /router/gate     f32  (moe_layer, sequence, position, choice)
// clang-format on
//
// Where E or K differ by layer, the rest is NaN in floats and −1 in indices. Written atomically.
#ifndef CULL_RECORD_TRACE_FILE_H
#define CULL_RECORD_TRACE_FILE_H

#include "engine/engine.h"

// Arrays of `trace` that are NULL are left out.
cull_status cull_trace_write(cull_ctx *, const char *path, const cull_open_model *model,
                             const cull_trace *trace) CULL_MUST_CHECK;

#endif
