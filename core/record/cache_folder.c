// Trouble with a cache: a warning, and the results' own folder in its place.
#include "record/cache_folder.h"

#include <string.h>

bool cull_cache_is_own(const cull_cache_folder *cache)
{
    return strcmp(cache->path, cache->own) == 0;
}

cull_status cull_cache_excuse(cull_ctx *ctx, cull_cache_folder *cache, cull_status status)
{
    const cull_context *context = cull_context_of(ctx);

    if (!cull_own_failure(status))
        return status;
    if (!cache->faulty)
        cull_log_line(context->log, CULL_WARN, "cache: %s; goes on without it",
                      context->error.sentence);
    cache->faulty = true;
    cull_error_clear(ctx);
    return CULL_OK;
}

cull_status cull_cache_give_up(cull_ctx *ctx, cull_cache_folder *cache, cull_status status)
{
    if (cull_cache_is_own(cache))
        return status;
    CULL_TRY(cull_cache_excuse(ctx, cache, status));
    cache->path = cache->own;
    return CULL_OK;
}
