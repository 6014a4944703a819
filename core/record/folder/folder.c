// Results folders: made, listed, cleared of what dead processes left.
#include "record/folder/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/read_file.h"
#include "base/text.h"

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
    if (stat(dir, &st) != 0)
        return cull_fail(ctx, CULL_EIO, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
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

    return name[0] != '.' && n > m && strcmp(name + n - m, ending) == 0;
}

// Names that `wanted` accepts, in order.
static cull_status list(cull_ctx *ctx, const char *dir,
                        bool (*wanted)(const char *name, const char *what), const char *what,
                        size_t *n, const char *const **names)
{
    *n = 0;
    *names = NULL;
    DIR *folder;
    CULL_TRY(open_folder(ctx, dir, &folder));

    size_t room = 0;
    const char **found = NULL;
    cull_status status = CULL_OK;
    for (const struct dirent *entry; folder && status == CULL_OK && (entry = readdir(folder));) {
        if (!wanted(entry->d_name, what))
            continue;
        if (*n == room) {
            const char **more = cull_take(ctx, room = room ? 2 * room : 64, sizeof *more);
            if (more && *n)
                memcpy(more, found, *n * sizeof *found);
            found = more;
        }
        const char *name = found ? cull_arena_copy(cull_context_of(ctx)->alloc, entry->d_name,
                                                   strlen(entry->d_name))
                                 : NULL;
        if (name)
            found[(*n)++] = name;
        else
            status = cull_no_memory(ctx);
    }
    if (folder)
        closedir(folder);
    if (*n)
        qsort(found, *n, sizeof *found, cull_by_text);
    *names = found;
    return status;
}

static bool is_abandoned(const char *name, const char *what)
{
    (void)what;
    return cull_temporary_abandoned(name);
}

cull_status cull_folder_list(cull_ctx *ctx, const char *dir, const char *ending, size_t *n,
                             const char *const **names)
{
    return list(ctx, dir, ends_with, ending, n, names);
}

cull_status cull_folder_abandoned(cull_ctx *ctx, const char *dir, size_t *n,
                                  const char *const **names)
{
    return list(ctx, dir, is_abandoned, NULL, n, names);
}

cull_status cull_folder_sweep(cull_ctx *ctx, const char *dir, size_t *removed)
{
    DIR *folder;

    CULL_TRY(open_folder(ctx, dir, &folder));
    if (!folder)
        return CULL_OK;

    cull_status status = CULL_OK;
    for (const struct dirent *entry; status == CULL_OK && (entry = readdir(folder));) {
        if (!cull_temporary_abandoned(entry->d_name))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0 && errno != ENOENT)
            status = cull_fail(ctx, CULL_EIO, "%s/%s: cannot be removed: %s", dir, entry->d_name,
                               strerror(errno));
        else
            ++*removed;
    }
    closedir(folder);
    return status;
}

// ---- one file, two names ----

static cull_status copy_file(cull_ctx *ctx, const char *from, const char *to)
{
    enum { BLOCK = 1 << 20 };
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    char *block = cull_scratch(ctx, BLOCK, 1);
    cull_new_file file = { .fd = -1 };
    uint64_t at = 0;
    ssize_t n = 0;
    const int fd = cull_regular_fd(from);
    cull_status status = fd < 0  ? cull_fail(ctx, CULL_EIO, "%s: %s", from, strerror(errno))
                         : block ? cull_new_file_begin(ctx, &file, to)
                                 : CULL_ENOMEM;

    while (status == CULL_OK && (n = read(fd, block, BLOCK)) > 0) {
        status = cull_new_file_put(ctx, &file, at, block, (size_t)n);
        at += (uint64_t)n;
    }
    if (status == CULL_OK && n < 0)
        status = cull_fail(ctx, CULL_EIO, "%s: cannot be read: %s", from, strerror(errno));
    if (status == CULL_OK)
        status = cull_new_file_commit(ctx, &file);
    cull_new_file_abandon(&file);
    if (fd >= 0)
        close(fd);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return status;
}

cull_status cull_folder_bring(cull_ctx *ctx, const char *from, const char *to)
{
    struct stat st;

    if (access(to, F_OK) == 0)
        return CULL_OK;
    if (stat(from, &st) == 0 && !S_ISREG(st.st_mode))
        return cull_fail(ctx, CULL_EIO, "%s: not a regular file", from);
    if (link(from, to) == 0 || errno == EEXIST)
        return CULL_OK;
    return copy_file(ctx, from, to);
}
