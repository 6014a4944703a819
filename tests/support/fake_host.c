// The core's own context, without a run around it.
#include "support/fake_host.h"

#include <dlfcn.h>
#include <stdio.h>

#include "base/memory.h"
#include "plugin/host.h"
#include "plugin/settings.h"
#include "support/test.h"

fake_host *fake_host_new(size_t threads)
{
    fake_host *host = cull_alloc(1, sizeof *host);

    assert_non_null(host);
    host->pool = cull_pool_new(threads);
    assert_non_null(host->pool);
    assert_int_equal(cull_context_init(&host->context, host->pool, NULL), CULL_OK);
    host->context.seed = 1;
    return host;
}

void fake_host_free(fake_host *host)
{
    cull_context_release(&host->context);
    cull_pool_free(host->pool);
    cull_free(host);
}

cull_ctx *fake_ctx(fake_host *host)
{
    return &host->context.ctx;
}

const char *fake_error(fake_host *host)
{
    enum { SIZE = CULL_SENTENCE + CULL_FRAMES * (CULL_FRAME + 16) };
    char *text = cull_arena_alloc(host->context.alloc, SIZE, 1);

    assert_non_null(text);
    cull_error_text(&host->context.error, text, SIZE);
    return text;
}

void fake_clear(fake_host *host)
{
    cull_error_clear(fake_ctx(host));
}

const cull_plugin *fake_plugin_at(fake_host *host, const char *path, const char *name)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        fail_msg("%s", dlerror());

    const cull_module *module = dlsym(library, "cull_module_v1");
    assert_non_null(module);
    assert_int_equal(module->abi, CULL_ABI);
    for (const cull_plugin *const *p = module->plugins; *p; p++)
        if (strcmp((*p)->name, name) == 0) {
            host->context.owner = (*p)->name;
            return *p;
        }
    fail_msg("%s: no plugin \"%s\" in it", path, name);
    return NULL;
}

void *fake_settings(fake_host *host, const cull_plugin *plugin)
{
    void *settings = NULL;

    assert_ok(host, cull_settings_new(fake_ctx(host), plugin, &settings));
    return settings;
}

void fake_set(fake_host *host, const cull_plugin *plugin, void *settings, const char *name,
              const char *text)
{
    fake_set_list(host, plugin, settings, name, 1, &text);
}

void fake_set_list(fake_host *host, const cull_plugin *plugin, void *settings, const char *name,
                   size_t n, const char *const *texts)
{
    char message[256];
    const cull_param *param = cull_setting_find(plugin, name);

    if (!param)
        fail_msg("%s has no setting \"%s\"", plugin->name, name);
    if (cull_setting_parse(fake_ctx(host), param, n, texts, NULL, settings, message,
                           sizeof message) != CULL_OK)
        fail_msg("%s.%s: %s", plugin->name, name, message);
}

void fake_assert_ok(fake_host *host, cull_status status, const char *call, const char *file,
                    int line)
{
    if (status == CULL_OK)
        return;
    print_error("%s: %s: %s\n", call, cull_status_name(status), fake_error(host));
    _fail(file, line);
}

void fake_assert_fails(fake_host *host, cull_status status, cull_status expected, const char *part,
                       const char *call, const char *file, int line)
{
    const char *text = fake_error(host);
    const bool fine =
        status == expected && host->context.error.status == expected && strstr(text, part) != NULL;

    fake_clear(host);
    if (fine)
        return;
    print_error("%s: wanted %s with \"%s\", got %s: %s\n", call, cull_status_name(expected), part,
                cull_status_name(status), text);
    _fail(file, line);
}
