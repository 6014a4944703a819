// Trials put into a cache beside several folders of results, and taken out of it.
#include "record/trial_cache.h"

#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "record/folder/folder.h"
#include "record/trial_groups.h"

// ---- the folder ----

static const char *below(cull_ctx *ctx, const char *folder, const char *name)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/%s", folder, name);

    if (!path)
        cull_no_memory(ctx);
    return path;
}

static bool has(cull_ctx *ctx, const char *folder, const char *name)
{
    const char *path = below(ctx, folder, name);

    return path && access(path, F_OK) == 0;
}

bool cull_is_cache(cull_ctx *ctx, const char *folder)
{
    return has(ctx, folder, "CACHEDIR.TAG") && !has(ctx, folder, "experiment.json");
}

cull_status cull_cache_mark(cull_ctx *ctx, const char *folder)
{
    static const char tag[] =
        "Signature: 8a477f597d28d172789f06886806bc55\n"
        "# A cache of Cull's beside folders of results: see cull gc --help.\n";
    const char *path = below(ctx, folder, "CACHEDIR.TAG");

    if (!path)
        return CULL_ENOMEM;
    if (access(path, F_OK) == 0 || has(ctx, folder, "experiment.json") ||
        has(ctx, folder, "trials"))
        return CULL_OK;
    return cull_write_new_file(ctx, path, tag, sizeof tag - 1);
}

// One file of `from` also in `to`, where it is there at all.
static cull_status bring(cull_ctx *ctx, const char *from, const char *to, const char *name)
{
    const char *source = below(ctx, from, name), *copy = below(ctx, to, name);

    if (!source || !copy)
        return CULL_ENOMEM;
    return access(source, F_OK) == 0 ? cull_folder_bring(ctx, source, copy) : CULL_OK;
}

static cull_status make_rooms(cull_ctx *ctx, const char *folder)
{
    static const char *const rooms[] = { "trials", "cuts", "questions" };

    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        const char *path = below(ctx, folder, rooms[i]);
        if (!path)
            return CULL_ENOMEM;
        CULL_TRY(cull_make_folder(ctx, path));
    }
    return CULL_OK;
}

// ---- into it ----

static cull_status put_questions(cull_ctx *ctx, const char *from, const char *to)
{
    const char *folder = below(ctx, from, "questions");
    const char *const *names;
    size_t n;

    if (!folder)
        return CULL_ENOMEM;
    CULL_TRY(cull_folder_list(ctx, folder, ".h5", &n, &names));
    for (size_t i = 0; i < n; i++) {
        const char *name =
            cull_arena_printf(cull_context_of(ctx)->scratch, "questions/%s", names[i]);
        if (!name)
            return cull_no_memory(ctx);
        CULL_TRY(bring(ctx, from, to, name));
    }
    return CULL_OK;
}

cull_status cull_trial_put(cull_ctx *ctx, const char *from, const char *to,
                           const cull_trial_axes *axes, const char *id, const char *cut, size_t n,
                           const char *const *evaluation)
{
    const char *name = cull_trial_name(ctx, axes, id);

    if (!name)
        return CULL_ENOMEM;
    CULL_TRY(make_rooms(ctx, to));
    CULL_TRY(put_questions(ctx, from, to));
    for (size_t i = 0; i < n; i++) {
        const char *added = cull_trial_added_name(ctx, axes, id, evaluation[i]);
        if (!added)
            return CULL_ENOMEM;
        CULL_TRY(bring(ctx, from, to, added));
    }
    if (cut)
        CULL_TRY(bring(ctx, from, to, cut));
    return bring(ctx, from, to, name); // last: it makes the others count
}

// ---- out of it ----

typedef struct taking {
    cull_ctx *ctx;
    const char *from, *to;
    const cull_stored_trial *trial;
    const cull_trial_axes *axes;
    const char *id;
} taking;

// The trial's file with this ending; *any: it was there.
static cull_status take_file(const taking *t, const char *ending, bool *any)
{
    cull_arena *arena = cull_context_of(t->ctx)->scratch;
    const char *path = cull_arena_printf(arena, "%.*s%s", (int)(strlen(t->trial->path) - 3),
                                         t->trial->path, ending);

    if (!path)
        return cull_no_memory(t->ctx);
    if (access(path, F_OK) != 0)
        return CULL_OK;
    *any = true;
    if (strcmp(t->trial->id, t->id) != 0) // what it is called there is no name in this folder
        return cull_trial_file_as(t->ctx, path, t->to, ending, t->axes, t->id, "");
    return bring(t->ctx, t->from, t->to, path + strlen(t->from) + 1);
}

static bool is_wanted(const char *key, size_t n, const char *const *evaluation)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(evaluation[i], key) == 0)
            return true;
    return false;
}

bool cull_trial_serves(cull_ctx *ctx, const char *cache, const cull_stored_trial *trial, size_t n,
                       const char *const *evaluation, bool recorded)
{
    for (size_t i = 0; i < trial->n_questions; i++)
        if (!has(ctx, cache, trial->question[i]))
            return false;
    if (recorded)
        return true;
    for (size_t i = 0; i < trial->n_own; i++)
        if (!is_wanted(trial->evaluation[i], n, evaluation))
            return false;
    return !trial->cut || has(ctx, cache, trial->cut);
}

bool cull_trial_gives(const cull_stored_trial *trial, const char *evaluation, bool recorded)
{
    const size_t first = recorded ? trial->n_own : 0;

    return is_wanted(evaluation, trial->n_evaluations - first, trial->evaluation + first);
}

cull_status cull_trial_take(cull_ctx *ctx, const char *from, const char *to,
                            const cull_stored_trial *trial, const cull_trial_axes *axes,
                            const char *id, size_t n, const char *const *evaluation, bool recorded,
                            bool *any)
{
    const taking t = { ctx, from, to, trial, axes, id };

    *any = false;
    CULL_TRY(make_rooms(ctx, to));
    for (size_t i = 0; i < trial->n_questions; i++)
        CULL_TRY(bring(ctx, from, to, trial->question[i]));
    for (size_t i = 0; i < n; i++) {
        const char *ending =
            cull_arena_printf(cull_context_of(ctx)->scratch, ".eval-%.16s.h5", evaluation[i]);
        if (!ending)
            return cull_no_memory(ctx);
        CULL_TRY(take_file(&t, ending, any));
    }
    if (recorded)
        return CULL_OK;
    if (trial->cut)
        CULL_TRY(bring(ctx, from, to, trial->cut));
    return take_file(&t, ".h5", any); // last: it makes the others count
}
