// What a data reader yields, checked.
#ifndef CULL_PLUGIN_BORDER_SEQUENCES_H
#define CULL_PLUGIN_BORDER_SEQUENCES_H

#include <cull/cull.h>

#include "base/context.h"

// The reader's rows, each with token ids, as this Cull knows them; none at all is a failure.
cull_status cull_load_sequences(cull_ctx *ctx, const cull_plugin *plugin, const void *settings,
                                const cull_text *text, cull_sequences *out) CULL_MUST_CHECK;

#endif
