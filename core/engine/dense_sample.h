// What the dense subsample gives (dense-sample, dense-mean, dense-gated, dense-channels): every
// expert's output for some of the tokens, routed or not.
#ifndef CULL_ENGINE_DENSE_SAMPLE_H
#define CULL_ENGINE_DENSE_SAMPLE_H

#include "engine/forest.h"
#include "engine/observe.h"

typedef struct cull_sampler {
    cull_stats_pass *g;
    const uint8_t *chosen;    // (all rows of the pass) 1: in the subsample
    const uint32_t *group;    // (all rows) ordinal of the row's sequence
    size_t N;                 // rows in the subsample
    size_t n_done, n_weighed; // of them, so far, in the layer in hand
    cull_dense_sample sample; // of the layer in hand, arrays from cull_alloc
    uint32_t want;            // those of CULL_STATS_DENSE that are gathered
    const float *target;      // J: (N, D) routed outputs to compare with; NULL: the layer's own
} cull_sampler;

cull_status cull_sampler_begin(cull_sampler *s) CULL_MUST_CHECK; // a layer
// The rows of a lane; once before `after` (moe), once after it.
cull_status cull_sampler_add(cull_sampler *s, const cull_lane *lane) CULL_MUST_CHECK;
void cull_sampler_weigh(cull_sampler *s, const cull_lane *lane);
// Where other processes own other slices: the layer's sample becomes that of all, in the process
// that completes the statistics, or with `rounds` in the one that decides about the layer.
cull_status cull_sampler_share(cull_sampler *s) CULL_MUST_CHECK;
void cull_sampler_finish(cull_sampler *s);
void cull_sampler_release(cull_sampler *s);
void cull_dense_sample_release(cull_dense_sample *sample);

#endif
