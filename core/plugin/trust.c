// Whose code may run: only what nobody but its user and the administrator could have put there.
#include "plugin/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

// Why others could change what is in a folder, or a file's bytes; NULL: they cannot.
static const char *fault_of(const struct stat *st)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return "another user owns";
    if (st->st_mode & S_IWOTH)
        return "everybody may write";
    return st->st_mode & S_IWGRP ? "a group may write" : NULL;
}

// In a sticky folder (/tmp) others can put files, but not change or replace ours.
static bool is_sticky(const struct stat *st)
{
    return (st->st_mode & S_IWOTH) && (st->st_mode & S_ISVTX);
}

static cull_status refuse_folder(cull_ctx *ctx, const char *folder, const char *fault)
{
    return cull_fail(ctx, CULL_EENV, "%s: %s this folder, so no plugin is loaded from it", folder,
                     fault);
}

// Whoever may write a folder can replace what is below it. folder: absolute, links resolved; it is
// cut on the way up.
static cull_status trust_above(cull_ctx *ctx, char *folder)
{
    struct stat st;

    for (char *slash; (slash = strrchr(folder, '/')) && slash[1];) {
        slash[slash == folder] = '\0';
        if (stat(folder, &st) != 0)
            return cull_fail(ctx, CULL_EENV, "%s: %s", folder, strerror(errno));
        if ((st.st_mode & S_IWOTH) && !is_sticky(&st))
            return cull_fail(ctx, CULL_EENV,
                             "%s: everybody may write this folder, so no plugin is loaded from "
                             "below it",
                             folder);
    }
    return CULL_OK;
}

// folder: absolute, links resolved; it is cut.
static cull_status trust_real(cull_ctx *ctx, char *folder, bool sticky)
{
    struct stat st;

    if (stat(folder, &st))
        return cull_fail(ctx, CULL_EENV, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cull_fail(ctx, CULL_EENV, "%s: not a folder", folder);
    const char *fault = sticky && is_sticky(&st) ? NULL : fault_of(&st);
    return fault ? refuse_folder(ctx, folder, fault) : trust_above(ctx, folder);
}

cull_status cull_trust_folder(cull_ctx *ctx, const char *path)
{
    char *real = realpath(path, NULL);

    if (!real)
        return cull_fail(ctx, CULL_EENV, "%s: %s", path, strerror(errno));
    const cull_status status = trust_real(ctx, real, false);
    free(real);
    return status;
}

cull_status cull_trust_file(cull_ctx *ctx, const char *path)
{
    struct stat st;
    cull_buf folder = CULL_BUF_INIT;
    const char *slash = strrchr(path, '/');

    if (stat(path, &st))
        return cull_fail(ctx, CULL_EENV, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return cull_fail(ctx, CULL_EENV, "%s: not a plugin: %s", path,
                         S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    const char *fault = fault_of(&st);
    if (fault)
        return cull_fail(ctx, CULL_EENV, "%s: %s this file, so it is not loaded", path, fault);
    cull_buf_add(&folder, path, slash > path ? (size_t)(slash - path) : 1);
    const cull_status status =
        folder.failed ? cull_no_memory(ctx) : trust_real(ctx, folder.s, true);
    cull_buf_release(&folder);
    return status;
}
