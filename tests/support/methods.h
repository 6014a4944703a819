// Golden statistics and scores of the expert methods on an embedded model, and what their tests
// share.
#ifndef CULL_TESTS_METHODS_H
#define CULL_TESTS_METHODS_H

#include "support/tinyworld.h"

// Both embedded models with their statistics, on a host of their own.
fake_host *methods_open(tinyworld *worlds[2]);
void methods_close(fake_host *host, tinyworld *worlds[2]);

// Adds to a world its golden statistics of experts and layers (of gate-ratio none are golden).
void methods_stats(tinyworld *world);

// Scores of a form, zeroed, in the host's alloc memory.
cull_scores *methods_scores(tinyworld *world, uint32_t form);

// Scores of criterion `name` under settings given as "name=value" words, NULL-terminated (or NULL).
cull_scores *methods_score(tinyworld *world, const char *name, const char *const *settings);

// A plugin of the build tree and its settings from such words.
typedef struct methods_plugin {
    const cull_plugin *plugin;
    const void *vtable;
    void *settings;
} methods_plugin;
methods_plugin methods_load(tinyworld *world, const char *kind, const char *name,
                            const char *const *settings);

// A budget: `n` from every layer, or from all together; no layer below `least`.
cull_budget *methods_budget(tinyworld *world, uint32_t scope, size_t n, size_t least);

// Selects with strategy `name`; the cut is empty before.
cull_cut *methods_select(tinyworld *world, const char *name, const char *const *settings,
                         const cull_scores *scores, const cull_budget *budget);

size_t methods_kept(const cull_layer_cut *layer, int32_t *kept); // the experts with action BASE
// The experts with action BASE are those of the golden "…layer.N.kept" of `variant`, and all others
// have `action`.
void methods_assert_kept(tinyworld *world, golden *eval, const char *variant, const cull_cut *cut,
                         uint8_t action);

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
