// The services behind a cull_ctx: a context is born here, since its table of services knows cuts.
#ifndef CULL_PLUGIN_HOST_H
#define CULL_PLUGIN_HOST_H

#include "base/context.h"

// ENOMEM is the only failure. release frees both arenas.
cull_status cull_context_init(cull_context *context, cull_pool *pool,
                              cull_log *log) CULL_MUST_CHECK;
void cull_context_release(cull_context *context);

#endif
