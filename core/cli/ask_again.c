// What a recorded trial was asked, as an experiment on one model.
#include "cli/ask_again.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "plugin/settings.h"

// A setting may have two names; the first is enough.
static void drop_second_names(const cull_plugin *plugin, json_t *settings)
{
    for (size_t i = 0; i < plugin->n_params; i++)
        for (size_t j = 0; j < i; j++)
            if (cull_setting_at(plugin, i)->offset == cull_setting_at(plugin, j)->offset)
                json_object_del(settings, cull_setting_at(plugin, i)->name);
}

// Recorded settings as an experiment may have them: an empty list is one that was not given.
static cull_status put_settings(cull_ctx *ctx, cull_buf *out, const cull_plugin *plugin,
                                const char *settings)
{
    const char *key;
    void *next;
    json_t *value, *all;

    CULL_TRY(cull_json_stored(ctx, settings, &all));
    json_object_foreach_safe(all, next, key,
                             value) if (json_is_array(value) && json_array_size(value) == 0)
        json_object_del(all, key);
    if (plugin)
        drop_second_names(plugin, all);
    cull_json_put(out, all, 0);
    json_decref(all);
    return CULL_OK;
}

cull_status cull_ask_again(cull_cli *cli, const cull_frame *f, size_t trial, const char *model,
                           size_t n, const cull_row *const *first, cull_experiment *e)
{
    cull_ctx *ctx = &cli->context.ctx;
    const char *name = f->trial[trial].weights;
    cull_buf text = CULL_BUF_INIT;
    cull_spec_source source;

    cull_buf_puts(&text, "models: {");
    cull_buf_json(&text, name, strlen(name));
    cull_buf_puts(&text, ": {hf: {path: ");
    cull_buf_json(&text, model, strlen(model));
    cull_buf_puts(&text, "}}}\nmetrics:\n");
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        cull_buf_printf(&text, "  - %s: ", first[i]->plugin);
        status = put_settings(ctx, &text,
                              cull_registry_find(cli->registry, CULL_METRIC, first[i]->plugin),
                              first[i]->settings);
        cull_buf_puts(&text, "\n");
    }
    const char *kept = text.failed ? NULL : cull_arena_copy(cli->context.alloc, text.s, text.n);
    cull_buf_release(&text);
    CULL_TRY(status);
    if (!kept)
        return cull_no_memory(ctx);
    CULL_TRY(cull_experiment_source(ctx, &cli->options, f->trial[trial].path, &source));
    source.text = kept;
    const cull_opening how = { .memory = cli->options.memory };
    return cull_experiment_open(ctx, cli->registry, &source, &how, e);
}
