// A data reader called, and what it yields checked.
#include "plugin/border/sequences.h"

#include "base/call.h"
#include "base/sized.h"

static cull_status broken(cull_ctx *ctx, const cull_plugin *plugin, const char *what)
{
    return cull_fail(ctx, CULL_EPLUGIN, "data %s: its callback \"load\" returns %s", plugin->name,
                     what);
}

static cull_status check_rows(cull_ctx *ctx, const cull_plugin *plugin, const cull_sequences *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!rows->at[i].ids || rows->at[i].n == 0)
            return cull_while(ctx, broken(ctx, plugin, "a row without token ids"),
                              "reading row %zu", i);
    return CULL_OK;
}

static cull_status check_made(cull_ctx *ctx, const cull_plugin *plugin, cull_sequences *out)
{
    const void *at = NULL;

    if (out->n > 0 && !out->at)
        return broken(ctx, plugin, "a number of rows, but none of them");
    CULL_TRY(cull_sized_array(ctx, "a sequence", CULL_UP_TO(cull_sequence, ordinal), out->n,
                              out->at, sizeof(cull_sequence), &at));
    out->at = (cull_sequence *)at;
    if (out->n == 0)
        return cull_fail(ctx, CULL_EINVAL, "the calibration data has no rows");
    return check_rows(ctx, plugin, out);
}

cull_status cull_load_sequences(cull_ctx *ctx, const cull_plugin *plugin, const void *settings,
                                const cull_text *text, cull_sequences *out)
{
    const cull_data *data = plugin->vtable;

    *out = (cull_sequences){ .size = sizeof *out };
    CULL_TRY(CULL_CALL(ctx, plugin, SIZE_MAX, load, data->load(ctx, settings, text, out)));
    cull_call_enter(plugin, "load", SIZE_MAX); // an address that is none is put to it
    const cull_status status = check_made(ctx, plugin, out);
    cull_call_leave();
    return status;
}
