// Which counts per layer a search tries next: patterns first, then what became of the best.
//
// Evolution as EvoESAP's authors have it (arXiv 2603.06003); greedy exchange beside it, and the sum
// of what single layers lose, after LExI (arXiv 2509.02753).
#include "flow/search/candidates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/whole.h"

enum { ATTEMPTS = 32 }; // at a move, and at a candidate that is new

// ---- counts in proportion ----

// Layers whose share would be above what may go have all of that, and the others share the rest.
static void fill_up(const cull_search_space *space, const double *weight, double *share)
{
    double rest = (double)space->total, sum = 0;
    bool full = true;

    for (size_t l = 0; l < space->L; l++)
        share[l] = space->most[l] > 0 ? -1 : 0; // not settled yet
    while (full) {
        sum = 0;
        full = false;
        for (size_t l = 0; l < space->L; l++)
            sum += share[l] < 0 ? weight[l] : 0;
        const double now = rest;
        for (size_t l = 0; l < space->L; l++)
            if (share[l] < 0 && now * weight[l] >= sum * (double)space->most[l]) {
                share[l] = (double)space->most[l];
                rest -= share[l];
                full = true;
            }
    }
    for (size_t l = 0; l < space->L; l++)
        if (share[l] < 0)
            share[l] = sum > 0 ? rest * weight[l] / sum : 0;
}

void cull_spread_counts(const cull_search_space *space, const double *weight, double *room,
                        size_t *gone)
{
    size_t left = space->total;

    fill_up(space, weight, room);
    for (size_t l = 0; l < space->L; l++) {
        gone[l] = (size_t)cull_whole(room[l]);
        gone[l] = gone[l] < space->most[l] ? gone[l] : space->most[l];
        gone[l] = gone[l] < left ? gone[l] : left;
        left -= gone[l];
    }
    while (left > 0) {
        size_t best = SIZE_MAX;
        for (size_t l = 0; l < space->L; l++)
            if (gone[l] < space->most[l] &&
                (best == SIZE_MAX || room[l] - (double)gone[l] > room[best] - (double)gone[best]))
                best = l;
        if (best == SIZE_MAX)
            return; // the budget was made of what may go: never
        gone[best]++;
        left--;
    }
}

// ---- a generation that is being put together ----

typedef struct brood {
    const cull_search_settings *set;
    const cull_search_space *space;
    const cull_candidates *scored;
    cull_rng rng;
    size_t n, most;
    size_t *gone; // (most, L)
    double *weight, *room;
} brood;

static bool among(size_t n, const size_t *gone, size_t L, const size_t *one)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(gone + i * L, one, L * sizeof *one) == 0)
            return true;
    return false;
}

// The candidate in the next place joins, if it is new and there is room. false: it does not.
static bool join(brood *b)
{
    const size_t L = b->space->L;
    const size_t *one = b->gone + b->n * L;

    if (b->n == b->most || among(b->scored->n, b->scored->gone, L, one) ||
        among(b->n, b->gone, L, one))
        return false;
    b->n++;
    return true;
}

static size_t below(brood *b, size_t n)
{
    return (size_t)cull_rng_below(&b->rng, n);
}

// ---- where a search starts ----

enum {
    UNIFORM,
    RISING,
    FALLING,
    MIDDLE,
    EDGES,
    SHRINKING,
    GROWING,
    FIRST,
    LAST,
    ALTERNATING,
    PATTERNS
};

// Layer i of n that may be cut, in relation to an equal share.
static double pattern(int which, size_t i, size_t n)
{
    const size_t edge = i < n - 1 - i ? i : n - 1 - i; // how far from the nearer end
    const size_t quarter = n < 4 ? 1 : n / 4;

    switch (which) {
    case RISING:
        return (double)(i + 1);
    case FALLING:
        return (double)(n - i);
    case MIDDLE:
        return (double)(edge + 1);
    case EDGES:
        return (double)((n + 1) / 2 - edge);
    case SHRINKING:
        return pow(0.7, (double)i);
    case GROWING:
        return pow(1.3, (double)i);
    case FIRST:
        return i < quarter ? 2 : 1;
    case LAST:
        return n - 1 - i < quarter ? 2 : 1;
    case ALTERNATING:
        return i % 2 ? 2 : 1;
    default:
        return 1;
    }
}

static void try_pattern(brood *b, int which)
{
    size_t n = 0, i = 0;

    for (size_t l = 0; l < b->space->L; l++)
        n += b->space->most[l] > 0;
    for (size_t l = 0; l < b->space->L; l++)
        b->weight[l] = b->space->most[l] > 0 ? b->space->weight[l] * pattern(which, i++, n) : 0;
    cull_spread_counts(b->space, b->weight, b->room, b->gone + b->n * b->space->L);
    (void)join(b);
}

