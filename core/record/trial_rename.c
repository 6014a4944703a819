// A finished trial under the names that its experiment has now.
#include <string.h>

#include "record/folder/folder.h"
#include "record/h5/h5.h"
#include "record/trial_groups.h"

static void put_names(cull_h5 *file, const cull_trial_axes *axes, const char *id, const char *slug,
                      const char *from)
{
    const struct {
        const char *name, *text;
    } now[] = {
        { "trial_id", id },
        { "title", slug },
        { "model", axes->model },
        { "method", axes->method },
        { "allocation", axes->allocation },
        { "calibration", axes->calibration },
        { "layers", axes->layers },
        { "renamed_from", from },
    };
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        cull_h5_forget(file, "/", now[i].name);
        cull_h5_text(file, "/", now[i].name, now[i].text);
    }
}

cull_status cull_trial_file_as(cull_ctx *ctx, const char *from, const char *dir, const char *ending,
                               const cull_trial_axes *axes, const char *id,
                               const char *renamed_from)
{
    const char *slug = cull_trial_slug(ctx, axes);
    const char *to = slug ? cull_arena_printf(cull_context_of(ctx)->scratch, "%s/trials/%s-%.16s%s",
                                              dir, slug, id, ending)
                          : NULL;

    if (!to)
        return cull_no_memory(ctx);
    cull_h5 *file = cull_h5_edit(ctx, from, to);
    if (!file)
        return cull_context_of(ctx)->error.status;
    put_names(file, axes, id, slug, renamed_from);
    return cull_while(ctx, cull_h5_commit(file), "renaming trial %s", from);
}

// name: of a file in trials/; base: its first bytes, which the new name has instead.
static cull_status rename_file(cull_ctx *ctx, const char *dir, const char *name, const char *base,
                               const cull_trial_axes *axes, const char *id)
{
    const char *from = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/trials/%s", dir, name);

    return from ? cull_trial_file_as(ctx, from, dir, name + strlen(base), axes, id, base)
                : cull_no_memory(ctx);
}

cull_status cull_trial_rename(cull_ctx *ctx, const char *dir, const cull_stored_trial *trial,
                              const cull_trial_axes *axes, const char *id)
{
    cull_arena *arena = cull_context_of(ctx)->scratch;
    const char *main_name = strrchr(trial->path, '/') + 1;
    const char *base = cull_arena_copy(arena, main_name, strlen(main_name) - strlen(".h5"));
    const char *trials = cull_arena_printf(arena, "%s/trials", dir);
    const char *const *names;
    size_t n, length = base ? strlen(base) : 0;

    if (!base || !trials)
        return cull_no_memory(ctx);
    CULL_TRY(cull_folder_list(ctx, trials, ".h5", &n, &names));
    for (size_t i = 0; i < n; i++) // the trial's own last: it makes the others count
        if (strncmp(names[i], base, length) == 0 && strncmp(names[i] + length, ".eval-", 6) == 0)
            CULL_TRY(rename_file(ctx, dir, names[i], base, axes, id));
    return rename_file(ctx, dir, main_name, base, axes, id);
}
