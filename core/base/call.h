// Calls into plugins: so that one which crashes is named, and none fails without a sentence.
//
//     CULL_TRY(CULL_CALL(ctx, plugin, SIZE_MAX, load, data->load(ctx, settings, text, &rows)));
//
// The arguments: the context (or NULL, for callbacks that return no status: see CULL_CALLED), the
// plugin, the layer that the call is about (SIZE_MAX: none), the callback's name, the call.
#ifndef CULL_BASE_CALL_H
#define CULL_BASE_CALL_H

#include <cull/abi.h>

#include "base/context.h"

const char *cull_kind_name(cull_kind kind); // "criterion"

void cull_call_enter(const cull_plugin *plugin, const char *callback, size_t layer);

// The call is over. A failure without a sentence gets one that names plugin and callback, and a
// status that there is not, or CULL_ECANCELED where nobody asked to stop, becomes CULL_EPLUGIN;
// what a call reported and got over is forgotten.
cull_status cull_call_status(cull_ctx *ctx, cull_status status) CULL_MUST_CHECK;
void cull_call_leave(void);

#define CULL_CALL(ctx, plugin, layer, callback, call)                                              \
    (cull_call_enter(plugin, #callback, layer), cull_call_status(ctx, call))

#endif
