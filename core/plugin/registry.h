// The plugins that a run knows, by kind and name.
//
// A plugin <kind>-<name>.so in one of the search folders is loaded when it is first asked for;
// files given by --plugin or by an experiment are loaded at once. Two files with the same plugin
// are refused, with both paths. A registry has memory and an error of its own; it belongs to one
// thread.
#ifndef CULL_PLUGIN_REGISTRY_H
#define CULL_PLUGIN_REGISTRY_H

#include "plugin/kind.h"
#include "plugin/load.h"

typedef struct cull_registry cull_registry;

// Takes log from the context. NULL, with the failure reported there, when it cannot be.
cull_registry *cull_registry_new(cull_ctx *ctx);
void cull_registry_free(cull_registry *registry); // the libraries stay; NULL is fine

// Load FILE (--plugin).
cull_status cull_registry_add(cull_ctx *ctx, cull_registry *registry,
                              const char *file) CULL_MUST_CHECK;
// Load a file that an experiment names, relative to the folder `base` (NULL: the current one). Data
// must not be able to load code: it is refused unless `trusted`, or it lies in a folder of
// CULL_PLUGIN_PATH.
cull_status cull_registry_declare(cull_ctx *ctx, cull_registry *registry, const char *base,
                                  const char *file, bool trusted) CULL_MUST_CHECK;

// The plugin, or NULL; then trouble() is the sentence that says why it could not be loaded, or NULL
// where there simply is none of that name.
const cull_plugin *cull_registry_find(cull_registry *registry, cull_kind kind, const char *name);
const char *cull_registry_trouble(const cull_registry *registry);
cull_status cull_registry_status(const cull_registry *registry); // of that trouble
const char *cull_registry_nearest(cull_registry *registry, cull_kind kind, const char *name);

// Load whatever the folders hold; what cannot be loaded is logged as a warning, and counted.
cull_status cull_registry_load_all(cull_ctx *ctx, cull_registry *registry,
                                   size_t *bad) CULL_MUST_CHECK;

typedef struct cull_registered {
    const cull_plugin *plugin;
    const cull_loaded *from;
    bool shipped; // from Cull's own folder
} cull_registered;

// Those loaded so far, by kind, then name.
size_t cull_registry_count(const cull_registry *registry);
const cull_registered *cull_registry_at(const cull_registry *registry, size_t i);
const cull_registered *cull_registry_of(const cull_registry *registry, const cull_plugin *plugin);

// For content keys: the hash of the file that a plugin from elsewhere came from, "" for Cull's own,
// whose versions say when results change.
const char *cull_registry_foreign_hash(const cull_registry *registry, const cull_plugin *plugin);

#endif
