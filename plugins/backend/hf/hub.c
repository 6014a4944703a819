// A model by its Hub id, in the local cache.
#include "hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *cache(cull_ctx *ctx)
{
    const char *at;

    if ((at = getenv("HF_HUB_CACHE")) && *at)
        return hf_text(ctx, "%s", at);
    if ((at = getenv("HF_HOME")) && *at)
        return hf_text(ctx, "%s/hub", at);
    if ((at = getenv("XDG_CACHE_HOME")) && *at)
        return hf_text(ctx, "%s/huggingface/hub", at);
    at = getenv("HOME");
    return hf_text(ctx, "%s/.cache/huggingface/hub", at ? at : "");
}

// The last two parts of a path, or NULL.
static const char *last_two(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || !slash[1])
        return NULL;
    while (slash > path && slash[-1] != '/')
        slash--;
    return slash;
}

cull_status hf_hub_folder(cull_ctx *ctx, const char *path, const char **folder)
{
    struct stat st;
    const char *id = last_two(path), *hub = cache(ctx), *revision;
    size_t n;

    if (!hub)
        return CULL_ENOMEM;
    *folder = path;
    if (is_folder(path))
        return CULL_OK;
    const int error = stat(path, &st) == 0 ? ENOTDIR : errno;
    if (error != ENOTDIR && error != ENOENT)
        return ctx->host->fail(ctx, CULL_EIO, "%s: %s", path, strerror(error));
    if (error == ENOTDIR || !id)
        return ctx->host->fail(ctx, CULL_EIO, "%s is not a folder with a model", path);
    const size_t org = strcspn(id, "/");
    const char *base = hf_text(ctx, "%s/models--%.*s--%s", hub, (int)org, id, id + org + 1);
    const char *ref = base ? hf_text(ctx, "%s/refs/main", base) : NULL;
    if (!ref)
        return CULL_ENOMEM;
    if (stat(ref, &st) != 0 && errno != ENOENT && errno != ENOTDIR)
        return ctx->host->fail(ctx, CULL_EIO, "%s: %s", ref, strerror(errno));
    if (stat(ref, &st) != 0)
        return ctx->host->fail(
            ctx, CULL_EIO, "%s is not a folder, and %s is not in the Hub cache %s", path, id, hub);
    CULL_TRY(ctx->host->read_file(ctx, ref, &revision, &n));
    n = strcspn(revision, "\r\n");
    *folder = hf_text(ctx, "%s/snapshots/%.*s", base, (int)n, revision);
    if (*folder && !is_folder(*folder))
        return ctx->host->fail(
            ctx, CULL_EIO, "%s: the Hub cache lacks the revision that refs/main names", *folder);
    return *folder ? CULL_OK : CULL_ENOMEM;
}
