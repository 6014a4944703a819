// The plugins that are known, by kind and name.
#include "plugin/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "plugin/host.h"
#include "plugin/search.h"

struct cull_registry {
    cull_context context;
    size_t n_folders;
    cull_folder *folder;
    size_t n, room;
    cull_registered *at; // [room], the first n sorted by kind and name
    size_t n_refused, refused_room;
    const char **refused; // files that could not be loaded, so that they are tried only once
    bool complete;        // everything in the folders has been tried
};

static cull_ctx *own(cull_registry *registry)
{
    return &registry->context.ctx;
}

cull_registry *cull_registry_new(cull_ctx *ctx)
{
    cull_registry *registry = cull_alloc(1, sizeof *registry);

    if (!registry) {
        cull_no_memory(ctx);
        return NULL;
    }
    cull_status status = cull_context_init(&registry->context, NULL, cull_context_of(ctx)->log);
    if (status == CULL_OK)
        status = cull_search_folders(own(registry), &registry->n_folders, &registry->folder);
    if (status == CULL_OK)
        return registry;
    cull_error_copy(ctx, own(registry));
    cull_registry_free(registry);
    return NULL;
}

void cull_registry_free(cull_registry *registry)
{
    if (!registry)
        return;
    cull_context_release(&registry->context);
    cull_free(registry);
}

// ---- entering ----

static int compare(cull_kind kind, const char *name, const cull_plugin *plugin)
{
    return kind != plugin->kind ? (kind > plugin->kind) - (kind < plugin->kind)
                                : strcmp(name, plugin->name);
}

// Index of the plugin, or of the place where it belongs.
static size_t place_of(const cull_registry *registry, cull_kind kind, const char *name)
{
    size_t i = 0;

    while (i < registry->n && compare(kind, name, registry->at[i].plugin) > 0)
        i++;
    return i;
}

static const cull_registered *lookup(const cull_registry *registry, cull_kind kind,
                                     const char *name)
{
    const size_t i = place_of(registry, kind, name);
    const bool found = i < registry->n && compare(kind, name, registry->at[i].plugin) == 0;

    return found ? &registry->at[i] : NULL;
}

static cull_status duplicate(cull_registry *registry, cull_kind kind, const char *name,
                             const char *one, const char *other)
{
    return cull_fail(own(registry), CULL_EPLUGIN, "%s \"%s\" is both in %s and in %s",
                     cull_kind_name(kind), name, one, other);
}

