// Results folders: made, listed, cleared of what dead processes left.
#include "record/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"

cull_status cull_make_folder(cull_ctx *ctx, const char *dir)
{
    char *path = cull_arena_copy(cull_context_of(ctx)->scratch, dir, strlen(dir));
    if (!path)
        return cull_no_memory(ctx);

    for (char *c = path + (*path != '\0');; c++) {
        if (*c && *c != '/')
            continue;
        const char ended = *c;
        *c = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST && errno != EISDIR)
            return cull_fail(ctx, CULL_EIO, "%s: cannot make the folder: %s", path,
                             strerror(errno));
        *c = ended;
        if (!ended)
            break;
    }
    struct stat st;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return cull_fail(ctx, CULL_EIO, "%s: is not a folder", dir);
    return CULL_OK;
}

// Open a folder; *out is NULL where there is none.
static cull_status open_folder(cull_ctx *ctx, const char *dir, DIR **out)
{
    *out = opendir(dir);
    if (!*out && errno != ENOENT && errno != ENOTDIR)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be read: %s", dir, strerror(errno));
    return CULL_OK;
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);

    return n > m && strcmp(name + n - m, ending) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

cull_status cull_folder_list(cull_ctx *ctx, const char *dir, const char *ending, size_t *n,
                             const char *const **names)
{
    *n = 0;
    *names = NULL;
    DIR *folder;
    CULL_TRY(open_folder(ctx, dir, &folder));

    size_t room = 0;
    const char **list = NULL;
    cull_status st = CULL_OK;
    for (const struct dirent *entry; folder && st == CULL_OK && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, ending))
            continue;
        if (*n == room) {
            const char **more = cull_take(ctx, room = room ? 2 * room : 64, sizeof *more);
            if (more && *n)
                memcpy(more, list, *n * sizeof *list);
            list = more;
        }
        const char *name = list ? cull_arena_copy(cull_context_of(ctx)->alloc, entry->d_name,
                                                  strlen(entry->d_name))
                                : NULL;
        if (name)
            list[(*n)++] = name;
        else
            st = cull_no_memory(ctx);
    }
    if (folder)
        closedir(folder);
    if (*n)
        qsort(list, *n, sizeof *list, by_text);
    *names = list;
    return st;
}

// Is `name` the temporary file of a process of this host that is no more?
static bool is_abandoned(const char *name, const char *prefix)
{
    const size_t n = strlen(prefix);

    if (strncmp(name, prefix, n) != 0 || !isdigit((unsigned char)name[n]))
        return false;
    const long pid = strtol(name + n, NULL, 10);
    return pid > 0 && pid != (long)getpid() && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

cull_status cull_folder_sweep(cull_ctx *ctx, const char *dir, size_t *removed)
{
    DIR *folder;
    CULL_TRY(open_folder(ctx, dir, &folder));
    if (!folder)
        return CULL_OK;

    char prefix[CULL_TEMPORARY_PREFIX];
    cull_temporary_prefix(prefix);
    cull_status st = CULL_OK;
    for (const struct dirent *entry; st == CULL_OK && (entry = readdir(folder));) {
        if (!is_abandoned(entry->d_name, prefix))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0 && errno != ENOENT)
            st = cull_fail(ctx, CULL_EIO, "%s/%s: cannot be removed: %s", dir, entry->d_name,
                           strerror(errno));
        else
            ++*removed;
    }
    closedir(folder);
    return st;
}