static void start_evolution(brood *b)
{
    for (int which = UNIFORM; which < PATTERNS && b->n < b->most; which++)
        try_pattern(b, which);
    for (size_t tries = 0; b->n < b->most && tries < ATTEMPTS;) {
        for (size_t l = 0; l < b->space->L; l++)
            b->weight[l] = b->space->weight[l] * cull_rng_uniform(&b->rng);
        cull_spread_counts(b->space, b->weight, b->room, b->gone + b->n * b->space->L);
        tries = join(b) ? 0 : tries + 1;
    }
}

// ---- what becomes of the best ----

static size_t smaller_of_two(brood *b, int64_t most)
{
    const size_t one = below(b, (size_t)most), other = below(b, (size_t)most);

    return (one < other ? one : other) + 1;
}

// Some experts of one layer's count go to another's.
static void move(brood *b, size_t *gone)
{
    const size_t L = b->space->L;

    for (size_t i = 0; i < ATTEMPTS; i++) {
        const size_t from = below(b, L), to = below(b, L);
        const size_t n = below(b, (size_t)b->set->experts) + 1;
        if (from == to || gone[from] < n || gone[to] + n > b->space->most[to])
            continue;
        gone[from] -= n;
        gone[to] += n;
        return;
    }
}

// The i-th fittest of all that were scored; SIZE_MAX: there are not so many.
static size_t fittest_but(const cull_candidates *scored, size_t i, const size_t *before)
{
    size_t best = SIZE_MAX;

    for (size_t c = 0; c < scored->n; c++) {
        bool taken = isnan(scored->fitness[c]);
        for (size_t j = 0; j < i && !taken; j++)
            taken = before[j] == c;
        if (!taken && (best == SIZE_MAX || scored->fitness[c] > scored->fitness[best]))
            best = c;
    }
    return best;
}

size_t cull_fittest(const cull_search_space *space, const cull_candidates *scored)
{
    size_t best = SIZE_MAX;

    for (size_t c = 0; c < scored->n; c++) {
        size_t gone = 0;
        for (size_t l = 0; l < scored->L; l++)
            gone += scored->gone[c * scored->L + l];
        if (gone == space->total && !isnan(scored->fitness[c]) &&
            (best == SIZE_MAX || scored->fitness[c] > scored->fitness[best]))
            best = c;
    }
    return best;
}

static cull_status evolve(cull_ctx *ctx, brood *b)
{
    const size_t L = b->space->L, most = (size_t)b->set->survivors;
    size_t *parent = cull_scratch(ctx, most, sizeof *parent), n = 0;

    if (!parent)
        return CULL_ENOMEM;
    while (n < most && (parent[n] = fittest_but(b->scored, n, parent)) != SIZE_MAX)
        n++;
    for (size_t tries = 0; n > 0 && b->n < b->most && tries < ATTEMPTS;) {
        size_t *child = b->gone + b->n * L;
        memcpy(child, b->scored->gone + parent[below(b, n)] * L, L * sizeof *child);
        for (size_t moves = smaller_of_two(b, b->set->moves); moves > 0; moves--)
            move(b, child);
        tries = join(b) ? 0 : tries + 1;
    }
    return CULL_OK;
}

// ---- greedy exchange ----

// One move away from `best`, in an order of chance, as many as are new and fit.
static cull_status neighbours(cull_ctx *ctx, brood *b, const size_t *best)
{
    const size_t L = b->space->L, sizes = (size_t)b->set->experts, all = L * L * sizes;
    size_t *order = cull_scratch(ctx, all, sizeof *order);

    if (!order)
        return CULL_ENOMEM;
    cull_rng_shuffle(&b->rng, all, order);
    for (size_t i = 0; i < all && b->n < b->most; i++) {
        const size_t from = order[i] / sizes / L, to = order[i] / sizes % L,
                     n = order[i] % sizes + 1;
        size_t *one = b->gone + b->n * L;
        if (from == to || best[from] < n || best[to] + n > b->space->most[to])
            continue;
        memcpy(one, best, L * sizeof *one);
        one[from] -= n;
        one[to] += n;
        (void)join(b);
    }
    return CULL_OK;
}

static cull_status exchange(cull_ctx *ctx, brood *b)
{
    const size_t best = cull_fittest(b->space, b->scored);

    if (b->scored->n > 0)
        return best == SIZE_MAX ? CULL_OK
                                : neighbours(ctx, b, b->scored->gone + best * b->space->L);
    try_pattern(b, UNIFORM);
    return b->n > 0 ? neighbours(ctx, b, b->gone) : CULL_OK;
}

// ---- sensitivity ----

static size_t most_of(const cull_search_space *space, size_t l)
{
    return space->most[l] < space->total ? space->most[l] : space->total;
}

size_t cull_single_cuts(const cull_search_space *space)
{
    size_t n = 1;

    for (size_t l = 0; l < space->L; l++)
        n += most_of(space, l);
    return n;
}

