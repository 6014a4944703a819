// A cut: what a strategy decided, as data. Together with the base model it is a variant.
//
// A cut is complete: with the model it can be evaluated or exported without calibrating again. The core
// makes it empty (every expert BASE, nothing overlaid), or as an earlier stage left it, and a strategy
// changes what it wants.
#ifndef CULL_CUT_H
#define CULL_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cull/host.h>

// What becomes of an expert's slot. X(name, value, what it does)
#define CULL_ACTIONS(X)                                                                            \
    X(BASE, 0, "as it is, with its overlays")                                                      \
    X(DROP, 1, "gone: masked inside the router's own rule")                                        \
    X(ZERO, 2, "still chosen, contributes nothing")                                                \
    X(NOVICE, 3, "still chosen, contributes a constant")                                           \
    X(ALIAS, 4, "still chosen, served by another expert (a merge under an intact router)")

enum cull_action {
#define CULL_ACTION_ENUM(name, value, text) CULL_ACTION_##name = value,
    CULL_ACTIONS(CULL_ACTION_ENUM)
#undef CULL_ACTION_ENUM
};

// What else a strategy may emit, as bits for cull_strategy.emits: 1 << CULL_ACTION_*, and these.
enum {
    CULL_EMITS_MASK = 1 << 8,   // zeros in matrices
    CULL_EMITS_MATRIX = 1 << 9, // rewritten matrices
    CULL_EMITS_SKIP = 1 << 10,  // whole layers or MoE sub-layers
    CULL_EMITS_RULE = 1 << 11,  // a router rule, nothing removed
    CULL_EMITS_CHANNELS = 1 << 12, // hidden units of experts, shared and dense parts
    CULL_EMITS_LAYER = 1 << 13,    // with SKIP: whole layers, all that is in them
};

enum { CULL_MASK = 1, CULL_MATRIX = 2, CULL_CHANNELS = 3, CULL_BIAS = 4 };

// A change to one matrix. MASK: bits, row-major, least significant first, each row begins a new byte,
// 1 = kept. MATRIX: (rows, cols) float32 in its place; where both are given the mask applies to the matrix.
// CHANNELS, of a down matrix with F columns: (1, F) bits as a mask's; a channel that is not kept is zero: its
// row of gate and of up, their biases, and its column of down. BIAS, of a down matrix with D rows: (1, D)
// float32 that are added to what it yields, before any gate.
typedef struct cull_overlay {
    uint32_t size;
    uint32_t kind;
    cull_matrix_id where;
    size_t rows, cols;
    const void *data;
} cull_overlay;

typedef struct cull_layer_cut {
    uint32_t size;
    size_t E;
    uint8_t *action;   // (E) cull_action
    uint32_t *target;  // (E) for ALIAS: the expert that serves; else the expert itself
    float *constant;   // (E, D) for NOVICE
    bool skip_layer;   // the whole layer is passed over
    bool skip_moe;     // only its MoE sub-layer
    size_t k;          // experts per token, 0: as the model has it
    double skip_ratio; // a pick whose gate is below skip_ratio × the first pick's is dropped; 0: none
    double top_p;      // the fewest picks whose unbiased probabilities, over all experts, reach it; 0: k
} cull_layer_cut;

typedef struct cull_cut {
    uint32_t size;
    size_t L, D;
    cull_layer_cut *layer; // (L), see cull_cut_layer
    size_t n_overlays;
    const cull_overlay *overlay; // added through host->overlay; see cull_overlay_at
} cull_cut;

static inline cull_layer_cut *cull_cut_layer(const cull_cut *cut, size_t l)
{
    return (cull_layer_cut *)((char *)cut->layer + l * cut->layer->size);
}

static inline const cull_overlay *cull_overlay_at(const cull_cut *cut, size_t i)
{
    return (const cull_overlay *)((const char *)cut->overlay + i * cut->overlay->size);
}

#endif
