// From a file to a module: is it whole, ours, of this ABI?
#include "plugin/load.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cull/cull.h>

#include "base/crash.h"
#include "base/read_file.h"
#include "base/sized.h"
#include "plugin/kind.h"

#define SYMBOL     "cull_module_v1"
#define MAJOR(abi) ((unsigned)(abi) >> 16)
#define MINOR(abi) ((unsigned)(abi)&0xffffu)

// ---- the file ----

// NULL, or why not all n bytes were read; too_short: what a file is that has fewer.
static const char *read_at(int fd, void *to, size_t n, off_t at, const char *too_short)
{
    const ssize_t got = pread(fd, to, n, at);

    if (got < 0)
        return strerror(errno);
    return (size_t)got == n ? NULL : too_short;
}

// dlopen maps what the headers promise; where the file is shorter, touching it ends the program.
// The section headers stand at the end of a library, so they tell whether it is whole.
static const char *elf_fault(int fd, size_t size)
{
    ElfW(Ehdr) e;

    const char *fault = read_at(fd, &e, sizeof e, 0, "not a shared library");
    if (fault)
        return fault;
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_type != ET_DYN)
        return "not a shared library";
    if (e.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "a library for another kind of machine";
    if (e.e_shoff > size || (size_t)e.e_shnum * e.e_shentsize > size - e.e_shoff)
        return "the file is cut short";
    for (size_t i = 0; i < e.e_phnum; i++) {
        ElfW(Phdr) p;
        const off_t at = (off_t)(e.e_phoff + i * sizeof p);
        if (e.e_phentsize != sizeof p)
            return "the file is cut short";
        fault = read_at(fd, &p, sizeof p, at, "the file is cut short");
        if (fault)
            return fault;
        if (p.p_type == PT_LOAD && (p.p_offset > size || p.p_filesz > size - p.p_offset))
            return "the file is cut short";
    }
    return NULL;
}

static cull_status check_elf(cull_ctx *ctx, const char *path)
{
    struct stat st;
    const int fd = cull_regular_fd(path);

    if (fd < 0)
        return cull_fail(ctx, errno == ENOMEM ? CULL_ENOMEM : CULL_EENV, "%s: %s", path,
                         strerror(errno));
    const char *fault = fstat(fd, &st) ? strerror(errno) : elf_fault(fd, (size_t)st.st_size);
    close(fd);
    return fault ? cull_fail(ctx, CULL_EPLUGIN, "%s: not a plugin: %s", path, fault) : CULL_OK;
}

// The loader's words for a lack of memory, with which the system's do not always come.
static bool lacks_memory(const char *why)
{
    const char *const words[] = { strerror(ENOMEM), "cannot allocate", "cannot create",
                                  "out of memory" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(why, words[i]))
            return true;
    return false;
}

static cull_status open_module(cull_ctx *ctx, const char *path, const cull_module **out)
{
    CULL_TRY(check_elf(ctx, path));
    cull_crash_enter((cull_calling){ "plugin", path, "its constructors", SIZE_MAX });
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    (void)cull_crash_leave();
    if (!library) {
        const char *why = dlerror();
        const size_t n = strlen(path);
        if (strncmp(why, path, n) == 0 && why[n] == ':') // it names the path itself
            why += n + 1 + (why[n + 1] == ' ');
        return cull_fail(ctx, lacks_memory(why) ? CULL_ENOMEM : CULL_EPLUGIN,
                         "%s: cannot be loaded: %s", path, why);
    }
    *out = dlsym(library, SYMBOL);
    if (!*out)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "%s: not a Cull plugin, or built for another major version: it has no "
                         "symbol " SYMBOL,
                         path);
    return CULL_OK;
}

// ---- the module ----

static cull_status check_module(cull_ctx *ctx, const char *path, const cull_module *module)
{
    const size_t least = CULL_UP_TO(cull_module, plugins);

    if (module->magic != CULL_MAGIC)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "%s: not a Cull plugin: its magic is 0x%08x, not 0x%08x", path,
                         (unsigned)module->magic, CULL_MAGIC);
    if (MAJOR(module->abi) != CULL_ABI_MAJOR)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "%s: built for ABI %u.%u, but this Cull has %u.%u; build it again with "
                         "this Cull's headers",
                         path, MAJOR(module->abi), MINOR(module->abi), CULL_ABI_MAJOR,
                         CULL_ABI_MINOR);
    if (module->size < least)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: its module's size is %u, less than %zu", path,
                         (unsigned)module->size, least);
    if (!module->plugins || !module->plugins[0])
        return cull_fail(ctx, CULL_EPLUGIN, "%s: a module without plugins", path);
    return CULL_OK;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Rows by their own stride into rows of ours.
