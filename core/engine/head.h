// The head: log-probabilities of asked targets, arg-max, and divergence from the dense model.
#ifndef CULL_ENGINE_HEAD_H
#define CULL_ENGINE_HEAD_H

#include "engine/forest.h"
#include "engine/run.h"

// One scored position of a request: the row whose logits predict the target.
typedef struct cull_query {
    size_t row;
    int32_t target;
    uint32_t request;
    uint32_t at; // among the request's targets
} cull_query;

typedef struct cull_logprob { // the answer to one query
    float ll;                 // log p(target)
    bool argmax;              // the target is the (first) arg-max
    float kl;                 // Σ p_dense (log p_dense − log p), where asked
    bool top1;                // same arg-max as dense
    double overlap;           // Σ min(p_dense, p), where asked
} cull_logprob;

// Queries sorted by row, against n_streams hidden states h[s] (rows, D), the last layer's output.
// score[s] has one entry a query. `dense` is the stream that is the dense model (SIZE_MAX: none; no
// divergence then).
cull_status cull_head_scores(cull_run *run, size_t n, const cull_query *query, size_t n_streams,
                             const float *const *h, size_t dense,
                             cull_logprob *const *score) CULL_MUST_CHECK;

// Full logits (n, V) of n rows of h.
cull_status cull_head_logits(cull_run *run, size_t n, const float *h,
                             float *logits) CULL_MUST_CHECK;

// The arg-max of each of n rows of h, the first of equals, after `bend` (or NULL) has changed the
// row's V logits.
cull_status cull_head_argmax(cull_run *run, size_t n, const float *h,
                             void (*bend)(void *arg, size_t row, float *logits), void *arg,
                             int32_t *best) CULL_MUST_CHECK;

#endif
