// A model that a backend has opened.
#ifndef CULL_PLUGIN_OPEN_MODEL_H
#define CULL_PLUGIN_OPEN_MODEL_H

#include <cull/backend.h>

// Whoever is given one borrows it.
typedef struct cull_open_model {
    const cull_backend *backend;
    cull_model *model;
    const cull_model_facts *facts;
} cull_open_model;

static inline const cull_layer_facts *cull_layer_of(const cull_open_model *m, size_t l)
{
    return m->backend->layer_facts(m->model, l);
}

#endif
