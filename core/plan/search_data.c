// Data that choose and data that measure, kept apart: runs of token ids looked for in both.
#include "plan/search_data.h"

#include <stdlib.h>

#include "spec/search.h"

// ---- runs of ids, by their hash ----

static const uint64_t prime = 1099511628211u;

static uint64_t mixed(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    return h;
}

typedef struct runs {
    size_t n;
    uint64_t *hash;
} runs;

// Requests shorter than a run count as a whole.
static size_t runs_of(const cull_request *request)
{
    return request->n > CULL_SHARED_RUN ? request->n - CULL_SHARED_RUN + 1 : 1;
}

// A polynomial over the window, which moves by one id at a time.
static size_t hash_request(const cull_request *request, uint64_t *out)
{
    const size_t length = request->n < CULL_SHARED_RUN ? request->n : CULL_SHARED_RUN;
    uint64_t sum = 0, power = 1;

    for (size_t i = 0; i < length; i++) {
        sum = sum * prime + (uint64_t)request->ids[i] + 1;
        power *= prime;
    }
    for (size_t first = 0; first < runs_of(request); first++) {
        out[first] = mixed(sum ^ length);
        if (first + length < request->n)
            sum = sum * prime + (uint64_t)request->ids[first + length] + 1 -
                  power * ((uint64_t)request->ids[first] + 1);
    }
    return runs_of(request);
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static cull_status runs_asked(cull_ctx *ctx, const cull_prepared_metric *asked, runs *out)
{
    size_t n = 0;

    for (size_t i = 0; i < asked->requests.n; i++)
        n += runs_of(&asked->request[i]);
    *out = (runs){ .hash = cull_scratch(ctx, n + 1, sizeof *out->hash) };
    if (!out->hash)
        return CULL_ENOMEM;
    for (size_t i = 0; i < asked->requests.n; i++)
        out->n += hash_request(&asked->request[i], out->hash + out->n);
    qsort(out->hash, out->n, sizeof *out->hash, ascending);
    return CULL_OK;
}

static bool meet(const runs *a, const runs *b)
{
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->hash[i] == b->hash[j])
            return true;
        if (a->hash[i] < b->hash[j])
            i++;
        else
            j++;
    }
    return false;
}

// ---- searches against metrics ----

static cull_status check_search(cull_ctx *ctx, const cull_spec *spec, const cull_prepared_model *s,
                                const cull_search *search)
{
    runs chooses;

    CULL_TRY(runs_asked(ctx, &s->asked[search->at], &chooses));
    for (size_t i = 0; i < spec->n_metrics; i++) {
        cull_arena *arena = cull_context_of(ctx)->scratch;
        const cull_mark mark = cull_arena_mark(arena);
        runs measures;
        CULL_TRY(runs_asked(ctx, &s->asked[i], &measures));
        if (meet(&chooses, &measures))
            return cull_fail(ctx, CULL_EUSAGE,
                             "%s:%zu:%zu: search: its data overlap with those of metric %zu "
                             "(%s), which would then measure what was fitted to them; give the "
                             "search data of its own",
                             search->place.file, search->place.line, search->place.column, i + 1,
                             spec->metrics[i].plugin->name);
        cull_arena_rewind(arena, mark);
    }
    return CULL_OK;
}

cull_status cull_check_search_data(cull_ctx *ctx, const cull_spec *spec,
                                   const cull_prepared_model *prepared)
{
    cull_arena *arena = cull_context_of(ctx)->scratch;
    const cull_mark mark = cull_arena_mark(arena);

    if (prepared->no_text && prepared->sketched)
        return CULL_OK; // ids are only guessed at
    for (size_t i = 0; i < spec->n_allocations; i++)
        if (spec->allocations[i].search)
            CULL_TRY(check_search(ctx, spec, prepared, spec->allocations[i].search));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
