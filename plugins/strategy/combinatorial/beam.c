// Subsets by beam search.
#include <math.h>
#include <stdlib.h>

#include "search.h"

typedef struct level {
    size_t n;       // sets
    uint64_t *sets; // (n, words), best first
    double *loss;   // (n)
} level;

typedef struct ranked {
    double loss;
    size_t at;
} ranked;

static int by_loss(const void *a, const void *b)
{
    const ranked *x = a;
    const ranked *y = b;

    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

// Room for the children of a level, and for their order.
typedef struct children {
    size_t n;
    uint64_t *sets;
    double *loss;
    ranked *order;
} children;

static cull_status make_room(const search *s, size_t n, children *c)
{
    const cull_host *host = s->ctx->host;

    c->sets = host->scratch(s->ctx, n * s->words, sizeof *c->sets);
    c->loss = host->scratch(s->ctx, n, sizeof *c->loss);
    c->order = host->scratch(s->ctx, n, sizeof *c->order);
    return c->sets && c->loss && c->order ? CULL_OK : CULL_ENOMEM;
}

// Does an earlier parent of the level, which differs from `parent` in one expert, reach parent − e
// as well?
static bool reached_before(const search *s, const level *from, size_t parent, size_t e)
{
    const uint64_t *mine = from->sets + parent * s->words;

    for (size_t p = 0; p < parent; p++) {
        const uint64_t *other = from->sets + p * s->words;
        size_t others = 0; // experts of `mine` but e that `other` lacks
        for (size_t i = 0; i < s->n && others == 0; i++) {
            const size_t c = s->candidate[i];
            others += c != e && set_has(mine, c) && !set_has(other, c);
        }
        if (others == 0)
            return true;
    }
    return false;
}

// Every set of the level with one candidate less, each once.
static void expand(const search *s, const level *from, children *c)
{
    c->n = 0;
    for (size_t p = 0; p < from->n; p++) {
        for (size_t i = 0; i < s->n; i++) {
            const size_t e = s->candidate[i];
            const uint64_t *parent = from->sets + p * s->words;
            if (!set_has(parent, e) || reached_before(s, from, p, e))
                continue;
            uint64_t *child = c->sets + c->n++ * s->words;
            set_copy(s, child, parent);
            set_remove(child, e);
        }
    }
}

// The best `width` of the children become the level.
static void narrow(const search *s, children *c, size_t width, level *to)
{
    for (size_t i = 0; i < c->n; i++)
        c->order[i] = (ranked){ c->loss[i], i };
    qsort(c->order, c->n, sizeof *c->order, by_loss);
    to->n = c->n < width ? c->n : width;
    for (size_t i = 0; i < to->n; i++) {
        set_copy(s, to->sets + i * s->words, c->sets + c->order[i].at * s->words);
        to->loss[i] = c->order[i].loss;
    }
}

// All exchanges of a kept candidate and a dropped one.
static void exchanges(const search *s, const uint64_t *set, children *c)
{
    c->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!set_has(set, s->candidate[i]))
            continue;
        for (size_t j = 0; j < s->n; j++) {
            if (set_has(set, s->candidate[j]))
                continue;
            uint64_t *child = c->sets + c->n++ * s->words;
            set_copy(s, child, set);
            set_remove(child, s->candidate[i]);
            set_add(child, s->candidate[j]);
        }
    }
}

static cull_status improve(const search *s, size_t swaps, children *c, found *out)
{
    for (size_t round = 0; round < swaps; round++) {
        exchanges(s, out->set, c);
        const cull_status status = search_eval(s, c->n, c->sets, c->loss);
        if (status != CULL_OK)
            return status;
        out->evaluated += (double)c->n;
        size_t best = 0;
        for (size_t i = 1; i < c->n; i++)
            if (c->loss[i] < c->loss[best])
                best = i;
        if (c->n == 0 || c->loss[best] >= out->loss)
            break;
        out->loss = c->loss[best];
        set_copy(s, out->set, c->sets + best * s->words);
    }
    return CULL_OK;
}

cull_status search_beam(const search *s, size_t width, size_t swaps, found *out)
{
    const cull_host *host = s->ctx->host;
    const size_t dropped = s->n - s->keep;
    const size_t pairs = swaps > 0 ? s->keep * dropped : 0;
    level at = { .n = 1,
                 .sets = host->scratch(s->ctx, width * s->words, sizeof *at.sets),
                 .loss = host->scratch(s->ctx, width, sizeof *at.loss) };
    children next;

    if (!at.sets || !at.loss)
        return CULL_ENOMEM;
    cull_status status = make_room(s, width * s->n > pairs ? width * s->n : pairs, &next);
    if (status != CULL_OK)
        return status;

    set_copy(s, at.sets, s->always);
    for (size_t i = 0; i < s->n; i++)
        set_add(at.sets, s->candidate[i]);
    out->evaluated = 0;
    for (size_t step = 0; step < dropped; step++) {
        expand(s, &at, &next);
        status = search_eval(s, next.n, next.sets, next.loss);
        if (status != CULL_OK)
            return status;
        out->evaluated += (double)next.n;
        narrow(s, &next, width, &at);
        if (!host->progress(s->ctx, (double)(step + 1), (double)dropped))
            return host->fail(s->ctx, CULL_ECANCELED, "the search was interrupted");
    }
    set_copy(s, out->set, at.sets);
    out->loss = at.loss[0];
    return improve(s, swaps, &next, out);
}
