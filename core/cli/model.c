// A model by its folder or id, opened for the commands that look at one.
#include "cli/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/new_file.h"
#include "base/pages.h"
#include "engine/memory.h"
#include "plugin/settings.h"

static cull_status settings_of(cull_ctx *ctx, const cull_plugin *backend, const char *model,
                               void **settings)
{
    char message[CULL_SENTENCE];
    const cull_param *path = cull_setting_find(backend, "path");

    CULL_TRY(cull_settings_new(ctx, backend, settings));
    if (!path)
        return cull_fail(ctx, CULL_EENV, "backend %s has no setting \"path\"", backend->name);
    if (cull_setting_parse(ctx, path, 1, &model, NULL, *settings, message, sizeof message) !=
        CULL_OK)
        return cull_fail(ctx, CULL_EIO, "%s: %s", model, message);
    return CULL_OK;
}

cull_status cull_model_examine(cull_cli *cli, const char *model, uint32_t what,
                               cull_prepared_model *out)
{
    cull_ctx *ctx = &cli->context.ctx;
    const cull_plugin *backend = cull_registry_find(cli->registry, CULL_BACKEND, "hf");
    cull_model_spec *spec = cull_take(ctx, 1, sizeof *spec);
    void *settings;

    *out = (cull_prepared_model){ 0 };
    if (!spec)
        return CULL_ENOMEM;
    if (!backend) {
        const char *trouble = cull_registry_trouble(cli->registry);
        return cull_fail(ctx, CULL_EENV, "%s", trouble ? trouble : "there is no backend \"hf\"");
    }
    CULL_TRY(settings_of(ctx, backend, model, &settings));
    *spec =
        (cull_model_spec){ .name = model, .backend = { .plugin = backend, .settings = settings } };
    return cull_prepared_model_open(ctx, spec, what, out);
}

cull_status cull_model_open(cull_cli *cli, const char *model, uint32_t what,
                            cull_prepared_model *out)
{
    CULL_TRY(cull_model_examine(cli, model, what, out));
    cull_prepared_model_warn(out);
    return CULL_OK;
}

const char *cull_temporary_folder(void)
{
    const char *temporary = getenv("TMPDIR");

    return temporary && *temporary ? temporary : "/tmp";
}

// In the alloc arena; NULL: no memory.
static const char *folder_beside(const cull_cli *cli, const char *out)
{
    const char *slash = strrchr(out, '/');

    if (cull_is_stream(out))
        return cull_temporary_folder();
    if (!slash)
        return ".";
    return cull_arena_copy(cli->context.alloc, out, slash == out ? 1 : (size_t)(slash - out));
}

// Is the cut in memory at most half of what is free? It has no more numbers than the model, and its
// file, whose numbers are halves or packed, grows by no more than this as a rule.
static bool fits_in_memory(const cull_recipe *recipe, const cull_prepared_model *prepared)
{
    enum { GROWS = 8 };
    struct stat info;
    const cull_open_model *model = &prepared->opened;
    const double all = (double)model->facts->params_total * sizeof(float);

    if (stat(recipe->cut, &info) != 0)
        return true; // which will be said
    return fmin(all, GROWS * (double)info.st_size) <= (double)cull_memory_limit(model, NULL);
}

cull_status cull_model_cut(cull_cli *cli, const cull_recipe *recipe,
                           const cull_prepared_model *prepared, const char *out, cull_cut **cut)
{
    cull_ctx *ctx = &cli->context.ctx;

    if (!cli->options.memory && fits_in_memory(recipe, prepared))
        return cull_recipe_cut(ctx, recipe, prepared, cut);
    const char *folder = folder_beside(cli, out);
    if (folder && !cli->context.pages)
        cli->context.pages = cull_pages_new(folder);
    if (!cli->context.pages)
        return cull_no_memory(ctx);
    return cull_recipe_cut(ctx, recipe, prepared, cut);
}
