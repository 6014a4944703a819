// The hidden states between layers: in memory, or in a nameless file.
#include "engine/states.h"

#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "base/pages.h"

cull_status cull_states_new(cull_ctx *ctx, size_t n, size_t D, const char *spill, cull_states *out)
{
    *out = (cull_states){ .D = D };
    if (spill && n > 0) {
        void *at;
        CULL_TRY(cull_map_nameless(ctx, spill, n * D * sizeof *out->h, "hidden states", &at));
        out->h = at;
        out->mapped = n * D * sizeof *out->h;
        return CULL_OK;
    }
    out->h = cull_alloc(n * D, sizeof *out->h);
    return out->h ? CULL_OK : cull_no_memory(ctx);
}

void cull_states_free(cull_states *states)
{
    if (states->mapped)
        (void)munmap(states->h, states->mapped);
    else
        cull_free(states->h);
    *states = (cull_states){ 0 };
}

void cull_states_leave(const cull_states *states, size_t first, size_t n)
{
    if (states->mapped)
        cull_pages_leave(states->h + first * states->D, n * states->D * sizeof *states->h);
}

void cull_states_copy(const cull_states *from, const cull_states *to, size_t n)
{
    for (size_t i = 0; i < n; i += CULL_STATES_AT_ONCE) {
        const size_t count = n - i < CULL_STATES_AT_ONCE ? n - i : CULL_STATES_AT_ONCE;
        memcpy(to->h + i * to->D, from->h + i * from->D, count * to->D * sizeof *to->h);
        cull_states_leave(from, i, count);
        cull_states_leave(to, i, count);
    }
}
