// Work dealt out to processes that do it apart.
#ifndef CULL_ENGINE_DEAL_H
#define CULL_ENGINE_DEAL_H

#include "engine/engine.h"

// Which of n_hands processes answers each of n requests; the same wherever it is asked. What is
// scored is dealt by whole trees (forest.h), so that nothing shared is computed twice, the largest
// first to whoever has fewest tokens; what is generated prompt by prompt.
cull_status cull_requests_deal(cull_ctx *ctx, const cull_model_facts *facts, size_t n,
                               const cull_request *const *request, size_t n_hands,
                               uint32_t *hand) CULL_MUST_CHECK;

// Experts [first, end) of E are those of hand `hand` of n_hands: about as many to each, in their
// order; the first is the first hand's.
static inline size_t cull_experts_first(size_t E, size_t n_hands, size_t hand)
{
    return (E * hand + n_hands - 1) / n_hands;
}

static inline size_t cull_experts_end(size_t E, size_t n_hands, size_t hand)
{
    return cull_experts_first(E, n_hands, hand + 1);
}

// Layers with experts are dealt out in turn, one to each hand a round: whose layer l is; whether a
// round ends with it; and then the layer of the round that is hand `hand`'s, or L where it has
// none.
size_t cull_layer_hand(const cull_open_model *m, size_t l, size_t n_hands);
bool cull_round_ends(const cull_open_model *m, size_t l, size_t n_hands);
size_t cull_round_layer(const cull_open_model *m, size_t l, size_t n_hands, size_t hand);

#endif