static cull_status enter(cull_registry *registry, const cull_plugin *plugin,
                         const cull_loaded *from, bool shipped)
{
    const size_t i = place_of(registry, plugin->kind, plugin->name);

    if (registry->n == registry->room) {
        const size_t room = registry->room ? 2 * registry->room : 64;
        cull_registered *more = cull_take(own(registry), room, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (registry->n)
            memcpy(more, registry->at, registry->n * sizeof *more);
        registry->at = more;
        registry->room = room;
    }
    memmove(&registry->at[i + 1], &registry->at[i], (registry->n - i) * sizeof *registry->at);
    registry->at[i] = (cull_registered){ plugin, from, shipped };
    registry->n++;
    return CULL_OK;
}

// Is the file (links resolved) among those loaded?
static bool is_loaded(const cull_registry *registry, const char *path)
{
    for (size_t i = 0; i < registry->n; i++)
        if (strcmp(registry->at[i].from->path, path) == 0)
            return true;
    return false;
}

// Load a file, all of its plugins or none. A file that is loaded already is fine.
static cull_status load_file(cull_registry *registry, const char *path, bool shipped)
{
    cull_loaded *loaded = NULL;

    CULL_TRY(cull_module_load(own(registry), path, shipped, &loaded));
    if (is_loaded(registry, loaded->path))
        return CULL_OK;
    for (size_t i = 0; i < loaded->n; i++) {
        const cull_plugin *plugin = loaded->plugin[i];
        const cull_registered *other = lookup(registry, plugin->kind, plugin->name);
        if (other)
            return duplicate(registry, plugin->kind, plugin->name, other->from->path, loaded->path);
        for (size_t j = 0; j < i; j++)
            if (compare(plugin->kind, plugin->name, loaded->plugin[j]) == 0)
                return duplicate(registry, plugin->kind, plugin->name, loaded->path, loaded->path);
    }
    for (size_t i = 0; i < loaded->n; i++)
        CULL_TRY(enter(registry, loaded->plugin[i], loaded, shipped));
    if (!shipped)
        for (size_t i = 0; i < loaded->n; i++)
            cull_log_line(registry->context.log, CULL_INFO, "loaded %s %s %s from %s",
                          cull_kind_name(loaded->plugin[i]->kind), loaded->plugin[i]->name,
                          loaded->plugin[i]->version, loaded->path);
    return CULL_OK;
}

// Pass a failure of the registry's own context on to the caller's.
static cull_status hand_over(cull_ctx *ctx, cull_registry *registry, cull_status status)
{
    if (status != CULL_OK) {
        cull_error_copy(ctx, own(registry));
        cull_error_clear(own(registry));
    }
    return status;
}

cull_status cull_registry_add(cull_ctx *ctx, cull_registry *registry, const char *file)
{
    cull_error_clear(own(registry));
    return hand_over(ctx, registry, load_file(registry, file, false));
}

static bool in_search_path(const cull_registry *registry, const char *path)
{
    const size_t n = (size_t)(strrchr(path, '/') - path);

    for (size_t i = 0; i < registry->n_folders; i++)
        if (!registry->folder[i].shipped && strlen(registry->folder[i].path) == n &&
            strncmp(registry->folder[i].path, path, n) == 0)
            return true;
    return false;
}

cull_status cull_registry_declare(cull_ctx *ctx, cull_registry *registry, const char *base,
                                  const char *file, bool trusted)
{
    cull_buf path = CULL_BUF_INIT;

    cull_error_clear(own(registry));
    cull_path_join(&path, base ? base : "", file);
    char *real = path.failed ? NULL : realpath(path.s, NULL);
    cull_status status;
    if (path.failed)
        status = cull_no_memory(own(registry));
    else if (!real)
        status = cull_fail(own(registry), errno == ENOMEM ? CULL_ENOMEM : CULL_EENV, "%s: %s",
                           path.s, strerror(errno));
    else if (!trusted && !in_search_path(registry, real))
        status = cull_fail(own(registry), CULL_EUSAGE,
                           "%s: an experiment may load code only with --trust-plugins, or from a "
                           "folder in CULL_PLUGIN_PATH",
                           path.s);
    else
        status = load_file(registry, real, false);
    free(real);
    cull_buf_release(&path);
    return hand_over(ctx, registry, status);
}

// ---- the folders ----

static bool was_refused(const cull_registry *registry, const char *path)
{
    for (size_t i = 0; i < registry->n_refused; i++)
        if (strcmp(registry->refused[i], path) == 0)
            return true;
    return false;
}

static cull_status refuse(cull_registry *registry, const char *path)
{
    if (registry->n_refused == registry->refused_room) {
        const size_t room = registry->refused_room ? 2 * registry->refused_room : 16;
        const char **more = cull_take(own(registry), room, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (registry->n_refused)
            memcpy(more, registry->refused, registry->n_refused * sizeof *more);
        registry->refused = more;
        registry->refused_room = room;
    }
    const char *copy = cull_arena_copy(registry->context.alloc, path, strlen(path));
    if (!copy)
        return cull_no_memory(own(registry));
    registry->refused[registry->n_refused++] = copy;
    return CULL_OK;
}

static cull_status load_folder(cull_registry *registry, const cull_folder *folder, size_t *bad)
{
    const char **name = NULL;
    size_t n = 0;

    CULL_TRY(cull_search_list(own(registry), folder->path, &n, &name));
    for (size_t i = 0; i < n; i++) {
        const char *path =
            cull_arena_printf(registry->context.scratch, "%s/%s", folder->path, name[i]);
        if (!path)
            return cull_no_memory(own(registry));
        if (is_loaded(registry, path) || was_refused(registry, path))
            continue;
        const cull_status status = load_file(registry, path, folder->shipped);
        if (status == CULL_OK)
            continue;
        if (status == CULL_ENOMEM)
            return status;
        cull_log_line(registry->context.log, CULL_WARN, "%s", registry->context.error.sentence);
        cull_error_clear(own(registry));
        CULL_TRY(refuse(registry, path));
        *bad += 1;
    }
    return CULL_OK;
}

static cull_status load_all(cull_registry *registry, size_t *bad)
{
    const cull_mark mark = cull_arena_mark(registry->context.scratch);
    cull_status status = CULL_OK;

    for (size_t i = 0; i < registry->n_folders && status == CULL_OK && !registry->complete; i++)
        status = load_folder(registry, &registry->folder[i], bad);
    registry->complete = status == CULL_OK;
    cull_arena_rewind(registry->context.scratch, mark);
    return status;
}

cull_status cull_registry_load_all(cull_ctx *ctx, cull_registry *registry, size_t *bad)
{
    *bad = 0;
    cull_error_clear(own(registry));
    return hand_over(ctx, registry, load_all(registry, bad));
}

// Load <kind>-<name>.so from the folders; it may be in one of them, and not be known from
// elsewhere.
static cull_status load_by_name(cull_registry *registry, cull_kind kind, const char *name)
{
    const cull_registered *known = lookup(registry, kind, name);
    const char *found = known ? known->from->path : NULL;

    for (size_t i = 0; i < registry->n_folders; i++) {
        const cull_folder *folder = &registry->folder[i];
        const char *path = cull_arena_printf(registry->context.alloc, "%s/%s-%s.so", folder->path,
                                             cull_kind_name(kind), name);
        if (!path)
            return cull_no_memory(own(registry));
        if (access(path, F_OK) || (found && strcmp(found, path) == 0))
            continue;
        char *real = realpath(path, NULL);
        const bool again = found && real && strcmp(real, found) == 0;
        free(real);
        if (again)
            continue;
        if (found)
            return duplicate(registry, kind, name, found, path);
        CULL_TRY(load_file(registry, path, folder->shipped));
        known = lookup(registry, kind, name);
        if (!known)
            return cull_fail(own(registry), CULL_EPLUGIN, "%s: there is no %s \"%s\" in it", path,
                             cull_kind_name(kind), name);
        found = known->from->path;
    }
    return CULL_OK;
}

const cull_plugin *cull_registry_find(cull_registry *registry, cull_kind kind, const char *name)
{
    size_t bad = 0;

    cull_error_clear(own(registry));
    if (!cull_name_fine(name, '-'))
        return NULL;
    if (load_by_name(registry, kind, name) != CULL_OK)
        return NULL;
    if (!lookup(registry, kind, name) && load_all(registry, &bad) != CULL_OK)
        return NULL;
    const cull_registered *found = lookup(registry, kind, name);
    return found ? found->plugin : NULL;
}

const char *cull_registry_trouble(const cull_registry *registry)
{
    const cull_error *error = &registry->context.error;

    return error->status == CULL_OK ? NULL : error->sentence;
}

cull_status cull_registry_status(const cull_registry *registry)
{
    return registry->context.error.status;
}

const char *cull_registry_nearest(cull_registry *registry, cull_kind kind, const char *name)
{
    const cull_mark mark = cull_arena_mark(registry->context.scratch);
    size_t bad = 0, n = 0;

    if (load_all(registry, &bad) != CULL_OK)
        return NULL;
    const char **names =
        cull_arena_alloc(registry->context.scratch, registry->n + 1, sizeof *names);
    for (size_t i = 0; names && i < registry->n; i++)
        if (registry->at[i].plugin->kind == kind)
            names[n++] = registry->at[i].plugin->name;
    const char *nearest = names ? cull_nearest(name, names) : NULL;
    cull_arena_rewind(registry->context.scratch, mark);
    return nearest;
}

// ---- what is there ----

size_t cull_registry_count(const cull_registry *registry)
{
    return registry->n;
}

const cull_registered *cull_registry_at(const cull_registry *registry, size_t i)
{
    return &registry->at[i];
}

const cull_registered *cull_registry_of(const cull_registry *registry, const cull_plugin *plugin)
{
    for (size_t i = 0; i < registry->n; i++)
        if (registry->at[i].plugin == plugin)
            return &registry->at[i];
    return NULL;
}

const char *cull_registry_foreign_hash(const cull_registry *registry, const cull_plugin *plugin)
{
    const cull_registered *entry = cull_registry_of(registry, plugin);

    return entry && !entry->shipped ? entry->from->key.hex : "";
}
