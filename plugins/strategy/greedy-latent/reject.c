// Experts that are too far from all others to be joined.
#include "reject.h"

#include <math.h>

struct pair {
    double d;
    size_t i, j;
};

// Ascending; among equals the first in row-major order.
static int by_distance(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->d != y->d)
        return x->d < y->d ? -1 : 1;
    if (x->i != y->i)
        return x->i < y->i ? -1 : 1;
    return (x->j > y->j) - (x->j < y->j);
}

// What the algorithm knows of one cloud: used[i, j] says that the pair's distance has become
// infinite.
struct state {
    size_t n;
    const double *d; // (n, n)
    uint8_t *used;   // (n, n)
    size_t *label;   // (n)
};

static bool is_near(const struct state *s, size_t c, size_t j, double tau)
{
    return !s->used[c * s->n + j] && s->d[c * s->n + j] < tau;
}

// Is all of cluster `name` near to point j?
static bool all_near(const struct state *s, size_t name, size_t j, double tau)
{
    for (size_t c = 0; c < s->n; c++)
        if (s->label[c] == name && !is_near(s, c, j, tau))
            return false;
    return true;
}

static void use_up(struct state *s, size_t name, size_t j)
{
    for (size_t c = 0; c < s->n; c++)
        if (s->label[c] == name)
            s->used[c * s->n + j] = s->used[j * s->n + c] = 1;
}

static bool try_to_join(struct state *s, size_t i, size_t j, double tau, struct merge *out)
{
    const size_t x = s->label[i], y = s->label[j];

    if (x == y || !all_near(s, x, j, tau) || !all_near(s, y, i, tau)) {
        s->used[i * s->n + j] = s->used[j * s->n + i] = 1;
        return false;
    }
    use_up(s, x, j);
    use_up(s, y, i);
    out->a = x < y ? x : y;
    out->b = x < y ? y : x;
    for (size_t c = 0; c < s->n; c++)
        if (s->label[c] == out->b)
            s->label[c] = out->a;
    return true;
}

static cull_status reject_cloud(cull_ctx *ctx, const struct cloud *cloud, size_t cap, double tau,
                                struct merge *out, size_t *found)
{
    const size_t n = cloud->n;
    struct state s = { .n = n, .d = cloud->d };
    struct pair *pairs = (struct pair *)ctx->host->scratch(ctx, n * n + 1, sizeof *pairs);
    size_t n_pairs = 0;

    s.used = (uint8_t *)ctx->host->scratch(ctx, n * n + 1, 1);
    s.label = (size_t *)ctx->host->scratch(ctx, n + 1, sizeof *s.label);
    if (!pairs || !s.used || !s.label)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        s.label[i] = i;
        for (size_t j = i + 1; j < n; j++)
            if (s.d[i * n + j] < tau)
                pairs[n_pairs++] = (struct pair){ s.d[i * n + j], i, j };
    }
    qsort(pairs, n_pairs, sizeof *pairs, by_distance);

    *found = 0;
    for (size_t p = 0; p < n_pairs && *found < cap; p++) {
        const size_t i = pairs[p].i, j = pairs[p].j;

        out[*found] = (struct merge){ .height = pairs[p].d, .order = *found };
        if (!s.used[i * n + j] && try_to_join(&s, i, j, tau, &out[*found]))
            ++*found;
    }
    name_merges(cloud, *found, out);
    return CULL_OK;
}

cull_status reject_merges(cull_ctx *ctx, const struct rejection *all, double tau, struct merge *out,
                          size_t *found)
{
    *found = 0;
    for (size_t c = 0; c < all->n; c++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        size_t n;
        const cull_status status =
            reject_cloud(ctx, &all->cloud[c], all->cap[c], tau, out + *found, &n);

        if (status != CULL_OK)
            return status;
        *found += n;
        ctx->host->rewind(ctx, mark);
    }
    return CULL_OK;
}

cull_status search_threshold(cull_ctx *ctx, const struct rejection *all, size_t wanted,
                             struct merge *out, size_t *found)
{
    enum {
        TRIES = 200,
        EQUAL_TOTALS = 10
    }; // the authors stop with an error after ten equal totals
    double tau = 0.5, step = 0.1, enough = INFINITY;
    int direction = 0;
    bool flipped = false;
    size_t previous = SIZE_MAX, equal = 0;

    for (int i = 0; i < TRIES && equal < EQUAL_TOTALS; i++) {
        const cull_status status = reject_merges(ctx, all, tau, out, found);
        if (status != CULL_OK || *found == wanted)
            return status;
        if (*found > wanted && tau < enough)
            enough = tau;
        equal = flipped && *found == previous ? equal + 1 : 0;
        previous = *found;

        const int next = *found < wanted ? 1 : -1;
        flipped = flipped || (direction != 0 && next != direction);
        if (direction != 0)
            step *= flipped ? 0.5 : 2.0;
        direction = next;
        tau += direction * step;
    }
    const cull_status status = reject_merges(ctx, all, enough, out, found);
    if (status == CULL_OK && *found < wanted)
        ctx->host->log(ctx, CULL_WARN, "stun-greedy: no threshold gives %zu merges; %zu are made",
                       wanted, *found);
    return status;
}
