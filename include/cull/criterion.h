// A criterion turns statistics and weights into scores.
#ifndef CULL_CRITERION_H
#define CULL_CRITERION_H

#include <cull/view.h>

// A statistic of a plugin's own, gathered while calibrating. Its accumulator is a flat array of doubles per
// layer, zero to begin with, so that the core can keep, merge, save and load it. Both add functions are
// called from any thread with an accumulator that no other thread uses; they must not keep pointers. Rows
// come one at a time, in the order of the sequences (an expert's, for add_expert), so that no grouping of
// them shows in the sums.
typedef struct cull_routed_rows { // n rows of one layer, after the MoE sub-layer
    uint32_t size;
    size_t layer, n, D, E, K;
    const float *x;      // (n, D) input of router and experts
    const float *r;      // (n, D) residual entering the sub-layer
    const float *moe;    // (n, D) its routed output
    const float *logits; // (n, E)
    const float *p;      // (n, E) unbiased probabilities
    const int32_t *index; // (n, K) chosen experts, −1 where fewer
    const float *gate;    // (n, K)
} cull_routed_rows;

typedef struct cull_expert_rows { // the n rows that are routed to one expert
    uint32_t size;
    size_t layer, expert, n, D;
    const float *x;    // (n, D)
    const float *gate; // (n)
    const float *y;    // (n, D) its output, unweighted
} cull_expert_rows;

typedef struct cull_observer {
    uint32_t size;
    size_t (*doubles)(const void *settings, const cull_layer_facts *); // length of the accumulator
    void (*add_rows)(const void *settings, const cull_routed_rows *, double *acc);   // (optional)
    void (*add_expert)(const void *settings, const cull_expert_rows *, double *acc); // (optional)
    // (optional) acc += other; without it the arrays are added
    void (*merge)(const void *settings, const cull_layer_facts *, double *acc, const double *other);
} cull_observer;

enum {
    CULL_USES_SEED = 1u, // draws random numbers: trials that differ in the seed differ
};

typedef struct cull_criterion {
    uint32_t size;
    uint32_t form;  // CULL_FORM_*
    uint32_t needs; // CULL_STAT_*: what calibration must gather
    uint32_t flags;
    // (optional) the needs that these settings really have
    uint32_t (*needs_for)(const void *settings);
    // LAYER, EXPERT, PAIR: fill out's arrays, sized by the core. An expert without tokens gets a score by
    // the criterion's own rule, and the core reports it.
    // SUBSET: set out->subset for layer `layer` (self may point to host->alloc memory).
    // CHANNEL, PAIR: likewise, but where `layer` is one, what is asked for is that layer's alone.
    cull_status (*score)(cull_ctx *, const void *settings, const cull_view *, size_t layer,
                         cull_scores *out);
    // WEIGHT: the score of each weight of matrix `where`, w (rows, cols), out (rows, cols).
    cull_status (*score_weights)(cull_ctx *, const void *settings, const cull_view *, cull_matrix_id where,
                                 size_t rows, size_t cols, const float *w, float *out);
    const cull_observer *observer; // (optional)
    // (optional) the form that these settings really yield, one of CULL_FORM_*
    uint32_t (*form_for)(const void *settings);
    // (optional) Refuses what settings and a model's facts already rule out, such as a file that is missing or of
    // another shape; asked while planning, for each stage. The view has model and layers; neither statistics nor
    // weights, nor what earlier stages cut.
    cull_status (*fits)(cull_ctx *, const void *settings, const cull_view *);
} cull_criterion;

// score() is called once with layer = CULL_ALL_LAYERS for LAYER and EXPERT, and once per MoE layer for
// SUBSET; for CHANNEL and PAIR either way (strategy.h, CULL_EITHER_WAY). A criterion's own statistic is reached through
//     const double *acc = cull_observed(ctx, view, layer);
#define CULL_ALL_LAYERS SIZE_MAX

#define CULL_EXT_OBSERVED "cull.observed/1"
typedef struct cull_observed_ext {
    uint32_t size;
    const double *(*layer)(cull_ctx *, const cull_view *, size_t layer);
} cull_observed_ext;

static inline const double *cull_observed(cull_ctx *ctx, const cull_view *view, size_t layer)
{
    const cull_observed_ext *ext =
        (const cull_observed_ext *)ctx->host->extension(ctx, CULL_EXT_OBSERVED);
    return ext ? ext->layer(ctx, view, layer) : NULL;
}

#endif
