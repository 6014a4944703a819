// A strategy turns scores and a budget into a cut.
#ifndef CULL_STRATEGY_H
#define CULL_STRATEGY_H

#include <cull/criterion.h>

enum {
    // CULL_USES_SEED = 1u (criterion.h)
    CULL_NO_BUDGET = 2u, // takes no sparsity: a runtime rule, or a cut that is given whole
    CULL_BY_LAYER = 4u,  // select is called once per layer, inside the visit where it must be
    CULL_EITHER_WAY = 8u, // select is called for all layers at once, or, where cuts propagate, layer by layer
    // With CULL_BY_LAYER: what becomes of an expert hangs on no decision about another, so that select may be called
    // several times for a layer, in several processes, each time for some of its experts (cull_view_decides), which it
    // decides about in ascending order. Of the layer's Hessians those of these experts alone are then there, of other
    // layers none.
    CULL_BY_EXPERT = 16u,
    // With CULL_BY_LAYER or CULL_EITHER_WAY: what becomes of a layer hangs on no decision about another, so that, where
    // cuts do not propagate, layers may be decided about in several processes and in any order. Then `out` has of other
    // layers what earlier stages left, or what was decided meanwhile, and of their statistics there may be none.
    CULL_LAYERS_APART = 32u,
    // What its rule leaves running shows only when it runs: the calibration rows, where there are any, are counted on
    // the model as it is cut.
    CULL_COUNTED = 64u,
};

// What select has to do in a layer, for a plan's time; see `work` below.
typedef struct cull_work {
    uint32_t size;
    size_t left, remove;  // experts that earlier stages leave, and of them those that may go
    double tokens, dense; // of the calibration, and of its subsample
    // To be filled: multiply-adds × 2 of products in float64, of all threads, and of one alone; numbers that are
    // compared and moved, as in sorting, where n of them take n log2 n
    double products, alone, steps;
} cull_work;

typedef struct cull_strategy {
    uint32_t size;
    uint32_t accepts; // CULL_FORM_* bits
    uint32_t emits;   // 1 << CULL_ACTION_* and CULL_EMITS_*
    uint32_t needs;   // CULL_STAT_*, of the strategy itself
    uint32_t flags;
    uint32_t (*needs_for)(const void *settings); // (optional)
    uint32_t (*emits_for)(const void *settings); // (optional)
    // `layer` is CULL_ALL_LAYERS, or the layer to decide with CULL_BY_LAYER. `scores` has the form that
    // the stage's criterion yields; for WEIGHT the strategy asks for them matrix by matrix (cull_weight_scores_ext).
    cull_status (*select)(cull_ctx *, const void *settings, const cull_view *, const cull_scores *,
                          const cull_budget *, size_t layer, cull_cut *out);
    // (optional, CULL_BY_LAYER) each layer's own sparsity (L), from what is known of all layers, before any
    // layer is decided; without it every layer has the budget's.
    cull_status (*spread)(cull_ctx *, const void *settings, const cull_view *, const cull_scores *,
                          const cull_budget *, double *sparsity);
    // (optional) Refuses what settings and a model's facts already rule out; asked while planning. The view has
    // model and layers, and `before` where the earlier stages' cut is known by then, else NULL; neither
    // statistics nor weights. Of the budget only `frozen` and `scope` are set, and, of a first stage whose share is
    // known by then, `sparsity`, else 0. `out` begins as a copy of `before`, or empty; what of the cut is known
    // without calibrating is left in it for the stages to come.
    cull_status (*fits)(cull_ctx *, const void *settings, const cull_view *, const cull_budget *,
                        cull_cut *out);
    // (optional) About how many experts' matrices are rewritten in a layer where `left` of E stay: for the plan's
    // memory. Without it, where CULL_EMITS_MATRIX is emitted, those of all that stay.
    double (*rewrites)(const void *settings, size_t E, size_t left);
    // (optional) Which parts beside the routed experts give up channels too, so that their parameters are in the
    // budget: bits of CULL_PART_SHARED_DOWN and CULL_PART_DENSE_DOWN.
    uint64_t (*parts_for)(const void *settings);
    // (optional, with CULL_NO_BUDGET) Do these settings leave it to a budget of active parameters how many experts
    // serve a token? Then select sees, with SCOPE_GLOBAL, total_params, the fewest parameters that no longer run
    // for a token, or, with SCOPE_LAYER, remove[l], the experts that a token of layer l loses. `fits` sees neither.
    bool (*picks_for)(const void *settings);
    // (optional) About what select computes in a layer, which is 0 to begin with.
    void (*work)(const void *settings, const cull_model_facts *, const cull_layer_facts *, cull_work *);
} cull_strategy;

// Scores of the weights of one matrix, from the stage's criterion (WEIGHT), w and out (rows, cols).
#define CULL_EXT_WEIGHT_SCORES "cull.weight-scores/1"
typedef struct cull_weight_scores_ext {
    uint32_t size;
    cull_status (*of)(cull_ctx *, const cull_view *, cull_matrix_id where, size_t rows, size_t cols,
                      const float *w, float *out);
} cull_weight_scores_ext;

#endif
