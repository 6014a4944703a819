// The folders that results live in: made, and cleared of what dead processes left.
#ifndef CULL_RECORD_FOLDER_FOLDER_H
#define CULL_RECORD_FOLDER_FOLDER_H

#include "base/context.h"

// Make a folder and those above it.
cull_status cull_make_folder(cull_ctx *ctx, const char *dir) CULL_MUST_CHECK;

// Names of the regular files in a folder that end with `ending`, in order, in the alloc arena;
// hidden files are left out. A folder that is not there holds none.
cull_status cull_folder_list(cull_ctx *ctx, const char *dir, const char *ending, size_t *n,
                             const char *const **names) CULL_MUST_CHECK;

// Names of the temporary files (base/new_file.h) in one folder whose process, on this host, is
// dead; in the alloc arena.
cull_status cull_folder_abandoned(cull_ctx *ctx, const char *dir, size_t *n,
                                  const char *const **names) CULL_MUST_CHECK;

// Remove the temporary files (base/new_file.h) in one folder whose process, on this host, is dead;
// adds to *removed.
cull_status cull_folder_sweep(cull_ctx *ctx, const char *dir, size_t *removed) CULL_MUST_CHECK;

// Is the file `from` also under the name `to`: as a link, or where that cannot be as a copy. What
// is there is left.
cull_status cull_folder_bring(cull_ctx *ctx, const char *from, const char *to) CULL_MUST_CHECK;

#endif
