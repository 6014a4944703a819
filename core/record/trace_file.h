// The HDF5 file of `cull trace`: what every layer computed.
//
//   /tokens (sequence, position) i32     /logits (sequence, position, vocab) f32
//   /hidden (layer, sequence, position, width) f32: each layer's input, the last one after the
//   final norm /router/logits (moe_layer, sequence, position, expert) f32    /router/layer
//   (moe_layer) i32 /router/index, /router/gate (moe_layer, sequence, position, choice) i32, f32
//
// Where E or K differ by layer, the rest is NaN in floats and −1 in indices. Written atomically.
#ifndef CULL_RECORD_TRACE_FILE_H
#define CULL_RECORD_TRACE_FILE_H

#include "engine/engine.h"

// Arrays of `trace` that are NULL are left out.
cull_status cull_trace_write(cull_ctx *, const char *path, const cull_open_model *model,
                             const cull_trace *trace) CULL_MUST_CHECK;

#endif
