// A search over counts: how many experts go from each layer, or how many fewer serve a token, their
// sum fixed.
//
// A candidate is a vector (L) of such counts. Candidates come in generations; each is scored once.
// A sensitivity's are layers that are cut alone, with sums of their own, and then one that has the
// sum. What a generation proposes depends on the settings, the seed, the generation's number and
// the candidates that were scored before, and on nothing else, so that a search goes on where it
// was interrupted.
#ifndef CULL_FLOW_SEARCH_CANDIDATES_H
#define CULL_FLOW_SEARCH_CANDIDATES_H

#include "base/context.h"
#include "spec/search.h"

typedef struct cull_search_space {
    size_t L, total;      // that go, all layers together
    const size_t *most;   // (L) that may go of a layer; 0 where none may
    const double *weight; // (L) of a layer in an equal share: its experts
} cull_search_space;

typedef struct cull_candidates { // scored, in the order in which they were proposed
    size_t n, L;
    size_t *gone;       // (n, L)
    double *fitness;    // (n) higher is better; NAN: it could not be scored
    size_t *generation; // (n) from 0
} cull_candidates;

// Of generation `generation`, at most settings->population − survivors that stay. *gone: (n, L) in
// the context's alloc arena. n is 0 where the search has come to its end.
cull_status cull_propose(cull_ctx *ctx, const cull_search_settings *settings,
                         const cull_search_space *space, uint64_t seed, size_t generation,
                         const cull_candidates *scored, size_t *n, size_t **gone) CULL_MUST_CHECK;

// Adds n candidates of one generation. In the alloc arena.
cull_status cull_candidates_add(cull_ctx *ctx, cull_candidates *to, size_t generation, size_t n,
                                const size_t *gone, const double *fitness) CULL_MUST_CHECK;

// The fittest of those that go as far as the space says, the first of equals; SIZE_MAX where none
// could be scored.
size_t cull_fittest(const cull_search_space *space, const cull_candidates *scored);

// What a sensitivity measures: nothing gone, and each layer alone with one fewer, two fewer, …
size_t cull_single_cuts(const cull_search_space *space);

// `total` over the layers in proportion to `weight`, none above `most`: by largest remainder, ties
// to the lower layer. room: (L) doubles.
void cull_spread_counts(const cull_search_space *space, const double *weight, double *room,
                        size_t *gone);

#endif
