// Random cuts for variants to be timed.
#ifndef BENCH_CUT_H
#define BENCH_CUT_H

#include "base/rng.h"
#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/test.h"

// Half of each layer's experts, at random.
static inline cull_cut *bench_cut(fake_host *host, const cull_open_model *m, cull_rng *rng)
{
    size_t E[256];

    for (size_t l = 0; l < m->facts->L; l++)
        E[l] = cull_layer_of(m, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(host), m->facts->L, m->facts->D, E);
    assert_non_null(cut);
    for (size_t l = 0; l < m->facts->L; l++)
        for (size_t left = E[l] / 2; left;) {
            const size_t e = (size_t)cull_rng_below(rng, E[l]);
            left -= cut->layer[l].action[e] == CULL_ACTION_BASE;
            cut->layer[l].action[e] = CULL_ACTION_DROP;
        }
    return cut;
}

#endif
