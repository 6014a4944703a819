// Exact losses of kept sets of a layer's experts.
//
// A token's output is Σ c_e y_e, with coefficients c by the router's rule over the kept experts.
// Keeping a set changes them by δ = c(set) − c(all), and the output by a squared error of δᵀ G δ,
// where G (E, E) holds the inner products of the token's expert outputs. δ has at most 2K entries,
// so a loss costs O(N·K²), whatever D is.
// Where the layer's inputs come from earlier layers that are already cut, its output differs from
// the target by some r even before, and the error is ‖Fᵀδ + r‖², F (E, D) the expert outputs.
#ifndef ENUMERATION_LOSSES_H
#define ENUMERATION_LOSSES_H

#include <cull/cull.h>

enum {
    BATCH = 2048,     // sets that are evaluated together
    BLOCK = 32,       // tokens of a block, whose sums are merged in order
    MOST_CHOSEN = 64, // experts per token
};

enum objective {
    OBJECTIVE_SQ,   // Σ_t ‖Δ_t‖²
    OBJECTIVE_PEER, // Σ over sequences of sqrt(Σ_t in it ‖Δ_t‖²)
    OBJECTIVE_REL,  // Σ_t ‖Δ_t‖² / ‖residual stream after the layer‖²
};

// How logits become coefficients: the K largest are chosen; each one's mass is exp z or σ(z),
// divided by the sum over the chosen (renormalise), or for exp by the sum over all kept; and
// scaled.
typedef struct rule {
    size_t K;
    bool sigmoid, renormalise;
    double scale;
} rule;

typedef struct losses {
    size_t N, E, A; // tokens, experts, experts that earlier stages left to the router
    rule rule;
    enum objective objective;
    const float *gram;    // (N, E, E)
    const double *weight; // (N)
    const float *cross;   // (N, E) F r, and
    const double *offset; // (N) ‖r‖², see above; or NULL
    uint16_t *order;      // (N, A) experts, largest logit first, ties to the lower index
    double *mass;         // (N, E) of the largest logit: 1 (exp); 0 for experts that are not left
    double *base;         // (N, K) coefficients of the first K of `order` when all A are kept
    size_t n_blocks;
    size_t *first;   // (n_blocks + 1) tokens; a block lies within one sequence
    uint32_t *group; // (n_blocks) the sequences that a block belongs to
    double *partial; // (n_blocks, BATCH)
    double *kept;    // (BATCH, E) sets as 0 and 1; NULL: the rule does not need them
} losses;

// What losses_init is told. `batch` sequences make a group of the objective peer.
typedef struct losses_of {
    size_t layer;
    const cull_layer_facts *facts;
    const cull_layer_cut *before; // earlier stages; NULL: none
    const cull_dense_sample *sample;
    enum objective objective;
    size_t batch;
} losses_of;

// Everything lives as alloc's memory, but for the sample's own arrays. ENOTSUP when the
// coefficients of the sample do not follow a rule as above.
cull_status losses_init(cull_ctx *ctx, losses *q, const losses_of *of);

// cull_subset_loss.eval; self is a losses *. Not reentrant.
cull_status losses_eval(cull_ctx *ctx, const void *self, size_t n, size_t words,
                        const uint64_t *sets, double *loss);

#endif
