// What score and select see: read-only, valid until the call returns.
#ifndef CULL_VIEW_H
#define CULL_VIEW_H

#include <cull/cut.h>
#include <cull/scores.h>
#include <cull/stats.h>

typedef struct cull_view {
    uint32_t size;
    const cull_model_facts *model;
    const cull_layer_facts *layer; // (L), see cull_view_layer
    const cull_stats *stats;
    const cull_cut *before; // what the earlier stages of the method did
    // [call] A matrix as float32 (rows, cols), row-major, with the earlier stages' overlays applied;
    // lives as host->scratch. bias: NULL where there is none; the caller may pass NULL for it.
    cull_status (*weights)(cull_ctx *, const struct cull_view *, cull_matrix_id, const float **w,
                           size_t *rows, size_t *cols, const float **bias);
    void *core;
    // With CULL_BY_EXPERT (strategy.h), where select is called for some of a layer's experts: which, ascending.
    // NULL: for all of them; read it through cull_view_decides.
    const uint32_t *experts; // (n_experts)
    size_t n_experts;
} cull_view;

static inline const cull_layer_facts *cull_view_layer(const cull_view *view, size_t l)
{
    return (const cull_layer_facts *)((const char *)view->layer + l * view->layer->size);
}

// Is expert e of the layer one that this call of select decides about?
static inline bool cull_view_decides(const cull_view *view, size_t e)
{
    bool among = !CULL_KNOWS(cull_view, view, n_experts) || !view->experts;

    for (size_t i = 0; !among && i < view->n_experts; i++)
        among = view->experts[i] == e;
    return among;
}

// How much may go. The core owns the budget: it makes this from the experiment's sparsity and allocation,
// and measures the cut afterwards; a cut that removes more is refused, one that removes less by more than
// one unit (an expert; a weight per row) is reported.
enum cull_scope {
    CULL_SCOPE_LAYER,  // remove[l] from each layer
    CULL_SCOPE_GLOBAL, // `total` from all layers together, one ranking
};

typedef struct cull_budget {
    uint32_t size;
    uint32_t scope;        // cull_scope
    double sparsity;       // the fraction of what the stage finds that may go
    const size_t *remove;  // (L) experts, or layers as 0/1; SCOPE_LAYER
    size_t total;          // experts, or layers; SCOPE_GLOBAL
    const size_t *least;   // (L) fewest experts that a layer must keep
    const uint8_t *frozen; // (L) 1: may not be cut
    // Channels: parameters that may go, of the experts and of the parts that the strategy's parts_for adds.
    const double *params; // (L), SCOPE_LAYER
    double total_params;  // SCOPE_GLOBAL
} cull_budget;

#endif
