// All subsets, one after the other.
#include <math.h>

#include "search.h"

enum { BATCH = 4096 };

double subsets_of(size_t n, size_t r)
{
    double count = 1;

    r = r < n - r ? r : n - r;
    for (size_t i = 1; i <= r; i++)
        count = round(count * (double)(n - r + i) / (double)i);
    return count;
}

cull_status search_eval(const search *s, size_t n, const uint64_t *sets, double *loss)
{
    const cull_status status = s->loss->eval(s->ctx, s->loss->self, n, s->words, sets, loss);

    if (status != CULL_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(loss[i]))
            return s->ctx->host->fail(s->ctx, CULL_ENUMERIC, "the loss of a set is not finite");
    return CULL_OK;
}

// The next choice of r of n in lexicographic order; false after the last.
static bool next_choice(size_t *at, size_t r, size_t n)
{
    size_t i = r;

    while (i > 0 && at[i - 1] == n - r + i - 1)
        i--;
    if (i == 0)
        return false;
    at[i - 1]++;
    for (; i < r; i++)
        at[i] = at[i - 1] + 1;
    return true;
}

static void set_of(const search *s, const size_t *at, uint64_t *set)
{
    set_copy(s, set, s->always);
    for (size_t i = 0; i < s->keep; i++)
        set_add(set, s->candidate[at[i]]);
}

cull_status search_exact(const search *s, found *out)
{
    const cull_host *host = s->ctx->host;
    const double total = subsets_of(s->n, s->keep);
    size_t *at = host->scratch(s->ctx, s->keep + 1, sizeof *at);
    uint64_t *sets = host->scratch(s->ctx, BATCH * s->words, sizeof *sets);
    double *loss = host->scratch(s->ctx, BATCH, sizeof *loss);

    if (!at || !sets || !loss)
        return CULL_ENOMEM;
    for (size_t i = 0; i < s->keep; i++)
        at[i] = i;

    *out = (found){ .set = out->set, .loss = INFINITY };
    for (bool more = true; more;) {
        size_t n = 0;
        for (; n < BATCH && more; n++) {
            set_of(s, at, sets + n * s->words);
            more = next_choice(at, s->keep, s->n);
        }
        const cull_status status = search_eval(s, n, sets, loss);
        if (status != CULL_OK)
            return status;
        for (size_t i = 0; i < n; i++) {
            if (loss[i] < out->loss) {
                out->loss = loss[i];
                set_copy(s, out->set, sets + i * s->words);
            }
        }
        out->evaluated += (double)n;
        if (!host->progress(s->ctx, out->evaluated, total))
            return host->fail(s->ctx, CULL_ECANCELED, "the search was interrupted");
    }
    return CULL_OK;
}
