// The border between the core and its plugins' callbacks.
#include "base/call.h"

#include "base/crash.h"
#include "base/memory.h"

const char *cull_kind_name(cull_kind kind)
{
    static const char *const names[CULL_N_KINDS] = {
        [CULL_BACKEND] = "backend",   [CULL_DATA] = "data",     [CULL_CRITERION] = "criterion",
        [CULL_STRATEGY] = "strategy", [CULL_METRIC] = "metric",
    };

    return names[kind];
}

void cull_call_enter(const cull_plugin *plugin, const char *callback, size_t layer)
{
    cull_crash_enter((cull_calling){ plugin ? cull_kind_name(plugin->kind) : "a",
                                     plugin ? plugin->name : "plugin", callback, layer });
}

void cull_call_leave(void)
{
    (void)cull_crash_leave();
}

static bool is_known(cull_status status)
{
    switch (status) {
#define CULL_STATUS_KNOWN(name, value, text) case CULL_##name:
        CULL_STATUSES(CULL_STATUS_KNOWN)
#undef CULL_STATUS_KNOWN
        return true;
    }
    return false;
}

static bool is_asked_to_stop(const cull_context *context)
{
    return context->stop && context->stop();
}

cull_status cull_call_status(cull_ctx *ctx, cull_status status)
{
    const cull_context *context = cull_context_of(ctx);
    const cull_calling c = cull_crash_leave();

    if (status == CULL_OK) {
        if (!cull_pool_inside() && context->error.status != CULL_OK)
            cull_error_clear(ctx);
        return CULL_OK;
    }
    if (!is_known(status)) {
        cull_fail(ctx, CULL_EPLUGIN, "%s %s: its callback \"%s\" returned the unknown status %d",
                  c.kind, c.name, c.what, (int)status);
        return CULL_EPLUGIN;
    }
    if (cull_json_memory_lacked() && status == CULL_EFORMAT) { // the file is not to blame
        cull_error_clear(ctx);
        return cull_while(ctx, cull_no_memory(ctx), "in callback \"%s\" of %s %s", c.what, c.kind,
                          c.name);
    }
    if (context->error.status == CULL_OK || !context->error.sentence[0])
        cull_fail(ctx, status, "%s %s: its callback \"%s\" failed without saying why (%s)", c.kind,
                  c.name, c.what, cull_status_text(status));
    return status == CULL_ECANCELED && !is_asked_to_stop(context) ? CULL_EPLUGIN : status;
}
