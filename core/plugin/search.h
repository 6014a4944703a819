// The folders that plugins come from.
#ifndef CULL_PLUGIN_SEARCH_H
#define CULL_PLUGIN_SEARCH_H

#include "base/context.h"

typedef struct cull_folder {
    const char *path; // absolute, links resolved
    bool shipped;     // Cull's own; else an entry of CULL_PLUGIN_PATH
} cull_folder;

// The entries of CULL_PLUGIN_PATH (by colons), then Cull's own: the build tree's while the running
// program lies in it, else the installed one. Never the current folder: entries that are not
// absolute, do not exist or that everybody may write are passed over with a warning.
cull_status cull_search_folders(cull_ctx *ctx, size_t *n, cull_folder **out) CULL_MUST_CHECK;

// The names of a folder's .so files, sorted, in the scratch arena. A folder that is gone has none.
cull_status cull_search_list(cull_ctx *ctx, const char *folder, size_t *n,
                             const char ***out) CULL_MUST_CHECK;

#endif
