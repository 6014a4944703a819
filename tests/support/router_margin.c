// A trace of one sequence, searched for the nearest tie of a router.
#include "support/router_margin.h"

#include <math.h>

#include "support/test.h"

static void *take(fake_host *host, size_t n, size_t size)
{
    void *p = cull_take(fake_ctx(host), n, size);

    assert_non_null(p);
    return p;
}

static bool dropped(const cull_cut *cut, size_t l, size_t e)
{
    return cut && cut->layer[l].action[e] == CULL_ACTION_DROP;
}

// One token's: z (E) logits, index (K) chosen.
static void look(const cull_cut *cut, size_t l, size_t t, const cull_layer_facts *f, const float *z,
                 const int32_t *index, router_margin *least)
{
    double top = -INFINITY, bottom = INFINITY, last = INFINITY, first = -INFINITY;
    router_margin here = { .layer = l, .token = t };

    for (size_t e = 0; e < f->E; e++) {
        bool chosen = false;
        for (size_t k = 0; k < f->K; k++)
            chosen = chosen || index[k] == (int32_t)e;
        top = fmax(top, (double)z[e]);
        bottom = fmin(bottom, (double)z[e]);
        if (chosen && (double)z[e] < last) {
            last = (double)z[e];
            here.chosen = e;
        }
        if (!chosen && !dropped(cut, l, e) && (double)z[e] > first) {
            first = (double)z[e];
            here.other = e;
        }
    }
    here.margin = fabs(last - first) / (top - bottom);
    if (here.margin < least->margin)
        *least = here;
}

router_margin least_router_margin(fake_host *host, const cull_open_model *m, const cull_cut *cut,
                                  size_t n, const int32_t *ids)
{
    const size_t L = m->facts->L;
    cull_trace t = { .n_seq = 1, .len = n, .ids = ids };
    router_margin least = { .margin = INFINITY };

    t.router_logits = take(host, L, sizeof *t.router_logits);
    t.router_index = take(host, L, sizeof *t.router_index);
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *f = cull_layer_of(m, l);
        t.router_logits[l] = f->E ? take(host, n * f->E, sizeof(float)) : NULL;
        t.router_index[l] = f->E ? take(host, n * f->K, sizeof(int32_t)) : NULL;
    }
    assert_ok(host, cull_trace_pass(fake_ctx(host), m, NULL, cut, &t));
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *f = cull_layer_of(m, l);
        for (size_t i = 0; f->E && i < n; i++)
            look(cut, l, i, f, t.router_logits[l] + i * f->E, t.router_index[l] + i * f->K, &least);
    }
    return least;
}
