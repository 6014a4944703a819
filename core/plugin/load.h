// One plugin module: from a file to structs of our own.
//
// A file is refused, with a sentence that names what is wrong, when others may write it or its
// folder, when it is no whole ELF library, when it lacks cull_module_v1, when magic, ABI or sizes
// differ, and when a plugin's table would make the host read or write where it must not. What is
// accepted is copied into zeroed structs of this Cull's sizes: callbacks that an older plugin does
// not know are NULL. Loading runs a library's constructors, nothing else; modules are never
// unloaded.
#ifndef CULL_PLUGIN_LOAD_H
#define CULL_PLUGIN_LOAD_H

#include <cull/abi.h>

#include "base/context.h"
#include "base/hash.h"

typedef struct cull_loaded {
    const char *path; // absolute, links resolved
    cull_key key;     // of the file
    cull_module module;
    size_t n;
    const cull_plugin **plugin; // (n), complete: params, vtable and observer are ours
} cull_loaded;

// Memory in the context's alloc arena. own: the program's own, which is trusted as the program is.
cull_status cull_module_load(cull_ctx *ctx, const char *path, bool own,
                             cull_loaded **out) CULL_MUST_CHECK;

// Is a file (links resolved), or a folder of plugins, safe from others: the user's or the
// administrator's, not for a group or everybody to write, nor below a folder that everybody may
// write? A sticky folder may be; in one a file may lie, but it is no folder of plugins.
cull_status cull_trust_file(cull_ctx *ctx, const char *path) CULL_MUST_CHECK;
cull_status cull_trust_folder(cull_ctx *ctx, const char *path) CULL_MUST_CHECK;

// Is the plugin's table sound? `path` for messages.
cull_status cull_plugin_verify(cull_ctx *ctx, const char *path,
                               const cull_plugin *plugin) CULL_MUST_CHECK;
// Lower case letters, digits and hyphens (for settings: underscores), beginning with a letter.
bool cull_name_fine(const char *name, char joint);

#endif
