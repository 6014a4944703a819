// Trees of requests and prompts, the largest first, to the hand that has least; layers in turn.
#include "engine/deal.h"

#include <stdlib.h>

#include "engine/forest.h"

typedef struct load { // a tree, or a prompt
    size_t tokens, index;
} load;

static int largest_first(const void *a, const void *b)
{
    const load *x = a, *y = b;

    if (x->tokens != y->tokens)
        return x->tokens > y->tokens ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

// to: (n) by the loads' indices. held: (n_hands) tokens so far.
static void deal(size_t n, load *loads, size_t n_hands, uint64_t *held, uint32_t *to)
{
    qsort(loads, n, sizeof *loads, largest_first);
    for (size_t i = 0; i < n; i++) {
        size_t least = 0;
        for (size_t h = 1; h < n_hands; h++)
            if (held[h] < held[least])
                least = h;
        held[least] += loads[i].tokens;
        to[loads[i].index] = (uint32_t)least;
    }
}

static size_t tree_of(const cull_forest *f, size_t segment)
{
    size_t lo = 0, hi = f->n_trees;

    while (hi - lo > 1) {
        const size_t middle = lo + (hi - lo) / 2;
        if (f->tree[middle].first_segment <= segment)
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

typedef struct scored { // the requests that are scored
    size_t n;
    cull_ids *ids;
    size_t *which, *end; // of the requests; their last segments
} scored;

static cull_status deal_trees(cull_ctx *ctx, const cull_model_facts *facts, const scored *s,
                              size_t n_hands, uint64_t *held, uint32_t *hand)
{
    cull_forest f;

    CULL_TRY(cull_forest_build(ctx, s->n, s->ids, true, facts->rope_switch, &f, s->end));
    load *loads = cull_scratch(ctx, f.n_trees + 1, sizeof *loads);
    uint32_t *to = cull_scratch(ctx, f.n_trees + 1, sizeof *to);
    if (!loads || !to)
        return CULL_ENOMEM;
    for (size_t t = 0; t < f.n_trees; t++)
        loads[t] = (load){ f.tree[t].n_rows, t };
    deal(f.n_trees, loads, n_hands, held, to);
    for (size_t i = 0; i < s->n; i++)
        hand[s->which[i]] = to[tree_of(&f, s->end[i])];
    return CULL_OK;
}

cull_status cull_requests_deal(cull_ctx *ctx, const cull_model_facts *facts, size_t n,
                               const cull_request *const *request, size_t n_hands, uint32_t *hand)
{
    scored s = { .ids = cull_scratch(ctx, n + 1, sizeof *s.ids),
                 .which = cull_scratch(ctx, n + 1, sizeof *s.which),
                 .end = cull_scratch(ctx, n + 1, sizeof *s.end) };
    load *prompts = cull_scratch(ctx, n + 1, sizeof *prompts);
    uint64_t *held = cull_scratch(ctx, n_hands, sizeof *held);
    uint64_t *generated = cull_scratch(ctx, n_hands, sizeof *generated);
    size_t n_prompts = 0;

    if (!s.ids || !s.which || !s.end || !prompts || !held || !generated)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (request[i]->kind != CULL_SCORE) {
            prompts[n_prompts++] = (load){ request[i]->n + request[i]->max_new, i };
        } else if (request[i]->n > 1) {
            s.ids[s.n] = (cull_ids){ request[i]->ids, request[i]->n - 1 };
            s.which[s.n++] = i;
        }
    }
    CULL_TRY(deal_trees(ctx, facts, &s, n_hands, held, hand));
    deal(n_prompts, prompts, n_hands, generated, hand);
    return CULL_OK;
}

// ---- layers ----

size_t cull_layer_hand(const cull_open_model *m, size_t l, size_t n_hands)
{
    size_t before = 0;

    for (size_t i = 0; i < l; i++)
        before += cull_layer_of(m, i)->E > 0;
    return before % n_hands;
}

bool cull_round_ends(const cull_open_model *m, size_t l, size_t n_hands)
{
    bool last = true;

    for (size_t i = l + 1; i < m->facts->L; i++)
        last = last && cull_layer_of(m, i)->E == 0;
    return cull_layer_of(m, l)->E > 0 && (last || cull_layer_hand(m, l, n_hands) + 1 == n_hands);
}

size_t cull_round_layer(const cull_open_model *m, size_t l, size_t n_hands, size_t hand)
{
    size_t at = cull_layer_hand(m, l, n_hands);

    if (hand > at)
        return m->facts->L;
    for (; at > hand; at--)
        do
            l--;
        while (cull_layer_of(m, l)->E == 0);
    return l;
}
