// Whose files are loaded: owners and permissions on the way to a plugin.
#include "plugin/load.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

// In a sticky folder (/tmp) others can put files but not change ours.
cull_status cull_trust_folder(cull_ctx *ctx, const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return cull_fail(ctx, CULL_EENV, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cull_fail(ctx, CULL_EENV, "%s: not a folder", path);
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        return cull_fail(ctx, CULL_EENV,
                         "%s: everybody may write this folder, so no plugin is loaded from it",
                         path);
    return CULL_OK;
}

static cull_status trust_folder_of(cull_ctx *ctx, const char *path, const struct stat *file)
{
    struct stat st;
    cull_buf folder = CULL_BUF_INIT;
    const char *slash = strrchr(path, '/');

    cull_buf_add(&folder, path, slash > path ? (size_t)(slash - path) : 1);
    if (folder.failed)
        return cull_no_memory(ctx);
    cull_status status = cull_trust_folder(ctx, folder.s);
    if (status == CULL_OK && stat(folder.s, &st) == 0 && (st.st_mode & S_IWOTH) &&
        file->st_uid != geteuid() && file->st_uid != 0)
        status =
            cull_fail(ctx, CULL_EENV,
                      "%s: in a folder that everybody may write, and not yours: not loaded", path);
    cull_buf_release(&folder);
    return status;
}

cull_status cull_trust_file(cull_ctx *ctx, const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return cull_fail(ctx, CULL_EENV, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return cull_fail(ctx, CULL_EENV, "%s: not a plugin: %s", path,
                         S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    if (st.st_mode & S_IWOTH)
        return cull_fail(ctx, CULL_EENV, "%s: everybody may write this file, so it is not loaded",
                         path);
    return trust_folder_of(ctx, path, &st);
}
