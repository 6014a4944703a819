// A plugin in prose, from its descriptor, its settings table and what its vtable declares.
#ifndef CULL_PLUGIN_DESCRIBE_H
#define CULL_PLUGIN_DESCRIBE_H

#include <cull/abi.h>

#include "base/context.h"
#include "base/text.h"

// For a terminal of 80 columns, or as Markdown. The same plugin gives the same text anywhere.
cull_status cull_describe(cull_ctx *ctx, const cull_plugin *plugin, bool markdown,
                          cull_buf *out) CULL_MUST_CHECK;

#endif
