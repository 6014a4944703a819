// A model that a backend has opened.
#ifndef CULL_PLUGIN_OPEN_MODEL_H
#define CULL_PLUGIN_OPEN_MODEL_H

#include <cull/abi.h>
#include <cull/backend.h>

// Whoever is given one borrows it.
typedef struct cull_open_model {
    const cull_backend *backend;
    cull_model *model;
    const cull_model_facts *facts;        // as this Cull knows them
    const cull_layer_facts *const *layer; // (L) likewise
    const cull_plugin *plugin;            // whose vtable `backend` is; NULL: it is not named
} cull_open_model;

// Fills facts and layer of a model that is open: what a backend that was built earlier does not
// know of is zero. Memory is the context's alloc arena.
cull_status cull_open_model_look(cull_ctx *ctx, cull_open_model *m) CULL_MUST_CHECK;

static inline const cull_layer_facts *cull_layer_of(const cull_open_model *m, size_t l)
{
    return m->layer[l];
}

// Let the pages of layer l's weights go, or those of all weights, where the backend can. [any]
void cull_open_model_release(const cull_open_model *m, size_t l);
void cull_open_model_release_all(const cull_open_model *m);
// Can it let go of what stands outside the layers?
bool cull_open_model_releases_all(const cull_open_model *m);

#endif
