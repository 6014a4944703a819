// A small made-up model with calibration data, for testing plugins without a checkpoint (`cull
// check`).
//
// Three layers, the middle one dense, with different numbers of experts. Activations, router logits
// and expert outputs are random; the statistics are computed from them by their definitions
// (cull/stats.h), so they fit together. With `permuted` the experts of each layer stand in another
// order and everything else is the same: expert e is expert cull_synthetic_twin(E, e) of the plain
// model.
#ifndef CULL_CHECK_SYNTHETIC_H
#define CULL_CHECK_SYNTHETIC_H

#include <cull/cull.h>

#include "base/context.h"

enum { CULL_SYNTHETIC_LAYERS = 3 };

typedef struct cull_synthetic_layer {
    // One row per token: N of them. u is the input of an expert's down projection.
    float *x, *r, *moe; // (N, D)
    float *y;           // (N, E, D) every expert's output
    float *u;           // (N, E, F)
    float *logits, *p;  // (N, E)
    float *gate_of;     // (N, E) 0 where not chosen
    int32_t *index;     // (N, K)
    float *gate;        // (N, K)
    double *observed;   // of the observer, NULL without one
} cull_synthetic_layer;

// What models may be like, beside the plain one: each is a case in which methods go wrong.
typedef struct cull_synthetic_shape {
    const char *name; // "a made-up model", "… with experts that no token reaches"
    size_t E[CULL_SYNTHETIC_LAYERS], K;
    size_t n_group, topk_group;
    bool starved; // the last expert of each layer is never chosen
    bool twins;   // experts 0 and 1 of each layer are the same in all
} cull_synthetic_shape;

enum { CULL_SYNTHETIC_SHAPES = 6 };
extern const cull_synthetic_shape
    cull_synthetic_shapes[CULL_SYNTHETIC_SHAPES]; // the plain one first

typedef struct cull_synthetic {
    const cull_synthetic_shape *shape;
    cull_view view;
    cull_model_facts facts;
    cull_layer_facts layer[CULL_SYNTHETIC_LAYERS];
    cull_stats stats;
    cull_layer_stats layer_stats[CULL_SYNTHETIC_LAYERS];
    cull_dense_sample dense[CULL_SYNTHETIC_LAYERS];
    cull_synthetic_layer rows[CULL_SYNTHETIC_LAYERS];
    size_t N;
    bool permuted;
} cull_synthetic;

// Only the groups asked for are filled. All in the context's alloc arena; the context's `extension`
// is set to serve the plugin's observer and scores of weights.
cull_status cull_synthetic_new(cull_ctx *ctx, uint32_t groups, bool permuted,
                               cull_synthetic **out) CULL_MUST_CHECK;
// The same of another shape than the plain one.
cull_status cull_synthetic_shaped(cull_ctx *ctx, const cull_synthetic_shape *shape, uint32_t groups,
                                  bool permuted, cull_synthetic **out) CULL_MUST_CHECK;
size_t cull_synthetic_twin(size_t E, size_t e);

// Feed a plugin's own statistic with the rows.
cull_status cull_synthetic_observe(cull_ctx *ctx, cull_synthetic *world,
                                   const cull_observer *observer,
                                   const void *settings) CULL_MUST_CHECK;

// Of synthetic_stats.c: fill layer_stats and stats from the rows.
cull_status cull_synthetic_count(cull_ctx *ctx, cull_synthetic *world,
                                 uint32_t groups) CULL_MUST_CHECK;

#endif
