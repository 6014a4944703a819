// The loss of any subset of a layer's experts, from the Gram matrices of their outputs.
#include "losses.h"

#include <math.h>
#include <string.h>

static const double negligible = 1e-12; // a change of a coefficient below this counts as none

static bool keeps(const uint64_t *set, size_t e)
{
    return (set[e / 64] >> (e % 64)) & 1;
}

// Σ over the kept of the masses, of four sums in a fixed order.
static double mass_of(const double *mass, const double *kept, size_t E)
{
    double sum[4] = { 0 };
    size_t e = 0;

    for (; e + 4 <= E; e += 4)
        for (size_t i = 0; i < 4; i++)
            sum[i] += mass[e + i] * kept[e + i];
    for (; e < E; e++)
        sum[0] += mass[e] * kept[e];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// δᵀ G δ of a δ with n entries at the experts `at`.
static double quadratic(const float *gram, size_t E, size_t n, const uint16_t *at,
                        const double *delta)
{
    double error = 0;

    for (size_t i = 0; i < n; i++) {
        const float *row = gram + at[i] * E;
        double cross = 0;
        for (size_t j = 0; j < i; j++)
            cross += delta[j] * (double)row[at[j]];
        error += delta[i] * (2 * cross + delta[i] * (double)row[at[i]]);
    }
    return error;
}

// 2 δᵀ F r + ‖r‖²: what is added where the output differs by r before anything is dropped.
static double shifted(const losses *q, size_t t, size_t n, const uint16_t *at, const double *delta)
{
    double error = q->offset[t];

    for (size_t i = 0; i < n; i++)
        error += 2 * delta[i] * (double)q->cross[t * q->E + at[i]];
    return error;
}

// The squared error of token t when only `set` is kept.
static double token_error(const losses *q, size_t t, const uint64_t *set, const double *kept)
{
    const uint16_t *order = q->order + t * q->A;
    const double *mass = q->mass + t * q->E;
    const double *base = q->base + t * q->rule.K;
    const size_t K = q->rule.K;
    uint16_t at[2 * MOST_CHOSEN];
    double delta[2 * MOST_CHOSEN];

    size_t chosen = 0;
    size_t n = 0;
    double sum = 0;
    for (size_t p = 0; p < q->A && chosen < K; p++) {
        const uint16_t e = order[p];
        const bool stays = keeps(set, e);
        if (stays) {
            sum += mass[e];
            chosen++;
        }
        if (stays || p < K) { // the first K of the order are chosen when all are kept
            at[n] = e;
            delta[n++] = stays ? mass[e] : 0;
        }
    }
    if (n == chosen && q->rule.renormalise) // the same choice as before
        return q->cross ? q->offset[t] : 0;

    if (!q->rule.renormalise)
        sum = q->rule.sigmoid ? 1 : mass_of(mass, kept, q->E);
    const double factor = sum > 0 ? q->rule.scale / sum : 0;
    size_t changed = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = delta[i] * factor - (i < K ? base[i] : 0);
        if (fabs(d) < negligible)
            continue;
        at[changed] = at[i];
        delta[changed++] = d;
    }
    const double error = quadratic(q->gram + t * q->E * q->E, q->E, changed, at, delta) +
                         (q->cross ? shifted(q, t, changed, at, delta) : 0);
    return error > 0 ? error : 0;
}

// Where masses are divided by no sum over all that is kept, the error of a token hangs on the
// choice alone, and few choices serve many sets. An empty choice is an empty place.
typedef struct known {
    uint64_t choice;
    double error;
} known;

enum { KNOWN_BITS = 9, N_KNOWN = 1 << KNOWN_BITS };

// The first K of the token's order that are in `set`, as a set; E <= 64.
static uint64_t choice_of(const losses *q, size_t t, uint64_t set)
{
    const uint16_t *order = q->order + t * q->A;
    uint64_t choice = 0;
    size_t chosen = 0;

    for (size_t p = 0; p < q->A && chosen < q->rule.K; p++) {
        const uint64_t bit = (uint64_t)1 << order[p] & set;
        choice |= bit;
        chosen += bit != 0;
    }
    return choice;
}

// As token_error: a choice, kept alone, is chosen again.
static double known_error(const losses *q, size_t t, uint64_t set, known *table)
{
    const uint64_t choice = choice_of(q, t, set);
    known *place = table + (choice * 0x9e3779b97f4a7c15U >> (64 - KNOWN_BITS));

    if (place->choice != choice || choice == 0)
        *place = (known){ choice, token_error(q, t, &choice, NULL) };
    return place->error;
}

typedef struct batch {
    const losses *q;
    size_t n, words;
    const uint64_t *sets;
} batch;

static cull_status eval_block(void *arg, size_t b)
{
    const batch *a = arg;
    const losses *q = a->q;
    double *sum = q->partial + b * BATCH;
    const bool by_choice = !q->kept && a->words == 1;
    known table[N_KNOWN];

    memset(sum, 0, a->n * sizeof *sum);
    for (size_t t = q->first[b]; t < q->first[b + 1]; t++) {
        const double weight = q->objective == OBJECTIVE_REL ? q->weight[t] : 1;
        if (by_choice)
            memset(table, 0, sizeof table);
        for (size_t s = 0; s < a->n; s++)
            sum[s] += weight * (by_choice ? known_error(q, t, a->sets[s], table)
                                          : token_error(q, t, a->sets + s * a->words,
                                                        q->kept ? q->kept + s * q->E : NULL));
    }
    return CULL_OK;
}

// The blocks' sums of set s in their order; for `peer` the root of each group's.
static double merge_blocks(const losses *q, size_t s)
{
    double loss = 0;
    double group = 0;

    for (size_t b = 0; b < q->n_blocks; b++) {
        group += q->partial[b * BATCH + s];
        if (b + 1 == q->n_blocks || q->group[b + 1] != q->group[b]) {
            loss += q->objective == OBJECTIVE_PEER ? sqrt(group) : group;
            group = 0;
        }
    }
    return loss;
}

cull_status losses_eval(cull_ctx *ctx, const void *self, size_t n, size_t words,
                        const uint64_t *sets, double *loss)
{
    const losses *q = self;

    for (size_t done = 0; done < n; done += BATCH) {
        const batch a = { q, n - done < BATCH ? n - done : BATCH, words, sets + done * words };
        for (size_t s = 0; q->kept && s < a.n; s++)
            for (size_t e = 0; e < q->E; e++)
                q->kept[s * q->E + e] = keeps(a.sets + s * words, e) ? 1 : 0;
        const cull_status status = ctx->host->parallel(ctx, q->n_blocks, eval_block, (void *)&a);
        if (status != CULL_OK)
            return status;
        for (size_t s = 0; s < a.n; s++)
            loss[done + s] = merge_blocks(q, s);
    }
    return CULL_OK;
}
