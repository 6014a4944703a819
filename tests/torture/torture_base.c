// Files, cuts, settings, plugins: every allocation fails once.
#include <stdio.h>
#include <unistd.h>

#include "base/read_file.h"
#include "base/safetensors.h"
#include "cut/cut.h"
#include "plugin/describe.h"
#include "plugin/registry.h"
#include "plugin/settings.h"
#include "torture/torture.h"

#define GOOD CULL_SOURCE_DIR "/tests/fuzz/corpus/safetensors/good/every-dtype.safetensors"

static cull_status read_safetensors(cull_ctx *ctx)
{
    cull_safetensors *file = NULL;
    cull_tensor t;

    CULL_TRY(cull_safetensors_open(ctx, GOOD, &file));
    const bool found = cull_safetensors_find(file, "x.BF16", &t);
    cull_safetensors_close(file);
    return found ? CULL_OK : cull_fail(ctx, CULL_EFORMAT, "x.BF16 is lost");
}

static cull_status write_safetensors(cull_ctx *ctx)
{
    static const cull_entry entries[] = { { sizeof(cull_entry), "b", CULL_DT_U8, 1, { 2 } },
                                          { sizeof(cull_entry), "a", CULL_DT_F32, 1, { 2 } } };
    static const cull_pair pair = { "key", "value" };
    static const float data[2] = { 1, 2 };
    cull_safetensors_writer *w = NULL;
    char path[64];

    snprintf(path, sizeof path, "/tmp/cull-torture-%ld", (long)getpid());
    CULL_TRY(cull_safetensors_create(ctx, path, 2, entries, 1, &pair, &w));
    cull_status status = cull_safetensors_put(ctx, w, 0, "xy", 2);
    if (status == CULL_OK)
        status = cull_safetensors_put(ctx, w, 1, data, sizeof data);
    if (status != CULL_OK) {
        cull_safetensors_abandon(w);
        return status;
    }
    status = cull_safetensors_finish(ctx, w);
    unlink(path);
    return status;
}

static cull_status read_file(cull_ctx *ctx)
{
    const char *bytes = NULL;
    size_t n = 0;

    return ctx->host->read_file(ctx, GOOD, &bytes, &n);
}

static cull_status make_cut(cull_ctx *ctx)
{
    cull_cut *cut = cull_cut_new(ctx, 2, 4, (size_t[]){ 3, 3 });

    for (size_t e = 0; cut && e < 40; e++)
        if (!ctx->host->overlay(ctx, cut, cull_at_expert(1, CULL_PART_UP, e), CULL_MASK, 64, 64))
            return CULL_ENOMEM;
    return cut && cull_cut_copy(ctx, cut) ? CULL_OK : CULL_ENOMEM;
}

static cull_status use_plugin(cull_ctx *ctx, cull_registry *registry)
{
    const cull_plugin *plugin = cull_registry_find(registry, CULL_STRATEGY, "lowest");
    const char *word = "novice", *trouble = cull_registry_trouble(registry);
    char message[256];
    void *settings = NULL;
    cull_buf text = CULL_BUF_INIT;

    if (!plugin && trouble)
        return cull_fail(ctx, CULL_ENOMEM, "%s", trouble);
    if (!plugin)
        return cull_fail(ctx, CULL_EENV, "there is no strategy \"lowest\"");
    CULL_TRY(cull_settings_new(ctx, plugin, &settings));
    const cull_status status = cull_setting_parse(ctx, cull_setting_find(plugin, "action"), 1,
                                                  &word, NULL, settings, message, sizeof message);
    if (status != CULL_OK)
        return cull_fail(ctx, status, "%s", message);
    const cull_status described = cull_describe(ctx, plugin, true, &text);
    cull_buf_release(&text);
    return described;
}

static cull_status find_plugin(cull_ctx *ctx)
{
    cull_registry *registry = cull_registry_new(ctx);

    if (!registry)
        return cull_context_of(ctx)->error.status;
    const cull_status status = use_plugin(ctx, registry);
    cull_registry_free(registry);
    return status;
}

static cull_status parse_lists(cull_ctx *ctx)
{
    struct settings {
        cull_texts files;
        cull_ints layers;
    };
    static const cull_param table[] = { CULL_P_PATHS(struct settings, files, 0, "files"),
                                        CULL_P_INTS(struct settings, layers, 0, "layers") };
    static const char *const files[] = { "*.c", "torture.h" }, *const numbers[] = { "1", "2" };
    struct settings set = { 0 };
    char message[256];

    cull_status status = cull_setting_parse(
        ctx, &table[0], 2, files, CULL_SOURCE_DIR "/tests/torture", &set, message, sizeof message);
    if (status == CULL_OK)
        status =
            cull_setting_parse(ctx, &table[1], 2, numbers, NULL, &set, message, sizeof message);
    return status == CULL_OK ? status : cull_fail(ctx, status, "%s", message);
}

int main(void)
{
    static const torture all[] = {
        { "read safetensors", read_safetensors, true },
        { "write safetensors", write_safetensors, false },
        { "read a file", read_file, false },
        { "make a cut", make_cut, false },
        { "find a plugin", find_plugin, false },
        { "parse lists", parse_lists, false },
    };

    return torture_run(sizeof all / sizeof *all, all);
}
