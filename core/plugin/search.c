// Where plugins are looked for.
#define _GNU_SOURCE // secure_getenv
#include "plugin/search.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "plugin/load.h"

enum { MAX_FOLDERS = 64 };

static cull_status add(cull_ctx *ctx, const char *path, bool shipped, size_t *n,
                       cull_folder *folder)
{
    char *real = realpath(path, NULL);
    const char *copy = real ? cull_arena_copy(cull_context_of(ctx)->alloc, real, strlen(real)) : "";
    const bool there = real != NULL;

    free(real);
    if (!copy)
        return cull_no_memory(ctx);
    if (!there)
        return CULL_OK;
    for (size_t i = 0; i < *n; i++)
        if (strcmp(folder[i].path, copy) == 0)
            return CULL_OK;
    if (*n < MAX_FOLDERS)
        folder[(*n)++] = (cull_folder){ copy, shipped };
    return CULL_OK;
}

static cull_status add_entry(cull_ctx *ctx, const char *path, size_t *n, cull_folder *folder)
{
    cull_log *log = cull_context_of(ctx)->log;

    if (path[0] != '/') {
        cull_log_line(log, CULL_WARN, "CULL_PLUGIN_PATH: \"%s\" is not absolute: passed over",
                      path);
        return CULL_OK;
    }
    const cull_status status = cull_trust_folder(ctx, path);
    if (status == CULL_ENOMEM)
        return status;
    if (status != CULL_OK) {
        cull_log_line(log, CULL_WARN, "CULL_PLUGIN_PATH: %s", cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
        return CULL_OK;
    }
    return add(ctx, path, false, n, folder);
}

static cull_status add_environment(cull_ctx *ctx, size_t *n, cull_folder *folder)
{
    const char *list = secure_getenv("CULL_PLUGIN_PATH");

    for (size_t length = 0; list && *list; list += length + (list[length] == ':')) {
        length = strcspn(list, ":");
        if (!length)
            continue;
        const char *path = cull_arena_copy(cull_context_of(ctx)->scratch, list, length);
        if (!path)
            return cull_no_memory(ctx);
        CULL_TRY(add_entry(ctx, path, n, folder));
    }
    return CULL_OK;
}

// The folder that the running program lies in, "" when that is not known.
static void folder_of_program(char *buf, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", buf, size - 1);

    buf[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(buf, '/');
    *(slash ? slash : buf) = '\0';
}

static bool below(const char *path, const char *folder, size_t n)
{
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

// The build's program uses the build's plugins. An installed tree may have been moved, and may even
// lie within the build tree, so the folder beside the program's comes next.
static cull_status add_own(cull_ctx *ctx, size_t *n, cull_folder *folder)
{
    static const char build[] = CULL_BUILD_PLUGINS;
    const size_t tree = strlen(build) - strlen("/plugins"), before = *n;
    char here[4096];

    folder_of_program(here, sizeof here);
    if (strlen(here) == tree && below(here, build, tree))
        return add(ctx, build, true, n, folder);
    const char *beside = cull_arena_printf(cull_context_of(ctx)->scratch,
                                           "%s/../" CULL_INSTALL_LIBDIR "/cull/plugins", here);
    if (!beside)
        return cull_no_memory(ctx);
    CULL_TRY(add(ctx, beside, true, n, folder));
    if (*n > before)
        return CULL_OK;
    return add(ctx, below(here, build, tree) ? build : CULL_INSTALL_PLUGINS, true, n, folder);
}

cull_status cull_search_folders(cull_ctx *ctx, size_t *n, cull_folder **out)
{
    *n = 0;
    *out = cull_take(ctx, MAX_FOLDERS, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    CULL_TRY(add_environment(ctx, n, *out));
    return add_own(ctx, n, *out);
}

static bool is_library(const char *name)
{
    const size_t n = strlen(name);

    return n > 3 && strcmp(name + n - 3, ".so") == 0;
}

static cull_status append(cull_ctx *ctx, const char *name, size_t *n, size_t *room,
                          const char ***out)
{
    cull_arena *arena = cull_context_of(ctx)->scratch;

    if (*n == *room) {
        *room = *room ? 2 * *room : 64;
        const char **more = cull_arena_alloc(arena, *room, sizeof *more);
        if (!more)
            return cull_no_memory(ctx);
        if (*n)
            memcpy(more, *out, *n * sizeof *more);
        *out = more;
    }
    (*out)[*n] = cull_arena_copy(arena, name, strlen(name));
    return (*out)[(*n)++] ? CULL_OK : cull_no_memory(ctx);
}

cull_status cull_search_list(cull_ctx *ctx, const char *folder, size_t *n, const char ***out)
{
    DIR *dir = opendir(folder);
    cull_status status = CULL_OK;
    size_t room = 0;

    *n = 0;
    *out = NULL;
    for (const struct dirent *entry; status == CULL_OK && dir && (entry = readdir(dir));)
        if (is_library(entry->d_name))
            status = append(ctx, entry->d_name, n, &room, out);
    if (dir)
        closedir(dir);
    if (*n && status == CULL_OK)
        qsort(*out, *n, sizeof **out, cull_by_text);
    return status;
}