static cull_status copy_params(cull_ctx *ctx, const char *path, cull_plugin *plugin)
{
    const size_t n = plugin->n_params, stride = plugin->param_size;
    const char *from = (const char *)plugin->params;

    if (!n || !from)
        return CULL_OK; // the table's check tells
    if (stride < CULL_UP_TO(cull_param, choices) || n > 10000)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: %zu settings with rows of %zu bytes", path,
                         plugin->name ? plugin->name : "", n, stride);
    cull_param *rows = cull_take(ctx, n, sizeof *rows);
    if (!rows)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        memcpy(&rows[i], from + i * stride, smaller(stride, sizeof *rows));
    plugin->params = rows;
    plugin->param_size = sizeof *rows;
    return CULL_OK;
}

// A struct that begins with its size, into zeroes of our size; NULL, reported, when it cannot be.
static void *copy_sized(cull_ctx *ctx, const char *path, const char *name, const char *what,
                        const void *from, size_t ours)
{
    uint32_t size = 0;

    if (from)
        memcpy(&size, from, sizeof size);
    if (size < sizeof size + sizeof(void *)) {
        cull_fail(ctx, CULL_EPLUGIN, "%s: %s: its %s is missing or has the size %u", path, name,
                  what, (unsigned)size);
        return NULL;
    }
    void *copy = cull_take(ctx, 1, ours);
    if (copy)
        memcpy(copy, from, smaller(size, ours));
    return copy;
}

static cull_status copy_vtable(cull_ctx *ctx, const char *path, cull_plugin *plugin)
{
    const char *name = plugin->name ? plugin->name : "";
    void *vtable =
        copy_sized(ctx, path, name, "vtable", plugin->vtable, cull_kind_vtable_size(plugin->kind));

    if (!vtable)
        return cull_context_of(ctx)->error.status;

    plugin->vtable = vtable;
    cull_criterion *criterion = vtable;
    if (plugin->kind != CULL_CRITERION || !criterion->observer)
        return CULL_OK;
    cull_observer *observer =
        copy_sized(ctx, path, name, "observer", criterion->observer, sizeof *observer);
    if (!observer)
        return cull_context_of(ctx)->error.status;
    criterion->observer = observer;
    if (!observer->doubles)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: its observer has no \"doubles\"", path, name);
    return CULL_OK;
}

static cull_status copy_plugin(cull_ctx *ctx, const char *path, const cull_plugin *from,
                               const cull_plugin **out)
{
    const size_t least = CULL_UP_TO(cull_plugin, vtable);
    cull_plugin *plugin = cull_take(ctx, 1, sizeof *plugin);

    if (!plugin)
        return CULL_ENOMEM;
    if (from->size < least)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: a plugin's size is %u, less than %zu", path,
                         (unsigned)from->size, least);
    memcpy(plugin, from, smaller(from->size, sizeof *plugin));
    plugin->size = sizeof *plugin;
    if ((unsigned)plugin->kind >= CULL_N_KINDS)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: a plugin of the unknown kind %u", path,
                         (unsigned)plugin->kind);
    CULL_TRY(copy_params(ctx, path, plugin));
    CULL_TRY(copy_vtable(ctx, path, plugin));
    *out = plugin;
    return cull_plugin_verify(ctx, path, plugin);
}

static cull_status copy_module(cull_ctx *ctx, const cull_module *module, cull_loaded *loaded)
{
    size_t n = 0;

    CULL_TRY(check_module(ctx, loaded->path, module));
    memcpy(&loaded->module, module, smaller(module->size, sizeof loaded->module));
    while (module->plugins[n])
        n++;
    loaded->plugin = cull_take(ctx, n, sizeof *loaded->plugin);
    if (!loaded->plugin)
        return CULL_ENOMEM;
    for (; loaded->n < n; loaded->n++)
        CULL_TRY(
            copy_plugin(ctx, loaded->path, module->plugins[loaded->n], &loaded->plugin[loaded->n]));
    return CULL_OK;
}

cull_status cull_module_load(cull_ctx *ctx, const char *path, bool own, cull_loaded **out)
{
    const cull_module *module = NULL;
    cull_loaded *loaded = cull_take(ctx, 1, sizeof *loaded);

    if (!loaded)
        return CULL_ENOMEM;

    char *real = realpath(path, NULL);
    if (!real)
        return cull_fail(ctx, errno == ENOMEM ? CULL_ENOMEM : CULL_EENV, "%s: %s", path,
                         strerror(errno));
    loaded->path = cull_arena_copy(cull_context_of(ctx)->alloc, real, strlen(real));
    free(real);
    if (!loaded->path)
        return cull_no_memory(ctx);

    if (!own)
        CULL_TRY(cull_trust_file(ctx, loaded->path));
    CULL_TRY(open_module(ctx, loaded->path, &module));
    CULL_TRY(copy_module(ctx, module, loaded));
    const int error = cull_key_of_file(loaded->path, &loaded->key);
    if (error)
        return cull_fail(ctx, error == ENOMEM ? CULL_ENOMEM : CULL_EENV, "%s: %s", loaded->path,
                         strerror(error));
    *out = loaded;
    return CULL_OK;
}