// The i-th single cut: none, then 1, 2, … of the first layer, of the second, …
static void single_cut(const cull_search_space *space, size_t i, size_t *gone)
{
    memset(gone, 0, space->L * sizeof *gone);
    for (size_t l = 0; i > 0; i -= most_of(space, l++))
        if (i <= most_of(space, l)) {
            gone[l] = i;
            return;
        }
}

// gone[l] that sum to the total and whose losses have the least sum, ties from the lower layers.
// fitness: (cull_single_cuts) of the single cuts. false: what was scored does not reach so far.
static bool least_loss(const cull_search_space *space, const double *fitness, double *cost,
                       size_t *from, size_t *gone)
{
    const size_t L = space->L, wide = space->total + 1;
    const double *of_layer = fitness + 1; // 1, 2, … gone

    for (size_t t = 0; t < (L + 1) * wide; t++)
        cost[t] = t == 0 ? 0 : INFINITY; // (L + 1, wide): t gone of the layers before l
    for (size_t l = 0; l < L; of_layer += most_of(space, l++))
        for (size_t n = 0; n <= most_of(space, l); n++) {
            const double loss = n > 0 ? fitness[0] - of_layer[n - 1] : 0;
            for (size_t t = n; t < wide; t++)
                if (cost[l * wide + t - n] + loss < cost[(l + 1) * wide + t]) { // false for a NaN
                    cost[(l + 1) * wide + t] = cost[l * wide + t - n] + loss;
                    from[(l + 1) * wide + t] = n;
                }
        }
    if (isinf(cost[L * wide + space->total]))
        return false;
    for (size_t l = L, t = space->total; l-- > 0; t -= gone[l])
        gone[l] = from[(l + 1) * wide + t];
    return true;
}

// As many single cuts as there is room for; when all are scored, what follows from them.
static cull_status layer_by_layer(cull_ctx *ctx, brood *b)
{
    const size_t L = b->space->L, singles = cull_single_cuts(b->space);
    const size_t room = (L + 1) * (b->space->total + 1);

    for (size_t i = b->scored->n; i < singles && b->n < b->most; i++)
        single_cut(b->space, i, b->gone + b->n++ * L);
    if (b->scored->n != singles)
        return CULL_OK;
    double *cost = cull_scratch(ctx, room, sizeof *cost);
    size_t *from = cull_scratch(ctx, room, sizeof *from);
    if (!cost || !from)
        return CULL_ENOMEM;
    if (least_loss(b->space, b->scored->fitness, cost, from, b->gone))
        (void)join(b);
    return CULL_OK;
}

// ---- a generation ----

cull_status cull_propose(cull_ctx *ctx, const cull_search_settings *settings,
                         const cull_search_space *space, uint64_t seed, size_t generation,
                         const cull_candidates *scored, size_t *n, size_t **gone)
{
    const bool evolves = settings->by == CULL_SEARCH_EVOLUTION;
    const size_t stay = evolves && generation > 0 ? (size_t)settings->survivors : 0;
    brood b = { .set = settings, .space = space, .scored = scored };
    char stream[40];
    cull_status status = CULL_OK;

    b.most = (size_t)settings->population - stay;
    b.gone = cull_take(ctx, (b.most + 1) * space->L, sizeof *b.gone);
    b.weight = cull_scratch(ctx, space->L, sizeof *b.weight);
    b.room = cull_scratch(ctx, space->L, sizeof *b.room);
    if (!b.gone || !b.weight || !b.room)
        return CULL_ENOMEM;
    snprintf(stream, sizeof stream, "generation %zu", generation);
    cull_rng_init(&b.rng, seed, "search", stream);
    if (settings->by == CULL_SEARCH_SENSITIVITY)
        status = layer_by_layer(ctx, &b);
    else if (!evolves)
        status = exchange(ctx, &b);
    else if (generation == 0)
        start_evolution(&b);
    else
        status = evolve(ctx, &b);
    *n = b.n;
    *gone = b.gone;
    return status;
}

cull_status cull_candidates_add(cull_ctx *ctx, cull_candidates *to, size_t generation, size_t n,
                                const size_t *gone, const double *fitness)
{
    const size_t all = to->n + n, L = to->L;
    cull_candidates more = { all, L, cull_take(ctx, all * L + 1, sizeof *more.gone),
                             cull_take(ctx, all + 1, sizeof *more.fitness),
                             cull_take(ctx, all + 1, sizeof *more.generation) };

    if (!more.gone || !more.fitness || !more.generation)
        return CULL_ENOMEM;
    if (to->n > 0) {
        memcpy(more.gone, to->gone, to->n * L * sizeof *gone);
        memcpy(more.fitness, to->fitness, to->n * sizeof *fitness);
        memcpy(more.generation, to->generation, to->n * sizeof *more.generation);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(more.gone + (to->n + i) * L, gone + i * L, L * sizeof *gone);
        more.fitness[to->n + i] = fitness[i];
        more.generation[to->n + i] = generation;
    }
    *to = more;
    return CULL_OK;
}
