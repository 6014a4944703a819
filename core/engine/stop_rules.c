// Stop ids, stop strings, and the ids in which the latter are looked for.
#include "engine/stop_rules.h"

#include <string.h>

#include "base/call.h"

bool cull_id_ends(const cull_model_facts *facts, int32_t id)
{
    if (!facts->stop)
        return id == facts->eos;
    for (size_t i = 0; i < facts->n_stop; i++)
        if (facts->stop[i] == id)
            return true;
    return false;
}

size_t cull_find_stop(const char *text, size_t len, const char *stop)
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
