// Stop ids, stop strings, and the ids in which the latter are looked for.
#include "engine/stop_rules.h"

#include <string.h>

#include "base/call.h"

static bool id_ends(const cull_model_facts *facts, int32_t id)
{
    if (!facts->stop)
        return id == facts->eos;
    for (size_t i = 0; i < facts->n_stop; i++)
        if (facts->stop[i] == id)
            return true;
    return false;
}

// Where `stop` first stands in text; SIZE_MAX: nowhere, or it is empty.
static size_t find_stop(const char *text, size_t len, const char *stop)
{
    const size_t n = strlen(stop);

    for (size_t i = 0; n && i + n <= len; i++)
        if (memcmp(text + i, stop, n) == 0)
            return i;
    return SIZE_MAX;
}

// lm-eval looks for a stop string in as many ids as it has itself, and two more.
cull_status cull_stop_windows(cull_ctx *ctx, const cull_open_model *m, const cull_request *r,
                              size_t *window)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const cull_mark mark = cull_arena_mark(arena);
    int32_t *ids;

    for (size_t u = 0; u < r->n_until; u++) {
        CULL_TRY(CULL_CALL(ctx, m->plugin, SIZE_MAX, encode,
                           m->backend->encode(ctx, m->model, r->until[u], strlen(r->until[u]), 0,
                                              &ids, &window[u])));
        window[u] += 2;
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// Stop strings are looked for in the text with special tokens: "<|im_end|>" is one in many models.
cull_status cull_stop_at(cull_ctx *ctx, const cull_open_model *m, const cull_request *r,
                         const size_t *window, size_t n, const int32_t *ids, uint32_t *ended)
{
    cull_arena *arena = cull_context_of(ctx)->alloc; // what is decoded here is not kept
    const cull_mark mark = cull_arena_mark(arena);
    size_t decoded = 0, len = 0;
    char *text = NULL;

    *ended = id_ends(m->facts, ids[n - 1]) ? CULL_ENDED_ID : 0;
    for (size_t u = 0; u < r->n_until && !*ended; u++) {
        const size_t last = window[u] < n ? window[u] : n;
        if (last != decoded)
            CULL_TRY(CULL_CALL(ctx, m->plugin, SIZE_MAX, decode,
                               m->backend->decode(ctx, m->model, ids + n - last, last, CULL_SPECIAL,
                                                  &text, &len)));
        decoded = last;
        if (find_stop(text, len, r->until[u]) != SIZE_MAX)
            *ended = CULL_ENDED_STOP;
    }
    if (!*ended && n >= r->max_new)
        *ended = CULL_ENDED_LENGTH;
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

size_t cull_stop_cut(const cull_request *r, const char *text, size_t len)
{
    for (size_t u = 0; u < r->n_until; u++) {
        const size_t at = find_stop(text, len, r->until[u]);
        len = at != SIZE_MAX ? at : len;
    }
    return len;
}
